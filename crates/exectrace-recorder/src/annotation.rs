//! The annotation API: user tasks, regions and logs for code without `tracing`.
//!
//! It has the shape of Go's `runtime/trace` package, with the task passed as a value rather than in
//! a context.

use std::fmt;
use std::panic::Location;

use crate::fields::Fields;
use crate::is_enabled;
use crate::kinds::Kind;
use crate::record::{head, number_and_length};
use crate::reservation::Reservation;
use crate::serial::serial;
use crate::thread_buffer::record;

/// A user task: one logical operation, such as a request, possibly across many threads.
///
/// Begins when it is made and ends when it is dropped. `&Task` can be shared with other threads,
/// which may log to it, open regions of it, and make children of it. A task that is made while
/// nothing records does nothing for its whole life, and so do its regions, children and logs.
///
/// Costs: making and dropping one is two records (about 15 ns each); one load and a branch each
/// while nothing records.
///
/// ```
/// use exectrace_recorder::Task;
///
/// let request = Task::new("request");
/// let query = request.child("query");
/// query.log("sql", "select 1");
/// drop(query);
/// assert!(!request.is_recorded(), "nothing records in this example");
/// ```
#[derive(Debug)]
pub struct Task {
    /// Unique in the process; 0 while nothing recorded when it was made.
    number: u64,
}

impl Task {
    /// Begins a user task without a parent.
    #[inline]
    #[must_use = "a task ends when it is dropped"]
    #[track_caller]
    pub fn new(name: &'static str) -> Self {
        Self::begin(name, 0)
    }

    /// Begins a user task that is a part of this one.
    #[inline]
    #[must_use = "a task ends when it is dropped"]
    #[track_caller]
    pub fn child(&self, name: &'static str) -> Self {
        Self::begin(name, self.number)
    }

    #[inline]
    #[track_caller]
    fn begin(name: &'static str, parent: u64) -> Self {
        if !is_enabled() {
            return Self { number: 0 };
        }
        let number = serial();
        record(
            Kind::TaskBegin,
            0,
            [
                name.as_ptr().expose_provenance() as u64,
                number_and_length(number, name.len()),
                location(Location::caller()),
                parent,
            ],
        );
        Self { number }
    }

    /// Opens a region of this task, in the async task or thread that calls.
    #[inline]
    #[must_use = "a region ends when it is dropped"]
    #[track_caller]
    pub fn region(&self, name: &'static str) -> Region {
        Region::begin(name, self.number, ALONE)
    }

    /// Opens a region like [`region`](Self::region), which passes on to the async tasks that are spawned in it.
    ///
    /// Each of them has a region of this name and of this user task, from its first poll to its end, and so have
    /// those that it spawns. So all that a request, a job or a test spawns is a part of its user task, whether or
    /// not it outlives the region. A task that is spawned by a thread which has no such region gets none.
    ///
    /// Costs what `region` costs, and some ten bytes of the trace for each async task.
    #[inline]
    #[must_use = "a region ends when it is dropped"]
    #[track_caller]
    pub fn region_with_spawned(&self, name: &'static str) -> Region {
        Region::begin(name, self.number, WITH_SPAWNED)
    }

    /// Writes a message to this task. `category` should be one of few; messages may be any.
    ///
    /// The message is copied, truncated at [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES).
    #[inline]
    #[track_caller]
    pub fn log(&self, category: &'static str, message: &str) {
        if is_enabled() {
            write_log(self.number, category, Location::caller(), |text| {
                text.str(0, message);
            });
        }
    }

    /// Writes a formatted message to this task: `task.log_args("size", format_args!("{n} bytes"))`.
    ///
    /// Nothing is formatted while nothing records.
    #[inline]
    #[track_caller]
    pub fn log_args(&self, category: &'static str, message: fmt::Arguments<'_>) {
        if is_enabled() {
            write_log(self.number, category, Location::caller(), |text| {
                text.formatted(0, message);
            });
        }
    }

    /// Whether a recording ran when the task was made.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.number != 0
    }
}

