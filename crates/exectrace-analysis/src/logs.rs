//! Logs by category and place.

use exectrace_replay::{Location, Log, Stack, Text};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::names::{Place, Places};
use crate::time::World;

/// The logs of a trace, without the recorder's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Logs {
    /// By category and place, the most frequent first.
    pub kinds: Vec<LogKind>,
    /// Logs that were left out because there were more than [`MAX_LOG_KINDS`] categories and places.
    pub left_out: u64,
}

/// So many categories and places are kept, each with its last message: some 64 MiB.
pub const MAX_LOG_KINDS: usize = 1 << 16;

/// Logs of one category that are written at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogKind {
    /// The category. Of an event of `tracing` it is level and target, as in `INFO shop::cart`; of the
    /// fields of a span its name.
    pub category: String,
    /// The level that the category begins with: `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: Option<&'static str>,
    /// Where they are written: the leaf of their stack.
    pub place: Option<Place>,
    /// How many.
    pub count: u64,
    /// How long their messages are in all. In the file, a message that was there before in the same
    /// generation takes less.
    pub bytes: u64,
    /// When the first was written, since the begin of the trace.
    pub first_ns: u64,
    /// When the last was.
    pub last_ns: u64,
    /// The message of the last.
    pub last: String,
}

/// The levels of `tracing`, the most severe first.
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// Gathers [`Logs`].
#[derive(Debug, Default)]
pub(crate) struct LogPass {
    kinds: Vec<Kind>,
    by_stack: FxHashMap<(Text, Stack), u32>,
    by_place: FxHashMap<(Text, Option<Location>), u32>,
    left_out: u64,
}

#[derive(Debug)]
struct Kind {
    category: Text,
    place: Option<Location>,
    count: u64,
    bytes: u64,
    first: i64,
    last: i64,
    message: String,
}

impl LogPass {
    pub(crate) fn log(&mut self, world: &World<'_>, log: &Log<'_>) {
        let (now, message) = (world.now, log.message);
        let Some(kind) = self.kind(world, log.category, log.stack, now) else {
            self.left_out += 1;
            return;
        };
        kind.count += 1;
        kind.bytes = kind.bytes.saturating_add(message.len() as u64);
        kind.last = now;
        kind.message.clear();
        kind.message.push_str(message);
    }

    fn kind(
        &mut self,
        world: &World<'_>,
        category: Text,
        stack: Stack,
        now: i64,
    ) -> Option<&mut Kind> {
        let index = match self.by_stack.get(&(category, stack)) {
            Some(&index) => index,
            None => {
                let place = world.names().locations(stack).next().copied();
                let next = self.kinds.len() as u32;
                let is_full = self.kinds.len() >= MAX_LOG_KINDS;
                let index = match self.by_place.get(&(category, place)) {
                    Some(&index) => index,
                    None if is_full => return None,
                    None => next,
                };
                if index == next {
                    self.by_place.insert((category, place), next);
                    self.kinds.push(Kind {
                        category,
                        place,
                        count: 0,
                        bytes: 0,
                        first: now,
                        last: now,
                        message: String::new(),
                    });
                }
                self.by_stack.insert((category, stack), index);
                index
            }
        };
        self.kinds.get_mut(index as usize)
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Logs {
        let kinds = self.kinds.into_iter().map(|kind| {
            let category = world.names().owned(kind.category);
            LogKind {
                level: level(&category),
                category,
                place: kind.place.map(|place| world.names().place(&place)),
                count: kind.count,
                bytes: kind.bytes,
                first_ns: world.since_begin(kind.first),
                last_ns: world.since_begin(kind.last),
                last: kind.message,
            }
        });
        let mut kinds: Vec<LogKind> = kinds.collect();
        kinds.sort_by(|a, b| {
            let by_name = || (&a.category, &a.place).cmp(&(&b.category, &b.place));
            b.count.cmp(&a.count).then_with(by_name)
        });
        Logs {
            kinds,
            left_out: self.left_out,
        }
    }
}

fn level(category: &str) -> Option<&'static str> {
    let (first, _) = category.split_once(' ')?;
    LEVELS.into_iter().find(|level| *level == first)
}
