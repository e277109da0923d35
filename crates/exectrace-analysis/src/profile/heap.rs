//! What samples of allocations add up to, by stack: what was allocated, and what is alive at the end.
//!
//! Samples stand at the begin of their generation and are distinguished by their times, so whoever a sample belongs to may
//! come later in the trace. What is limited to user tasks is therefore sorted out at the end.

use exectrace_format::SideRecord;
use exectrace_replay::{Clip, HeapSample, Names, Stack, Text};
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::time::World;

/// Most allocations that are followed at a time. A recorder follows fewer; what is beyond counts as freed at once.
const MAX_ALIVE: usize = 1 << 20;

/// Estimates of what was allocated at a stack, each from samples. See
/// [`SideRecord::HeapSample`] for how much a sample stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeapAmounts {
    /// Samples that were taken in the part of the trace that counts.
    pub samples: u64,
    /// Allocations that those stand for.
    pub alloc_objects: u64,
    /// Bytes in them.
    pub alloc_bytes: u64,
    /// Samples that are alive at the end of that part, also of allocations before it.
    pub inuse_samples: u64,
    /// Allocations that those stand for.
    pub inuse_objects: u64,
    /// Bytes in them.
    pub inuse_bytes: u64,
}

impl HeapAmounts {
    /// Adds what is known of the same stack.
    pub(super) fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.samples, other.samples),
            (&mut self.alloc_objects, other.alloc_objects),
            (&mut self.alloc_bytes, other.alloc_bytes),
            (&mut self.inuse_samples, other.inuse_samples),
            (&mut self.inuse_objects, other.inuse_objects),
            (&mut self.inuse_bytes, other.inuse_bytes),
        ];
        for (sum, value) in sums {
            *sum = sum.saturating_add(value);
        }
    }
}

/// Samples, the objects and the bytes that they stand for.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    samples: u64,
    objects: f64,
    bytes: f64,
}

impl Amount {
    fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

/// Who allocated: the stack, and the user task where that matters.
type Owner = (Stack, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HeapPass {
    allocated: FxHashMap<Owner, Amount>,
    /// By the numbers of the samples.
    alive: FxHashMap<u64, (Owner, Amount)>,
    /// Whether user tasks are distinguished.
    by_user_task: bool,
}

impl HeapPass {
    pub(super) fn new(by_user_task: bool) -> Self {
        Self {
            by_user_task,
            ..Self::default()
        }
    }

    /// An allocation that was sampled; only of async tasks of this name, if there is one.
    pub(super) fn sample(
        &mut self,
        world: &World<'_>,
        group: Option<Text>,
        sample: &HeapSample<'_>,
    ) {
        let clip = world.clip;
        if sample.time > clip.end || !is_of(world.names(), group, sample.stack) {
            return;
        }
        let user_task = match self.by_user_task {
            true => sample.user_task.0,
            false => 0,
        };
        let owner = (sample.stack, user_task);
        let weight = sample.weight();
        let amount = Amount {
            samples: 1,
            objects: weight,
            bytes: weight * sample.size_bytes as f64,
        };
        if !sample.is_from_before && sample.time >= clip.begin {
            self.allocated.entry(owner).or_default().add(&amount);
        }
        if self.alive.len() < MAX_ALIVE {
            self.alive.insert(sample.number, (owner, amount));
        }
    }

    pub(super) fn side_record(&mut self, clip: Clip, record: &SideRecord) {
        if let SideRecord::HeapFree { time_ns, sample } = *record
            && i64::try_from(time_ns).unwrap_or(i64::MAX) <= clip.end
        {
            self.alive.remove(&sample);
        }
    }

    /// By stack, for the user tasks that are wanted.
    pub(super) fn finish(self, is_wanted: impl Fn(u64) -> bool) -> Vec<(Stack, HeapAmounts)> {
        let mut sums = FxHashMap::<Owner, [Amount; 2]>::default();
        for (owner, amount) in self.allocated {
            sums.entry(owner).or_default()[0] = amount;
        }
        for (owner, amount) in self.alive.into_values() {
            sums.entry(owner).or_default()[1].add(&amount);
        }
        let mut stacks = FxHashMap::<Stack, HeapAmounts>::default();
        for ((stack, user_task), [allocated, alive]) in sums {
            if self.by_user_task && !is_wanted(user_task) {
                continue;
            }
            stacks.entry(stack).or_default().add(&HeapAmounts {
                samples: allocated.samples,
                alloc_objects: rounded(allocated.objects),
                alloc_bytes: rounded(allocated.bytes),
                inuse_samples: alive.samples,
                inuse_objects: rounded(alive.objects),
                inuse_bytes: rounded(alive.bytes),
            });
        }
        stacks.into_iter().collect()
    }
}

/// Whether the stack's root, which names the task, has this name.
fn is_of(names: &Names, group: Option<Text>, stack: Stack) -> bool {
    group.is_none_or(|group| names.root(stack).is_some_and(|root| root.function == group))
}

/// The next whole number. Ends at the greatest.
fn rounded(value: f64) -> u64 {
    value.round() as u64
}
