//! Strings and stacks of the old format, which stand among the events, and the texts that the
//! conversion adds.

use std::collections::HashMap;

use crate::conventions::{
    CHANNEL_RECEIVE, CHANNEL_SEND, FOREVER, NETWORK, PREEMPTED, SELECT, SLEEP, SYNC,
};
use crate::ids::{StackId, StringId};
use crate::read::error::TableError;
use crate::read::id_map::IdMap;
use crate::read::tables::Tables;
use crate::wire::Version;

use super::error::V1Error;
use super::kinds::V1Kind;
use super::wire::{MAX_STACK_FRAMES, MAX_STRING_BYTES, Raw, event_at, number_of};

/// Collects strings, messages and stacks while the batches are read.
#[derive(Debug)]
pub(super) struct V1Names<'a> {
    tables: &'a mut Tables,
    /// The greatest id of a string.
    last_string: u64,
    /// The texts of messages, without repetition, and the index of each.
    messages: Vec<&'a [u8]>,
    message_indices: HashMap<&'a [u8], usize>,
    /// By the place of a log, the index of its message.
    logs: IdMap<usize>,
    /// Where the stacks stand. They are decoded when all strings are known.
    stacks: Vec<u32>,
}

/// What the conversion needs besides the tables.
#[derive(Debug)]
pub(super) struct Named {
    /// Stacks that name strings which do not exist, by the ids in the tables. That is an error where an event
    /// shows the stack; many are never shown.
    pub(super) broken: IdMap<TableError>,
    /// The messages of logs, by the places of these.
    pub(super) messages: IdMap<StringId>,
    pub(super) texts: V1Texts,
}

impl<'a> V1Names<'a> {
    pub(super) fn new(tables: &'a mut Tables) -> Self {
        tables.clear();
        Self {
            tables,
            last_string: 0,
            messages: Vec::new(),
            message_indices: HashMap::new(),
            logs: IdMap::default(),
            stacks: Vec::new(),
        }
    }

    /// Adds a string to the tables.
    pub(super) fn add_string(&mut self, raw: &Raw<'_>) -> Result<(), V1Error> {
        let id = number_of(&mut &*raw.body, V1Kind::String.spec().name)?;
        if id == 0 {
            return Err(V1Error::StringZero);
        }
        if self.tables.string_id(id).is_some() {
            return Err(V1Error::DuplicateString(id));
        }
        if raw.text.is_empty() {
            return Err(V1Error::EmptyString);
        }
        check_length(raw.text)?;
        self.last_string = self.last_string.max(id);
        self.tables
            .add_string(id, raw.text)
            .map_err(|_| V1Error::DuplicateString(id))
    }

    /// Notes the message of the log that begins at `start`.
    pub(super) fn add_message(&mut self, text: &'a [u8], start: usize) -> Result<(), V1Error> {
        check_length(text)?;
        let new = self.messages.len();
        let index = *self.message_indices.entry(text).or_insert(new);
        if index == new {
            self.messages.push(text);
        }
        self.logs.insert(start as u64, index);
        Ok(())
    }

    /// Checks a stack and notes where it begins.
    pub(super) fn add_stack(&mut self, raw: &Raw<'_>, start: usize) -> Result<(), V1Error> {
        let numbers = raw.numbers()?;
        let [found, frames] = [numbers.count(), numbers.second()];
        let arguments = |wanted| V1Error::Arguments {
            event: "EvStack",
            wanted,
            found,
        };
        if found < 2 {
            return Err(arguments(2));
        }
        if frames > MAX_STACK_FRAMES {
            return Err(V1Error::StackTooDeep(frames));
        }
        if found != 2 + 4 * frames {
            return Err(arguments(2 + 4 * frames));
        }
        if numbers.first() as u32 != 0 && frames > 0 {
            self.stacks.push(start as u32);
        }
        Ok(())
    }

    /// Puts into the tables what is still missing: messages, the texts of the conversion, stacks.
    pub(super) fn finish(self, bytes: &[u8], version: Version) -> Named {
        let mut adder = Adder {
            next: self.last_string.checked_add(1),
            tables: self.tables,
        };
        let messages: Vec<StringId> = self.messages.iter().map(|text| adder.add(text)).collect();
        let message = |(at, index): (u64, usize)| Some((at, *messages.get(index)?));
        let messages = self.logs.into_iter().filter_map(message).collect();
        let texts = V1Texts::new(&mut adder);
        let mut decoder = Stacks {
            tables: adder.tables,
            broken_frames: IdMap::default(),
            broken: IdMap::default(),
        };
        let stacks = self.stacks.iter().filter_map(|&at| {
            let mut body = event_at(bytes, at, version)?.body;
            let id = take(&mut body) as u32;
            Some((u64::from(id), body))
        });
        // Of several stacks with one id the last holds; the others go where no event points.
        let last: IdMap<usize> = stacks.clone().map(|(id, _)| id).zip(0..).collect();
        for (index, (id, body)) in stacks.enumerate() {
            let holds = last.get(&id) == Some(&index);
            decoder.add(if holds { id } else { u64::MAX - index as u64 }, body);
        }
        // Every string is in the tables by now.
        _ = decoder.tables.resolve_frames();
        Named {
            broken: decoder.broken,
            messages,
            texts,
        }
    }
}

/// Adds texts to the tables with the ids that Go's reader gives them, next to those of the file.
///
/// Where a damaged trace names such an id, Go's reader takes the text, and so is it here.
struct Adder<'a> {
    tables: &'a mut Tables,
    /// The next id; `None` when there are no more.
    next: Option<u64>,
}

