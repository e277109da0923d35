//! Stacks and their weights, for flame graphs: `folded` as lines, `speedscope` as JSON.
//!
//! Both sum up first, and write when the trace has ended. Memory: the distinct stacks.

mod folded;
mod speedscope;

use std::io::Read;

use exectrace_format::{GoId, Reader};
use rustc_hash::FxHashMap;

use crate::error::{ExportError, Exported};
use crate::options::Weight;
use crate::story::{Fact, Scene, Sink, Stack, State, Stretch, Task, Text, tell};

pub use folded::folded;
pub use speedscope::speedscope;

/// What one weight is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    stack: Stack,
    /// Stands above the leaf: the task that ran, or the reason of a wait.
    label: Text,
}

/// The weights of a trace, and its names.
#[derive(Debug)]
struct Weights {
    weight: Weight,
    /// Nanoseconds, or samples.
    sums: FxHashMap<Key, u64>,
    /// Nanoseconds that the tasks alive have run: what they are called may be told later.
    runs: FxHashMap<GoId, u64>,
    /// The same by name, outermost frame first, in alphabetical order.
    named: Vec<(Vec<Place>, u64)>,
}

/// A frame of a flame graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    name: String,
    /// Empty for labels.
    file: String,
    line: u64,
}

impl Weights {
    fn of<R: Read>(reader: Reader<R>, weight: Weight) -> Result<(Self, Exported), ExportError> {
        let mut weights = Self {
            weight,
            sums: FxHashMap::default(),
            runs: FxHashMap::default(),
            named: Vec::new(),
        };
        let exported = tell(reader, &mut weights)?;
        weights.named.sort_unstable();
        Ok((weights, exported))
    }

    fn add(&mut self, stack: Stack, label: Text, amount: u64) {
        let sum = self.sums.entry(Key { stack, label }).or_default();
        *sum = sum.saturating_add(amount);
    }

    fn add_stretch(&mut self, task: &Task, stretch: Stretch, length_ns: u64) {
        match (self.weight, stretch.state) {
            (Weight::Run, State::Running) => {
                let sum = self.runs.entry(task.id).or_default();
                *sum = sum.saturating_add(length_ns);
            }
            (Weight::Wait, State::Waiting) => self.add(stretch.stack, stretch.reason, length_ns),
            (Weight::SchedulerDelay, State::Runnable)
                if !stretch.ready.is_some_and(|ready| ready.is_seen) => {}
            (Weight::SchedulerDelay, State::Runnable) | (Weight::Syscall, State::Syscall) => {
                self.add(stretch.stack, Text::EMPTY, length_ns);
            }
            _ => {}
        }
    }

    /// Sums up the runs of a task, whose name is known now or will never be.
    fn add_runs(&mut self, task: &Task) {
        if let Some(sum) = self.runs.remove(&task.id) {
            self.add(task.spawned_at, task.name, sum);
        }
    }

    /// Names what has been summed up, as long as the names are at hand.
    fn name(&mut self, scene: &Scene) {
        let book = &scene.book;
        for (key, sum) in self.sums.drain() {
            let mut places: Vec<Place> = book
                .frames(key.stack)
                .rev()
                .map(|frame| Place {
                    name: book.text(frame.function).to_owned(),
                    file: book.text(frame.file).to_owned(),
                    line: frame.line,
                })
                .collect();
            let label = book.text(key.label);
            let label = match self.weight {
                Weight::Wait if !label.is_empty() => format!("[{label}]"),
                _ => label.to_owned(),
            };
            if !label.is_empty() {
                places.push(Place {
                    name: label,
                    file: String::new(),
                    line: 0,
                });
            }
            if places.is_empty() {
                let name = "(no stack)".to_owned();
                places.push(Place {
                    name,
                    file: String::new(),
                    line: 0,
                });
            }
            self.named.push((places, sum));
        }
    }
}

impl Sink for Weights {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        match fact {
            Fact::Left { task, stretch, .. } => {
                self.add_stretch(task, stretch, time.abs_diff(stretch.begin));
            }
            Fact::Sample { stack, .. } if self.weight == Weight::Samples => {
                self.add(stack, Text::EMPTY, 1);
            }
            Fact::TaskGone(task) => self.add_runs(task),
            Fact::TheEnd => {
                for task in scene.tasks.values() {
                    self.add_runs(task);
                }
                self.name(scene);
            }
            _ => {}
        }
        Ok(())
    }
}
