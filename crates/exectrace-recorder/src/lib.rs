//! Records what the threads of a program do, and writes it as a Go execution trace.
//!
//! A thread that records reads the clock and stores a few words in a buffer of its own: no lock, no
//! allocation, no waiting. One background thread, the *flush thread*, merges the buffers by time,
//! runs the records through a model of the program, and gives the encoded events to every
//! *recording*: a file, or anything that is [`Write`](std::io::Write) and [`Send`].
//!
//! # Recording
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("trace.out");
//! let recording = exectrace_recorder::start(&path)?;
//! {
//!     let request = exectrace_recorder::Task::new("request");
//!     let _region = request.region("parse");
//!     request.log("size", "17 bytes");
//! }
//! let report = recording.stop()?;
//! assert_eq!(report.records_dropped, 0);
//! assert!(report.bytes > 0);
//! # Ok(())
//! # }
//! ```
//!
//! The file opens in `go tool trace`.
//!
//! # What it costs
//!
//! While nothing records, an annotation costs one load and a branch. While a recording runs, an
//! annotation is one read of the processor's time stamp counter and two to five stores. The first
//! record of a thread also allocates its buffer's description (some 200 bytes) and takes a chunk
//! from the pool.
//!
//! # Forks
//!
//! The recordings of a process are its own. In a child that it forks nothing is recorded to begin with:
//! [`Recording::stop`] returns [`SinkError::Forked`] there, dropping a [`Recording`] does nothing, and
//! the parent's files are not touched. The child can start recordings of its own, which have a flush
//! thread of their own. Async tasks that were alive in the parent are shown as alive in the child's
//! recordings too, as their memory is.
//!
//! No lock of this crate is held in a child by a thread that is not there. Those of other libraries may
//! be, such as `tracing`'s for call sites: a process with several threads forks at its own risk.
//!
//! # Signal handlers
//!
//! A handler may record logs, regions, and whatever a [`SpanSource`] takes, on a thread that has recorded
//! before in this process (a thread's first record allocates). What it interrupts stays whole:
//!
//! - If it interrupts a record, it is the handler's records that are lost. They are counted in
//!   [`Report::records_dropped`], and a log in the trace says how many there were. A record takes some
//!   ten nanoseconds, or as long as its fields take to be formatted.
//! - All other records of a handler are kept, as far as there is room in the buffers. None waits, takes a
//!   lock, or allocates.
//! - Spans and tasks that a handler begins must end in it: their numbers may be those of what it
//!   interrupted.
//!
//! [`note`], [`set_capability`], and starting or stopping recordings take locks or allocate, and are not
//! for handlers. Nor is the first use of a call site of `tracing`, which locks and allocates: a handler's
//! events there must have happened before. The flush thread blocks signals, so that process-wide ones are handled elsewhere.
//!
//! # CPU samples
//!
//! With the feature `cpu`, on Linux on x86-64 and AArch64, threads that have recorded are sampled while something
//! records: `Settings::cpu_samples_hz`. Nothing is sampled, and no signal comes, while nothing records.
//!
//! - A sample comes as a signal, with `SA_RESTART`. Calls that the system does not start again after a signal
//!   (`epoll_wait`, `poll`, `nanosleep` and others, see `signal(7)`) may return `EINTR`. The timers count processor time,
//!   so a call is interrupted only if the thread used some in it just before it fell asleep. Tokio and the standard
//!   library expect `EINTR`.
//! - Samples have stacks where code has frame pointers: [`has_frame_pointers`]. A stack that breaks off is kept as far
//!   as it goes, and counted in [`Report::cpu_samples_cut`]. Where the last function called has no frame pointer,
//!   as in most of libc, its caller is missing.
//! - The system looks at such timers at its ticks, mostly 250 a second. What a thread uses after its last tick is not
//!   sampled, so threads that use less than some milliseconds in all have too few samples.
//! - A thread that blocks the signal is not sampled. A debugger may need a command to pass the signal on.
//!
//! # Where things are
//!
//! The record path is `thread_buffer`, `clock`, `chunk`, `pool` and `fields`; [`Task`], [`SpanSource`] and
//! [`Runtime`] are its users. The flush thread is `flush`, with `merge`, `kinds` and `model` below it and
//! `recording` above.

