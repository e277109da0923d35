//! Profiles: time in a state by stack, as `go tool trace -pprof` makes them.

mod heap;
mod pass;
mod pprof;

use serde::Serialize;

use crate::names::Place;

pub use heap::HeapAmounts;
pub(crate) use pass::ProfilePass;
pub use pprof::PprofError;

/// What a profile counts.
///
/// The first four are the profiles of `go tool trace -pprof`, by the rules of Go 1.27: a state counts if
/// the trace has both its begin and its end, and if it does not lie before the goroutine's first run.
///
/// Go has none of the others. They count all the time that the trace has of a state, also of one that had
/// begun before the trace and of one that is still open when it ends: an async task that waits from the
/// first event to the last is what one looks for in a program that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProfileKind {
    /// Waiting for the network, as was seen: Go's `net`. What a driver is only known to have woken may have
    /// waited for a timer or a signal, and is in `WaitByReason`.
    Network,
    /// Waiting for channels, locks and the like: Go's `sync`.
    Sync,
    /// In system calls: Go's `syscall`.
    Syscall,
    /// Ready to run, waiting for a worker: Go's `sched`. The stack is that of the waker.
    Scheduler,
    /// Waiting, whatever the reason.
    Wait,
    /// As `Wait`, by reason as well: each stack has the reason, in brackets, as its leaf.
    WaitByReason,
    /// Running; the stack is where the run ended.
    Run,
    /// Running; the stack is where the async task was spawned, with the async task's name as its leaf.
    RunBySpawn,
    /// CPU samples. They have no time: only `count` says something.
    Cpu,
    /// What is alive at the end of the part of the trace that counts, as samples of allocations estimate it. Stacks have
    /// [`heap`](ProfileSample::heap), and no time.
    Heap,
    /// As `Heap`, but by what was allocated in that part, freed since or not.
    Allocated,
}

impl ProfileKind {
    /// Whether Go's tool makes such profiles, whose rules then hold.
    fn is_of_go(self) -> bool {
        matches!(
            self,
            Self::Network | Self::Sync | Self::Syscall | Self::Scheduler
        )
    }

    /// Whether it is made of samples of allocations.
    pub fn is_of_heap(self) -> bool {
        matches!(self, Self::Heap | Self::Allocated)
    }
}

/// What profiles are limited to. The default is the whole trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileScope {
    /// Only async tasks of this name.
    pub group: Option<String>,
    /// Only while the async task worked for a user task of this name.
    pub user_task: Option<String>,
    /// Only while the async task was in a region of this name.
    pub region: Option<String>,
}

/// Time by stack.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    /// What it counts.
    pub kind: ProfileKind,
    /// By stack, the most time first.
    pub samples: Vec<ProfileSample>,
}

impl Profile {
    /// What the sample weighs in this profile: nanoseconds, or a count where samples have no time; of the heap, bytes.
    pub fn weight(&self, sample: &ProfileSample) -> u64 {
        let heap = sample.heap.unwrap_or_default();
        match self.kind {
            ProfileKind::Cpu => sample.count,
            ProfileKind::Heap => heap.inuse_bytes,
            ProfileKind::Allocated => heap.alloc_bytes,
            _ => sample.duration_ns,
        }
    }
}

/// What one stack took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileSample {
    /// The stack, leaf first; empty where the trace has none.
    pub stack: Vec<Place>,
    /// How many times.
    pub count: u64,
    /// For how long in all.
    pub duration_ns: u64,
    /// What was allocated there; only in profiles of the heap, where `count` is that of the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heap: Option<HeapAmounts>,
}
