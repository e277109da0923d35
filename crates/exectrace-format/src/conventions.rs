//! Texts that a recorder of Rust programs writes and its readers recognise, beyond what the format says.
//!
//! The format has no field for "this wake was not seen", so the recorder puts such a fact into a text: the
//! function of a stack frame, the reason of a wait, a name. Any reader that wants the fact compares with the
//! constant of this module, and any recorder that wants to be understood writes it. In a trace that Go wrote
//! only those of Go's own reasons mean anything.
//!
//! # Reasons of waits
//!
//! The reason of a wait is one text, so the text itself says how the reason is known: those in
//! [`WaitSource`] were concluded or are unknown, and every other reason was seen, on the stack of the wait
//! or by a runtime that reports its reasons, as Go's does.
//!
//! Go's tools put a wait into the synchronisation profile if its reason contains `chan`, `sync` or
//! `select`, and into the network profile if the reason is `network`. What the driver woke may have been a
//! timer or a signal, so it is in neither.

mod counters;
mod trace_id;

use crate::ids::TaskId;

pub use counters::*;
pub use trace_id::{TRACE_ID_CATEGORY, TraceId};

/// Function of the only frame of a stack: the region that ends here is only a part of a span.
///
/// The end of every other region has no stack: such a region is a whole span, or was opened by the
/// annotation API. So a reader that counts regions leaves out the ends with this frame, and counts
/// [`SpanRecord`](crate::SpanRecord)s instead.
pub const PART_OF_SPAN: &str = "(part of a span)";
/// Function of the root frame of a stack: the user task that begins here only carries a concurrent span.
///
/// Regions of one goroutine must nest and concurrent spans of one async task do not, so all but the
/// first are written as user tasks, which may overlap. Such a user task is no request of its own.
pub const CONCURRENT_SPAN: &str = "(concurrent span)";
/// Function of the leaf frame of a wake: the wake was not seen, but concluded from the run that follows.
pub const WAKE_NOT_SEEN: &str = "(wake not seen)";
/// Function of the leaf frame of a wake: the poll that ends next was under way when the recording began. So the
/// task did not wait until this wake.
pub const POLLED_BEFORE: &str = "(polled since before the recording)";
/// Function of the leaf frame of a wake: the async task was aborted or dropped. It is woken and run only because
/// the format lets nothing end that does not run.
pub const ENDED_WITHOUT_RUNNING: &str = "(ended without running)";
/// Function of the frame that names an async task whose spawn was not seen.
pub const TASK_FROM_BEFORE: &str = "(task from before)";
/// Function of the frame that names a closure of a runtime's blocking pool of which nothing was seen but its calls:
/// one of `tokio::fs`, say. It begins with the first of them.
pub const BLOCKING_CLOSURE: &str = "(blocking closure)";
/// Name of a span that was made before the recording, or whose making was lost.
pub const UNKNOWN_SPAN: &str = "(unknown span)";

/// File of the root frame that names a thread's own code, in place of a source file: the goroutine is no
/// async task, but what its thread runs outside all of them.
pub const THREAD_FILE: &str = "thread";
/// File of a frame whose source file is not known.
pub const UNKNOWN_FILE: &str = "unknown";

/// The tracer itself: the name of its thread, of the proc of that thread, which is the first of this name, and
/// of [`TRACER_TASK`].
pub const TRACER_NAME: &str = "exectrace";
/// The user task that the tracer's own messages belong to.
pub const TRACER_TASK: TaskId = TaskId(1);
/// The user task of what belongs to no user task; [`TaskId::BACKGROUND`] shows in Go's tools as a task
/// without a name that never ends.
pub const BACKGROUND_TASK: TaskId = TaskId(2);
/// The name of [`BACKGROUND_TASK`].
pub const BACKGROUND_NAME: &str = "background";
/// The name of a proc that threads of any name share.
pub const OTHER_THREADS: &str = "other threads";