#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(not(loom))]
mod annotation;
#[cfg(not(loom))]
mod budget;
#[cfg(not(loom))]
pub mod calls;
#[cfg(not(loom))]
mod capabilities;
mod chunk;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod control;
#[cfg(not(loom))]
#[cfg_attr(not(cpu_samples), path = "cpu/off.rs")]
mod cpu;
#[cfg(not(loom))]
mod decode;
#[cfg(not(loom))]
mod enabled;
#[cfg(not(loom))]
mod errno;
#[cfg(not(loom))]
mod exit;
#[cfg(not(loom))]
mod fields;
#[cfg(not(loom))]
mod file_lock;
#[cfg(not(loom))]
mod flush;
#[cfg(not(loom))]
mod group_file;
#[cfg(not(loom))]
#[cfg_attr(not(feature = "alloc"), path = "heap/none.rs")]
mod heap;
#[cfg(not(loom))]
mod heap_sums;
#[cfg(not(loom))]
mod input;
#[cfg(not(loom))]
mod kinds;
#[cfg(not(loom))]
mod live_tasks;
#[cfg(not(loom))]
mod merge;
#[cfg(not(loom))]
mod model;
#[cfg(not(loom))]
mod name;
#[cfg(not(loom))]
mod own_thread;
#[cfg(not(loom))]
mod park_counts;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod process;
#[cfg(not(loom))]
mod record;
#[cfg(not(loom))]
mod recording;
#[cfg(not(loom))]
mod report;
#[cfg(not(loom))]
mod reservation;
#[cfg(not(loom))]
mod resolve;
mod ring;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod samplers;
#[cfg(not(loom))]
mod serial;
#[cfg(not(loom))]
mod settings;
#[cfg(not(loom))]
mod sink;
#[cfg(not(loom))]
mod span_source;
#[cfg(not(loom))]
mod stacks;
#[cfg(not(loom))]
mod status;
#[cfg(not(loom))]
mod stream;
#[cfg(all(not(loom), target_os = "linux"))]
mod switches;
#[cfg(all(not(loom), not(target_os = "linux")))]
#[path = "switches/elsewhere.rs"]
mod switches;
mod sync;
#[cfg(all(not(loom), target_os = "linux"))]
mod system;
#[cfg(all(not(loom), not(target_os = "linux")))]
#[path = "system/elsewhere.rs"]
mod system;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod thread;
#[cfg(not(loom))]
mod thread_buffer;
#[cfg(not(loom))]
mod thread_reader;
#[cfg(not(loom))]
mod values;
#[cfg(not(loom))]
mod waker;

#[cfg(loom)]
#[doc(hidden)]
pub use chunk::{Chunk, ReadPosition};
#[cfg(loom)]
#[doc(hidden)]
pub use ring::Ring;
#[cfg(loom)]
#[path = "heap/place.rs"]
mod place;
#[cfg(loom)]
#[doc(hidden)]
pub use place::{About, FREE, Place};
#[cfg(loom)]
#[path = "live_tasks/slot.rs"]
mod slot;
#[cfg(loom)]
#[doc(hidden)]
pub use slot::TaskSlot;

#[cfg(not(loom))]
pub use annotation::{Region, Task, log, log_args, region};
#[cfg(not(loom))]
pub use budget::Source;
#[cfg(not(loom))]
pub use capabilities::{has_span_sources, set_capability, set_capability_by, symbols_contain};
#[cfg(all(feature = "__bench", not(loom)))]
pub use clock::ticks;
#[cfg(not(loom))]
pub use control::note;
#[cfg(not(loom))]
pub use enabled::{epoch, is_enabled, on_enabled_change};
#[cfg(not(loom))]
pub use exit::on_exit;
#[cfg(not(loom))]
pub use fields::{Fields, MAX_TEXT_BYTES};
#[cfg(all(feature = "alloc", not(loom)))]
pub use heap::Allocator;
#[cfg(not(loom))]
pub use live_tasks::{keep_live_tasks, keeps_live_tasks};
#[cfg(not(loom))]
pub use name::name;
#[cfg(not(loom))]
#[doc(hidden)]
pub use recording::utc;
#[cfg(not(loom))]
pub use recording::{Contents, Recording, RecordingOptions, Rotation, Sealed, start};
#[cfg(not(loom))]
pub use report::{Report, SinkError, StartError, StopError};
#[cfg(not(loom))]
pub use runtime::{AsyncTaskId, AsyncTaskKind, Runtime, StackHash, Worker};
#[cfg(not(loom))]
pub use samplers::{Sampler, add_sampler};
#[cfg(not(loom))]
pub use settings::{Settings, SettingsError, SettingsInForce};
#[cfg(not(loom))]
pub use span_source::{Callsite, CallsiteKind, Parent, SpanSource, TaskRule, TooManySpanSources};
#[cfg(not(loom))]
pub use stacks::has_frame_pointers;
#[cfg(not(loom))]
pub use status::{
    Destination, Dropped, Memory, NothingCause, NothingRecorded, RecordCounts, RecordingStatus,
    Status, explain_nothing_by, status,
};
#[cfg(not(loom))]
pub use stream::Stream;
#[cfg(not(loom))]
#[doc(hidden)]
pub use thread::prepare_thread;
#[cfg(not(loom))]
pub use waker::{PollState, observe_poll};
