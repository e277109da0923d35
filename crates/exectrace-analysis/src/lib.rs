//! What an execution trace means: async tasks, user tasks, regions, profiles, latencies.
//!
//! [`Analysis::read`] replays a trace once and computes what [`Options`] ask for, in memory that
//! does not grow with the length of the trace. It works on our traces and on those of Go programs;
//! where Go's own tool computes the same, the numbers are the same.
//!
//! | result | what it has |
//! |---|---|
//! | [`Overview`] | size, length, counts, what was lost |
//! | [`Tasks`] | async tasks by name: states, longest polls, wake-to-run delays |
//! | [`Latencies`] | how the lengths of states are distributed |
//! | [`Workers`] | how busy workers and threads were |
//! | [`UserTasks`], [`CriticalPath`] | latency of operations; the tree of one; what one waited for |
//! | [`Regions`] | intervals by name and place |
//! | [`Profile`] | time by stack, as pprof |
//! | [`Finding`] | what is wrong: [`Analysis::findings`] |
//! | [`Syscalls`], [`Gc`], [`Counter`] | what their names say |
//! | [`Comparison`] | what got slower from one trace to another |
//! | [`Source`] | whether a trace has calls, the heap, samples, the kernel |
//! | [`Footprint`] | what the bytes of a file are spent on |
//!
//! All serialise; with the feature `schema` they have JSON Schemas as well.
//!
//! A [`Filter`] limits them to some async tasks and spans of their time.

#![forbid(unsafe_code)]

mod allocated;
mod analysis;
mod breakdown;
mod compare;
mod counters;
mod critical_path;
pub mod display;
mod findings;
mod footprint;
mod gc;
mod histogram;
mod kernel_wait;
mod latency;
mod logs;
mod names;
mod options;
mod overview;
mod passes;
mod profile;
mod regions;
mod sight;
mod sources;
mod sums;
mod syscalls;
mod tasks;
mod time;
mod top;
mod user_tasks;
mod vocabulary;
mod workers;

pub use exectrace_replay::{Expression, Filter, FilterError, Window};

pub use allocated::Allocated;
pub use analysis::Analysis;
pub use breakdown::{Breakdown, ReasonTime};
pub use compare::{
    Change, CompareOptions, Comparison, Difference, NotCompared, Only, Sort, Verdict,
};
pub use counters::{Counter, MAX_POINTS};
pub use critical_path::{CriticalPath, MAX_PIECES, PathStep, PathTotal};
pub use findings::{Exemplar, Finding, Severity};
pub use footprint::{Footprint, KindAmount};
pub use gc::{Gc, Pause, Utilization};
pub use histogram::{EXACT_VALUES, Histogram};
pub use kernel_wait::KernelWait;
pub use latency::{GroupLatency, Latencies, StateLatency};
pub use logs::{LogKind, Logs, MAX_LOG_KINDS};
pub use names::Place;
pub use options::Options;
pub use overview::{Damage, EventCounts, InferredCount, Lost, LostByThread, Overview};
pub use profile::{HeapAmounts, PprofError, Profile, ProfileKind, ProfileSample, ProfileScope};
pub use regions::{RegionInstance, RegionKind, Regions};
pub use sight::{Aspect, Blind, FlowKind, Sight};
pub use sources::{Source, Sources};
pub use syscalls::{
    Calls, FailedCalls, OTHER_CALLS, PlaceCalls, Syscall, SyscallInstance, Syscalls, TaskCalls,
};
pub use tasks::{Run, TaskGroup, TaskInstance, Tasks};
pub use time::{OffProcessor, ThreadTime, WorkerSecond, WorkerSeconds};
pub use user_tasks::{
    FoundUserTasks, LogEntry, MAX_FOUND, MAX_TREE_PARTS, TraceIdQuery, TraceIdQueryError,
    UserTaskInstance, UserTaskKind, UserTaskPart, UserTaskTree, UserTasks,
};
pub use vocabulary::Vocabulary;
pub use workers::{DriverWaits, IdleWhileRunnable, Pool, Thread, Worker, Workers};
