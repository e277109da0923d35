//! What an async runtime's scheduler does: spawns, polls, wakes, parks.
//!
//! The functions here write one record each, if something records. They say what was observed,
//! in any order and with gaps; the model makes a legal schedule of it.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::enabled::call_listeners;
use crate::is_enabled;
use crate::kinds::Kind;
use crate::live_tasks::{self, LiveTask};
use crate::park_counts;
use crate::record::{MAX_SOURCES, number_and_length};
use crate::serial::serial;
use crate::table::Table;
use crate::thread_buffer::record;

/// An async task: a number that is to be unique among all async tasks of the process, ever.
///
/// Where two tasks have one number, what is recorded of one is shown as the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AsyncTaskId(u64);

/// Set in numbers that we gave out ourselves.
const OWN: u64 = 1 << 63;

impl AsyncTaskId {
    /// The task that its runtime knows under this number, which it never uses again.
    #[must_use]
    pub const fn of_runtime(number: u64) -> Self {
        Self(number & !OWN)
    }

    /// A new number, for a task whose runtime's own number is not known.
    #[must_use]
    pub fn unique() -> Self {
        Self(serial() | OWN)
    }

    /// Whether the task was reported as [spawned](Runtime::spawned) and not as [ended](Runtime::ended); true
    /// of every task while live tasks [are not kept](crate::keep_live_tasks).
    #[must_use]
    pub fn is_live(self) -> bool {
        live_tasks::has(self)
    }

    /// The task of a number that [`get`](Self::get) returned.
    pub(crate) const fn of_number(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What an async task is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum AsyncTaskKind {
    /// A spawned future.
    Future = 0,
    /// A closure for the blocking pool. Its one "poll" is its run.
    Blocking = 1,
    /// The root future of a `block_on`.
    Root = 2,
}

impl AsyncTaskKind {
    pub(crate) fn of_number(number: u64) -> Self {
        match number {
            1 => Self::Blocking,
            2 => Self::Root,
            _ => Self::Future,
        }
    }
}

/// A worker of a runtime, by its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker(pub u32);

static RUNTIMES: Table<Vec<Arc<str>>> = Table::new();

/// Whether there is anything in [`RUNTIMES`].
static IS_ANY_REGISTERED: AtomicBool = AtomicBool::new(false);

/// An async runtime of the process.
///
/// Cheap to copy. Numbers are never given back: past 1,023 runtimes, further ones share the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    number: u16,
}

/// The name of the runtime with this number.
pub(crate) fn runtime_name(number: u16) -> String {
    let index = usize::from(number).wrapping_sub(1);
    let names = RUNTIMES.read();
    names
        .get(index)
        .map(|name| name.to_string())
        .unwrap_or_default()
}

impl Runtime {
    /// Whether any runtime of the process was registered.
    #[must_use]
    pub fn is_any_registered() -> bool {
        // Relaxed: it guards no memory. A call site's filter may ask at each event: no lock.
        IS_ANY_REGISTERED.load(Ordering::Relaxed)
    }

    /// Registers a runtime under a name, which shows in the names of its workers' lanes.
    #[must_use]
    pub fn register(name: impl Into<String>) -> Self {
        let name = Arc::from(name.into());
        let number = RUNTIMES.change(|names| {
            if names.len() < MAX_SOURCES - 1 {
                names.push(Arc::clone(&name));
            }
            names.len() as u16
        });
        IS_ANY_REGISTERED.store(true, Ordering::Relaxed);
        if number == 1 && is_enabled() {
            // What was of no use before may be wanted now.
            call_listeners();
        }
        Self { number }
    }

    pub(crate) const fn of_number(number: u16) -> Self {
        Self { number }
    }

    pub(crate) const fn number(self) -> u16 {
        self.number
    }

