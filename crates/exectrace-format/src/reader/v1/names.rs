//! Strings and stacks of the old format, which stand among the events, and the texts that the
//! conversion adds.

use crate::ids::{StackId, StringId};
use crate::reader::error::TableError;
use crate::reader::id_map::IdMap;
use crate::reader::tables::Tables;
use crate::wire::Version;

use super::error::V1Error;
use super::kinds::Kind;
use super::wire::{MAX_STACK_FRAMES, MAX_STRING_BYTES, Raw, event_at, number_of};

/// Collects strings and stacks while the batches are read.
#[derive(Debug)]
pub(super) struct Names<'a> {
    tables: &'a mut Tables,
    /// Where the stacks stand. They are decoded when all strings are known.
    stacks: Vec<u32>,
}

/// Stacks that name strings which do not exist, by our ids. That is an error where an event shows
/// the stack; many are never shown.
pub(super) type Broken = IdMap<TableError>;

impl<'a> Names<'a> {
    pub(super) fn new(tables: &'a mut Tables) -> Self {
        tables.clear();
        let stacks = Vec::new();
        Self { tables, stacks }
    }

    /// Adds a string to the tables.
    pub(super) fn add_string(&mut self, raw: &Raw<'_>) -> Result<(), V1Error> {
        let id = number_of(&mut &*raw.body, Kind::String.spec().name)?;
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
        self.tables
            .add_string(id, raw.text)
            .map_err(|_| V1Error::DuplicateString(id))
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

    /// Puts the stacks into the tables.
    pub(super) fn finish(self, bytes: &[u8], version: Version) -> Broken {
        let mut decoder = Stacks {
            tables: self.tables,
            broken_frames: IdMap::default(),
            broken: Broken::default(),
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
        // Every string is ours by now.
        _ = decoder.tables.resolve_frames();
        decoder.broken
    }
}

/// Decodes stacks.
struct Stacks<'a> {
    tables: &'a mut Tables,
    /// By pc, what is wrong with its frame.
    broken_frames: IdMap<TableError>,
    broken: Broken,
}

impl Stacks<'_> {
    fn add(&mut self, id: u64, mut body: &[u8]) {
        let mut problem = None;
        for _ in 0..take(&mut body) {
            let pc = take(&mut body);
            let [function, file, line] = [(); 3].map(|()| take(&mut body));
            for (what, string) in [("func", function), ("file", file)] {
                if self.tables.string_id(string).is_none() {
                    let error = TableError::FrameString {
                        what,
                        string: StringId(string),
                        stack: StackId(id),
                    };
                    self.broken_frames.entry(pc).or_insert(error);
                }
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
}

/// A string or message may not be too long.
pub(super) fn check_length(text: &[u8]) -> Result<(), V1Error> {
    let length = text.len() as u64;
    if length > MAX_STRING_BYTES {
        return Err(V1Error::StringTooLong(length));
    }
    Ok(())
}

/// The next number of a stack that was checked.
fn take(body: &mut &[u8]) -> u64 {
    number_of(body, Kind::Stack.spec().name).unwrap_or(0)
}

/// The texts that the conversion adds to those of the file.
#[derive(Debug)]
pub(super) struct Texts {
    /// Why a flow stops, in the order of `BLOCK_REASONS`.
    reasons: Vec<StringId>,
    /// Why the world is stopped, in the order of `STW_REASONS`.
    stops: Vec<StringId>,
}

/// Kinds that stop a flow, and the reason that the new format would tell.
const REASONS: [(Kind, &str); 12] = [
    (Kind::GoStop, "forever"),
    (Kind::GoSched, "runtime.Gosched"),
    (Kind::GoPreempt, "preempted"),
    (Kind::GoSleep, "sleep"),
    (Kind::GoBlock, ""),
    (Kind::GoBlockSend, "chan send"),
    (Kind::GoBlockRecv, "chan receive"),
    (Kind::GoBlockSelect, "select"),
    (Kind::GoBlockSync, "sync"),
    (Kind::GoBlockCond, "sync.(*Cond).Wait"),
    (Kind::GoBlockNet, "network"),
    (Kind::GoBlockGc, "GC mark assist wait for work"),
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

impl Texts {
    pub(super) fn new(tables: &mut Tables) -> Self {
        let mut push = |text: &str| match text {
            "" => StringId::EMPTY,
            _ => tables.push_string(text.as_bytes()),
        };
        Self {
            reasons: REASONS.iter().map(|&(_, text)| push(text)).collect(),
            stops: STOPS.iter().map(|&text| push(text)).collect(),
        }
    }

    /// Why an event of this kind stops its flow.
    pub(super) fn reason(&self, kind: Kind) -> StringId {
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