/// Reason of a wait: the driver of the runtime woke the task. A socket or pipe became ready, a timer ended, or a
/// signal or the end of a child process came. Concluded.
pub const WOKEN_BY_DRIVER: &str = "network, timer or signal";
/// Reason of a wait: the driver of the runtime woke the task after a wait that no source had ended, so its timer was
/// over. Concluded.
pub const WOKEN_BY_TIMER: &str = "sleep (woken by timer)";
/// Reason of a wait: the driver of the runtime woke the task when a source was ready, and no timer was over: a
/// socket or pipe became ready, or a signal or the end of a child process came. Concluded.
pub const WOKEN_BY_SOURCE: &str = "network or signal";
/// Reason of a wait: another async task woke it in its poll: a channel, a lock, a join. Concluded.
pub const WOKEN_BY_TASK: &str = "sync (woken by task)";
/// Reason of a wait: a thread that polls no async tasks woke it. Concluded.
pub const WOKEN_BY_THREAD: &str = "sync (woken by thread)";
/// Reason of a wait: a closure on the blocking pool woke it. Concluded.
pub const WOKEN_BY_BLOCKING: &str = "sync (woken by blocking call)";
/// Reason of a wait: not known, as neither the stack of the wait nor the wake was seen.
pub const UNKNOWN_WAIT: &str = "unknown";
/// Reason of a wait of a thread's own code: the thread polls async tasks, or sleeps until there are some to poll.
pub const POLLING_TASKS: &str = "polling tasks";
/// Reason of a wait: the async task polls another one inside its own poll.
pub const POLLING_INNER_TASK: &str = "polling an inner task";
/// Reason of a stop: when the goroutine stopped running was not seen, as the record of it was lost.
pub const END_NOT_SEEN: &str = "end not seen";
/// Reason of a stop: the worker of the task went on on another thread.
pub const WORKER_MOVED: &str = "worker moved";
/// Reason of a stop, and name of a region: the async task blocks its thread with `block_in_place`.
pub const BLOCK_IN_PLACE: &str = "block_in_place";
/// Reason of a stop: the task was woken while it was polled.
pub const WOKEN_DURING_POLL: &str = "woken during poll";
/// Reason of a stop: the task lets others run.
pub const YIELD: &str = "yield";

/// Reason of a wait: the tracer's own thread has nothing to write.
pub const TRACER_WAIT: &str = "tracer";

/// Reason of a wait, also of Go's: for a value or a message from another task.
pub const CHANNEL_RECEIVE: &str = "chan receive";
/// Reason of a wait, also of Go's: for room for a message.
pub const CHANNEL_SEND: &str = "chan send";
/// Reason of a wait, also of Go's: for any of several things.
pub const SELECT: &str = "select";
/// Reason of a wait, also of Go's: for a lock, a permit, a notification.
pub const SYNC: &str = "sync";
/// Reason of a wait, also of Go's: for a timer.
pub const SLEEP: &str = "sleep";
/// Reason of a wait, also of Go's: for a socket, or for what else the kernel reports as ready.
pub const NETWORK: &str = "network";

/// The calls of the C library in which whoever makes them waits for an instant or for another thread: the functions
/// of the leaf frames of such waits, with [`UNKNOWN_FILE`]. Their reasons are [`SLEEP`] and [`SYNC`]. The go stays on
/// its thread meanwhile.
pub const WAITING_CALLS: [&str; 8] = [
    "nanosleep",
    "clock_nanosleep",
    "usleep",
    "sleep",
    "futex",
    "pthread_join",
    "sem_wait",
    "pthread_cond_wait",
];

/// Go's reason for the wait of a goroutine that never runs again: what is open in it is over.
pub const FOREVER: &str = "forever";
/// Go's reason for a stop: the goroutine ran for its share of time.
pub const PREEMPTED: &str = "preempted";
/// Go's reason for the wait of a goroutine of its runtime.
pub const SYSTEM_GOROUTINE_WAIT: &str = "system goroutine wait";

