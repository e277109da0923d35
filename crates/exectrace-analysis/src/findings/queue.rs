//! Tasks stand in line at one place for most of the time: for room in a channel whose other end takes what
//! they send one by one, for a permit, or for a lock.
//!
//! A trace does not have a channel's size, nor which one it is: only where the program waited. Tokio makes
//! channels, locks and permits of one thing, and where the compiler has put the functions of a channel into
//! the program's, a wait shows that alone.

use exectrace_format::GoId;
use exectrace_format::conventions::{CHANNEL_SEND, SYNC};
use exectrace_replay::{Location, Names, Stack, Text};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::time::World;
use crate::top::Top;

use super::machine::Machine;
use super::watch::Wake;
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown, sum};

/// So many waits at a place are reported ...
const MIN_WAITS: u64 = 100;
/// ... if they are of so many tasks ...
const MIN_TASKS: usize = 2;
/// ... and take this share of the trace, all tasks together: a half.
const SHARE: u64 = 2;
/// At most so many tasks are counted at a place.
const MAX_TASKS: usize = 1_024;

#[derive(Debug)]
pub(super) struct QueueWatch {
    /// The reason to wait for room, in Go and in ours, and that of locks and permits.
    send: Text,
    sync: Text,
    places: FxHashMap<Stack, Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    is_send: bool,
    count: u64,
    total: u64,
    tasks: FxHashSet<GoId>,
    /// Of the longest: how long, when it began, whose it was.
    longest: (u64, i64, u64),
    name: Text,
    root: Option<Location>,
}

impl QueueWatch {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            send: names.intern(CHANNEL_SEND),
            sync: names.intern(SYNC),
            places: FxHashMap::default(),
        }
    }

    #[inline]
    pub(super) fn woken(&mut self, wake: &Wake<'_>) {
        // Without a stack there is no telling where it is.
        let is_wanted = [self.send, self.sync].contains(&wake.wait.reason);
        if is_wanted && wake.wait.stack != Stack::NONE {
            self.is_let_in(wake);
        }
    }

    fn is_let_in(&mut self, wake: &Wake<'_>) {
        let waits = self.places.entry(wake.wait.stack).or_default();
        let waited = wake.wait.inside;
        waits.is_send = wake.wait.reason == self.send;
        waits.count += 1;
        waits.total = waits.total.saturating_add(waited);
        (waits.name, waits.root) = (wake.flow.name, wake.flow.root);
        if waits.tasks.len() < MAX_TASKS {
            waits.tasks.insert(wake.flow.id);
        }
        if waited > waits.longest.0 {
            waits.longest = (waited, wake.wait.begin, wake.flow.id.0);
        }
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let length = world.clip.between(world.begin, world.now);
        let mut full = Top::new(MAX_EXEMPLARS);
        let mut count = 0;
        for (stack, waits) in &self.places {
            let is_full = (waits.is_send || is_in_line(world, *stack))
                && waits.count >= MIN_WAITS
                && waits.tasks.len() >= MIN_TASKS
                && waits.total >= length / SHARE;
            if is_full {
                count += 1;
                full.push(waits.total, (*stack, waits));
            }
        }
        let exemplar = |(stack, waits): &(Stack, &Waits)| {
            let (longest, begin, task) = waits.longest;
            let (place, spawned_at) = world.place_in_task(*stack, waits.root);
            let and_more = if waits.tasks.len() < MAX_TASKS {
                ""
            } else {
                " or more"
            };
            Exemplar {
                what: format!(
                    "{} tasks{and_more} such as {} waited for {} {} times, for {} in all and {} at most",
                    waits.tasks.len(),
                    world.names().get(waits.name),
                    match waits.is_send {
                        true => "room in a channel",
                        false => "a lock, a permit or room in a channel",
                    },
                    waits.count,
                    shown(waits.total),
                    shown(longest)
                ),
                begin_ns: Some(world.since_begin(begin)),
                duration_ns: Some(longest),
                async_task: Some(task),
                place,
                spawned_at,
                ..Exemplar::default()
            }
        };
        let exemplars: Vec<Exemplar> = full.iter().map(exemplar).collect();
        let worst = &exemplars.first()?.what;
        let machine = Machine::of_world(world);
        Some(Finding {
            id: "queue",
            severity: Severity::Info,
            message: format!(
                "tasks stood in line at {}{}: {worst}",
                plural(count, "place"),
                machine.doubt()
            ),
            count,
            total_ns: sum(full.iter().map(|(_, waits)| waits.total)),
            exemplars,
            rule: "100 waits or more of two tasks or more, at one place, for room in a channel, a lock \
                   or a permit, which take \
                   half of the length of the trace or more, all together.",
            help: "What they wait for limits them: let who takes the messages, or holds the lock, do less each time, \
                   have more of it, or \
                   give the channel more room if what is sent comes in bursts.",
            basis: machine.basis(),
        })
    }
}

/// Whether the wait is for what Tokio makes its locks, permits and bounded channels of.
fn is_in_line(world: &World<'_>, stack: Stack) -> bool {
    let mut frames = world.names().locations(stack);
    frames.any(|frame| {
        let function = world.names().get(frame.function);
        function.starts_with("tokio::sync::")
            && (function.contains("::Acquire") || function.contains("batch_semaphore"))
    })
}