    /// The calling thread has spawned a task at `place`, in what it runs at the moment.
    ///
    /// `name` is what the program called the task, if it did. The task is a live task from now on: one
    /// that recordings show which start before it [ends](Self::ended). So this is to be called also while
    /// nothing records, where it costs some ten nanoseconds.
    #[inline]
    pub fn spawned(
        self,
        task: AsyncTaskId,
        kind: AsyncTaskKind,
        place: &'static Location<'static>,
        name: Option<&'static str>,
    ) {
        if is_enabled() {
            let name = name.unwrap_or("");
            let operands = [
                task.0,
                std::ptr::from_ref(place).expose_provenance() as u64,
                name.as_ptr().expose_provenance() as u64,
                number_and_length(kind as u64, name.len()),
            ];
            record(Kind::AsyncSpawn, self.number, operands);
        }
        // After the record: whoever finds the task here records its end, which then is the later record.
        let is_over = live_tasks::insert(&LiveTask {
            runtime: self,
            task,
            kind,
            place,
            name,
        });
        if is_over {
            self.about(Kind::AsyncEnd, task.0);
        }
    }

    /// The calling thread begins to poll the task.
    #[inline]
    pub fn poll_begins(self, task: AsyncTaskId) {
        self.about(Kind::PollBegin, task.0);
    }

    /// As [`poll_begins`](Self::poll_begins), of a task that was woken so long ago. Who woke it is not
    /// known; where the wake is recorded as well, that record counts.
    #[inline]
    pub fn poll_begins_after(self, task: AsyncTaskId, waited: Duration) {
        if is_enabled() {
            let waited_ns = waited.as_nanos() as u64;
            record(Kind::PollBeginAfter, self.number, [task.0, waited_ns]);
        }
    }

    /// The calling thread has polled the task. It waits now, unless it was woken meanwhile or has
    /// [ended](Self::ended).
    #[inline]
    pub fn poll_ends(self, task: AsyncTaskId) {
        self.about(Kind::PollEnd, task.0);
    }

    /// As [`poll_ends`](Self::poll_ends), where it is known where the task waits.
    #[inline]
    pub fn poll_ends_at(self, task: AsyncTaskId, stack: StackHash) {
        if is_enabled() {
            record(Kind::PollEndAt, self.number, [task.0, stack.0]);
        }
    }

    /// The task is at its end: it has completed, was aborted, has panicked, or was dropped with its
    /// runtime. May come in the middle of its last poll, or outside any.
    #[inline]
    pub fn ended(self, task: AsyncTaskId) {
        live_tasks::remove(task);
        self.about(Kind::AsyncEnd, task.0);
    }

    /// As [`ended`](Self::ended), where ends are also reported of tasks that are not reported as
    /// [spawned](Self::spawned), or not yet. The end of a task that is not a [live one](AsyncTaskId::is_live)
    /// is recorded when its spawn is, if ever.
    #[inline]
    pub fn ended_if_spawned(self, task: AsyncTaskId) {
        if live_tasks::remove_or_note(task) {
            self.about(Kind::AsyncEnd, task.0);
        }
    }

    /// The calling thread woke the task.
    #[inline]
    pub fn woken(self, task: AsyncTaskId) {
        self.about(Kind::Wake, task.0);
    }

    /// The wakers of the task carry this address, from now on until another task is said to have it.
    #[cold]
    pub(crate) fn wakers_carry(self, task: AsyncTaskId, address: usize) {
        if is_enabled() {
            record(Kind::WakerOf, self.number, [task.0, address as u64]);
        }
    }

    /// The calling thread, as this worker, has nothing to run and goes to sleep.
    #[inline]
    pub fn parks(self, worker: Worker) {
        self.about(Kind::Park, u64::from(worker.0));
        if is_enabled() {
            park_counts::parks();
        }
    }

    /// The calling thread, as this worker, has slept and looks for work; also said by a thread that
    /// becomes a worker.
    #[inline]
    pub fn unparks(self, worker: Worker) {
        if is_enabled() {
            park_counts::unparked();
        }
        self.about(Kind::Unpark, u64::from(worker.0));
    }

    #[inline]
    fn about(self, kind: Kind, operand: u64) {
        if is_enabled() {
            record(kind, self.number, [operand]);
        }
    }
}

/// A stack of return addresses, by its hash. See `stacks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackHash(pub(crate) u64);