impl Drop for Task {
    #[inline]
    fn drop(&mut self) {
        if self.number != 0 && is_enabled() {
            record(Kind::TaskEnd, 0, [self.number]);
        }
    }
}

/// A region: an interval of the async task that makes it, or of the thread's own code, from its making to
/// its drop.
///
/// It may be held across an `.await`. In an async task that is followed (see `exectrace::runtime`) it stays
/// with the task, on whichever threads that is polled. In one that is not followed, the trace shows it on
/// the thread that made it, from there to its drop, wherever that is (or until that thread has polled the
/// task that it polls then). One that is sent to another async task
/// ends with the task that made it.
///
/// Regions may end in any order, though only properly nested ones are shown as one piece each. Costs two
/// records, about 10 ns each; a load and a branch while nothing records.
///
/// ```
/// async fn query() -> u32 {
///     let _region = exectrace_recorder::region("query");
///     std::future::ready(17).await
/// }
///
/// fn assert_send<T: Send>(_: T) {}
/// assert_send(query());
/// ```
#[derive(Debug)]
pub struct Region {
    /// Ticks at its begin, which name it among those of its thread; 0 if it was not recorded.
    began: u64,
}

/// In place of the source of a region's begin: a region of one flow.
const ALONE: u16 = 0;
/// In place of the source of a region's begin: a region that async tasks have as well which are spawned in it.
pub(crate) const WITH_SPAWNED: u16 = 1;

impl Region {
    #[inline]
    #[track_caller]
    fn begin(name: &'static str, task: u64, scope: u16) -> Self {
        let mut began = 0;
        if is_enabled() {
            began = record(
                Kind::RegionBegin,
                scope,
                [
                    name.as_ptr().expose_provenance() as u64,
                    number_and_length(task, name.len()),
                    location(Location::caller()),
                ],
            );
        }
        Self { began }
    }
}

impl Drop for Region {
    #[inline]
    fn drop(&mut self) {
        if self.began != 0 && is_enabled() {
            record(Kind::RegionEnd, 0, [self.began]);
        }
    }
}

/// Opens a region, in the async task or thread that calls, that belongs to no user task of the program's.
///
/// Inside a region of a task or a recorded span it belongs to that task.
///
/// ```
/// let sum: u64 = {
///     let _region = exectrace_recorder::region("sum");
///     (1..=10).sum()
/// };
/// assert_eq!(sum, 55);
/// ```
#[inline]
#[must_use = "a region ends when it is dropped"]
#[track_caller]
pub fn region(name: &'static str) -> Region {
    Region::begin(name, 0, ALONE)
}

/// Writes a message to the task of the innermost open region of the calling thread.
///
/// See [`Task::log`].
#[inline]
#[track_caller]
pub fn log(category: &'static str, message: &str) {
    if is_enabled() {
        write_log(0, category, Location::caller(), |text| text.str(0, message));
    }
}

/// Writes a formatted message to the task of the innermost open region of the calling thread.
///
/// ```
/// exectrace_recorder::log_args("size", format_args!("{} bytes", 17));
/// ```
#[inline]
#[track_caller]
pub fn log_args(category: &'static str, message: fmt::Arguments<'_>) {
    if is_enabled() {
        write_log(0, category, Location::caller(), |text| {
            text.formatted(0, message);
        });
    }
}

fn location(location: &'static Location<'static>) -> u64 {
    std::ptr::from_ref(location).expose_provenance() as u64
}

fn write_log(
    task: u64,
    category: &'static str,
    caller: &'static Location<'static>,
    text: impl FnOnce(&mut Fields),
) {
    // Head, category, task and length, location; then the text's header and at least one word.
    let Some((mut reservation, ticks)) = Reservation::begin(6) else {
        return;
    };
    let words = [
        head(Kind::Log, 0, ticks),
        category.as_ptr().expose_provenance() as u64,
        number_and_length(task, category.len()),
        location(caller),
    ];
    let mut fits = reservation.push_all(words);
    let mut fields = Fields::new(reservation);
    text(&mut fields);
    fits &= !fields.is_full();
    if fits {
        fields.into_reservation().finish();
    }
}