/// Category of a log of the tracer's own: how many records were lost.
pub const LOST_CATEGORY: &str = "lost";
/// Category of a log: the span follows from another one, whose name is the message.
pub const FOLLOWS_FROM_CATEGORY: &str = "follows_from";

/// Key in [`Capabilities`](crate::SideRecord::Capabilities): how async tasks get into the trace.
pub const TOKIO_TASKS: &str = "tokio.tasks";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): which wakes of async tasks are seen.
pub const TOKIO_WAKES: &str = "tokio.wakes";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the stacks of waits are seen.
pub const TOKIO_STACKS: &str = "tokio.stacks";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): which runtimes are observed.
pub const TOKIO_RUNTIMES: &str = "tokio.runtimes";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the time that threads spend on a processor is
/// sampled.
pub const THREADS_CPU: &str = "threads.cpu";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether calls of the C library are recorded. As with the
/// next ones, the value begins with `yes`, or is `no: ` with the reason and what to do.
pub const SYSCALLS: &str = "syscalls";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): system calls that are made in other ways, and what of
/// them is in the program.
pub const SYSCALLS_NOT_SEEN: &str = "syscalls.not_seen";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether allocations are counted.
pub const HEAP: &str = "heap";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether samples of allocations are taken.
pub const HEAP_SAMPLES: &str = "heap.samples";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether samples of what runs on the processors are taken.
/// Also the source in [`Thinned`](crate::SideRecord::Thinned).
pub const CPU: &str = "cpu";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the kernel is asked what it does with the
/// threads. Keys of parts of it begin with this and a dot.
pub const KERNEL: &str = "kernel";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether switches and page faults of threads are sampled.
pub const KERNEL_USAGE: &str = "kernel.usage";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the kernel reports when threads leave their
/// processor.
pub const KERNEL_SWITCHES: &str = "kernel.switches";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the process and its container are sampled.
/// Keys of parts of it begin with this and a dot.
pub const PROCESS: &str = "process";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the limits of the process's cgroup are sampled.
pub const PROCESS_CGROUP: &str = "process.cgroup";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether pressure is sampled.
pub const PROCESS_PRESSURE: &str = "process.pressure";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): whether the queues of listening sockets are sampled.
pub const PROCESS_SOCKETS: &str = "process.sockets";
/// Key in [`Capabilities`](crate::SideRecord::Capabilities): what was recorded, or why nothing was. The value begins
/// with `nothing: ` and the likely mistake, with `idle: ` where there is none, with `yes` once something came after all,
/// or with `until ` and why the recording ended early.
pub const RECORDED: &str = "recorded";

/// How it is known why an async task waited.
///
/// ```
/// use exectrace_format::conventions::{UNKNOWN_WAIT, WOKEN_BY_TASK, WaitSource};
///
/// assert_eq!(WaitSource::of("chan receive"), WaitSource::Seen);
/// assert_eq!(WaitSource::of(WOKEN_BY_TASK), WaitSource::Concluded);
/// assert_eq!(WaitSource::of(UNKNOWN_WAIT), WaitSource::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitSource {
    /// The stack of the wait names it, or the runtime reports it.
    Seen,
    /// It follows from who woke the task.
    Concluded,
    /// It is not known.
    Unknown,
}

impl WaitSource {
    /// How the reason of a wait is known. Costs some comparisons of texts.
    #[must_use]
    pub fn of(reason: &str) -> Self {
        match reason {
            WOKEN_BY_DRIVER | WOKEN_BY_TIMER | WOKEN_BY_SOURCE | WOKEN_BY_TASK
            | WOKEN_BY_THREAD | WOKEN_BY_BLOCKING => Self::Concluded,
            UNKNOWN_WAIT => Self::Unknown,
            _ => Self::Seen,
        }
    }
}