impl Adder<'_> {
    fn add(&mut self, text: &[u8]) -> StringId {
        let added = self.next.and_then(|id| {
            self.tables.add_string(id, text).ok()?;
            self.tables.string_id(id)
        });
        self.next = self.next.and_then(|id| id.checked_add(1));
        added.unwrap_or_else(|| self.tables.push_string(text))
    }
}

/// Decodes stacks.
struct Stacks<'a> {
    tables: &'a mut Tables,
    /// By pc, what is wrong with its frame.
    broken_frames: IdMap<TableError>,
    /// By the ids of stacks in the tables.
    broken: IdMap<TableError>,
}

impl Stacks<'_> {
    fn add(&mut self, id: u64, mut body: &[u8]) {
        let mut problem = None;
        for _ in 0..take(&mut body) {
            let pc = take(&mut body);
            let [function, file, line] = [(); 3].map(|()| take(&mut body));
            if !self.tables.knows_pc(pc)
                && let Some(error) = self.problem(id, function, file)
            {
                self.broken_frames.insert(pc, error);
            }
            let known = |string| match self.tables.string_id(string) {
                Some(_) => string,
                None => 0,
            };
            let (function, file) = (known(function), known(file));
            self.tables.push_frame(id, pc, function, file, line);
            problem = problem.or(self.broken_frames.get(&pc).copied());
        }
        _ = self.tables.add_stack(id);
        if let (Some(problem), Some(stack)) = (problem, self.tables.stack_id(id)) {
            self.broken.insert(stack.0, problem);
        }
    }

    /// What is wrong with a frame.
    fn problem(&self, stack: u64, function: u64, file: u64) -> Option<TableError> {
        let mut strings = [("func", function), ("file", file)].into_iter();
        let (what, string) = strings.find(|&(_, id)| self.tables.string_id(id).is_none())?;
        Some(TableError::FrameString {
            what,
            string: StringId(string),
            stack: StackId(stack),
        })
    }
}

/// A string or message may not be too long.
fn check_length(text: &[u8]) -> Result<(), V1Error> {
    let length = text.len() as u64;
    if length > MAX_STRING_BYTES {
        return Err(V1Error::StringTooLong(length));
    }
    Ok(())
}

/// The next number of a stack that was checked.
fn take(body: &mut &[u8]) -> u64 {
    number_of(body, V1Kind::Stack.spec().name).unwrap_or(0)
}

/// The texts that the conversion adds to those of the file.
#[derive(Debug)]
pub(super) struct V1Texts {
    /// Why a goroutine stops, in the order of `REASONS`.
    reasons: Vec<StringId>,
    /// Why the world is stopped, in the order of `STOPS`.
    stops: Vec<StringId>,
}

/// Kinds that stop a goroutine, and the reason that the new format would give. In Go's order.
const REASONS: [(V1Kind, &str); 12] = [
    (V1Kind::GoStop, FOREVER),
    (V1Kind::GoPreempt, PREEMPTED),
    (V1Kind::GoSched, "runtime.Gosched"),
    (V1Kind::GoSleep, SLEEP),
    (V1Kind::GoBlockSend, CHANNEL_SEND),
    (V1Kind::GoBlockRecv, CHANNEL_RECEIVE),
    (V1Kind::GoBlockNet, NETWORK),
    (V1Kind::GoBlockSync, SYNC),
    (V1Kind::GoBlockCond, "sync.(*Cond).Wait"),
    (V1Kind::GoBlockSelect, SELECT),
    (V1Kind::GoBlock, ""),
    (V1Kind::GoBlockGc, "GC mark assist wait for work"),
];

/// Why the world is stopped, by the number in files of Go 1.21.
const STOPS: [&str; 17] = [
    "",
    "GC mark termination",
    "GC sweep termination",
    "write heap dump",
    "goroutine profile",
    "goroutine profile cleanup",
    "all goroutine stack trace",
    "read mem stats",
    "AllThreadsSyscall",
    "GOMAXPROCS",
    "start trace",
    "stop trace",
    "CountPagesInUse (test)",
    "ReadMetricsSlow (test)",
    "ReadMemStatsSlow (test)",
    "PageCachePagesLeaked (test)",
    "ResetDebugLog (test)",
];

impl V1Texts {
    fn new(adder: &mut Adder<'_>) -> Self {
        let mut add = |text: &str| match (adder.add(text.as_bytes()), text) {
            (_, "") => StringId::EMPTY,
            (id, _) => id,
        };
        Self {
            reasons: REASONS.iter().map(|&(_, text)| add(text)).collect(),
            stops: STOPS.iter().map(|&text| add(text)).collect(),
        }
    }

    /// Why an event of this kind stops its goroutine.
    pub(super) fn reason(&self, kind: V1Kind) -> StringId {
        let place = REASONS.iter().position(|&(known, _)| known == kind);
        let id = place.and_then(|place| self.reasons.get(place));
        id.copied().unwrap_or(StringId::EMPTY)
    }

    /// Why the world is stopped. Before Go 1.21 there were two numbers.
    pub(super) fn stop(&self, number: u64, version: Version) -> StringId {
        let place = match (version, number) {
            (Version::Go121, _) => number,
            (_, 0 | 1) => number + 1,
            _ => 0,
        };
        let place = usize::try_from(place).unwrap_or(0);
        self.stops.get(place).copied().unwrap_or(StringId::EMPTY)
    }
}
