//! The profile being made: its threads, colours, stacks, markers and times.

use std::marker::PhantomData;

use exectrace_format::{GoId, SyncClock};
use exectrace_replay::{End, Stack};
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CounterHandle, Frame, FrameFlags, FrameInfo, MarkerHandle,
    MarkerTiming, ProcessHandle, Profile, ReferenceTimestamp, SamplingInterval, StackHandle,
    ThreadHandle, Timestamp,
};
use rustc_hash::FxHashMap;

use super::markers::{Kind, Mark};
use crate::options::Options;
use crate::tracks::{Lane, Picture, Task, TrackState};

/// The unit of a sample's weight.
pub(super) const UNIT_NS: u64 = 1_000;

/// The colours of the states.
pub(super) struct Categories {
    pub(super) running: CategoryHandle,
    pub(super) runnable: CategoryHandle,
    pub(super) waiting: CategoryHandle,
    syscall: CategoryHandle,
    pub(super) annotation: CategoryHandle,
    pub(super) collection: CategoryHandle,
}

/// A thread of the profile.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Row {
    Lane(Lane),
    Task(GoId),
    UserTasks,
    Collection,
    /// Samples of threads that the trace does not name.
    Samples,
}

pub(super) struct Firefox<'a> {
    pub(super) profile: Profile,
    pub(super) process: ProcessHandle,
    pub(super) categories: Categories,
    pub(super) options: &'a Options,
    pub(super) rows: FxHashMap<Row, ThreadHandle>,
    /// Threads of the profile so far, and those that are async tasks.
    threads: u32,
    tasks: usize,
    pub(super) counters: FxHashMap<String, (CounterHandle, f64)>,
    has_clock: bool,
    pub(super) items: u64,
    pub(super) left_out: u64,
}

impl<'a> Firefox<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        let reference = ReferenceTimestamp::from_millis_since_unix_epoch(0.0);
        let interval = SamplingInterval::from_nanos(UNIT_NS);
        let mut profile = Profile::new(&options.process_name, reference, interval);
        let zero = Timestamp::from_nanos_since_reference(0);
        let process = profile.add_process(&options.process_name, 1, zero);
        let mut category = |name, color| profile.add_category(name, color);
        let categories = Categories {
            running: category("Running", CategoryColor::Green),
            runnable: category("Runnable", CategoryColor::Red),
            waiting: category("Waiting", CategoryColor::Transparent),
            syscall: category("System call", CategoryColor::Orange),
            annotation: category("Annotation", CategoryColor::Blue),
            collection: category("Garbage collection", CategoryColor::Purple),
        };
        // All frames have their names already.
        profile.set_symbolicated(true);
        Self {
            profile,
            process,
            categories,
            options,
            rows: FxHashMap::default(),
            threads: 0,
            tasks: 0,
            counters: FxHashMap::default(),
            has_clock: false,
            items: 0,
            left_out: 0,
        }
    }

    /// The profile's zero is the begin of the trace.
    pub(super) fn clock(&mut self, clock: SyncClock, picture: &Picture<'_>) {
        if std::mem::replace(&mut self.has_clock, true) {
            return;
        }
        let snapshot = clock.snapshot;
        let unix_ms =
            snapshot.unix_seconds as f64 * 1e3 + f64::from(snapshot.unix_nanoseconds) / 1e6;
        let since_begin_ms = clock.time.0.saturating_sub(picture.begin()) as f64 / 1e6;
        let reference = ReferenceTimestamp::from_millis_since_unix_epoch(unix_ms - since_begin_ms);
        self.profile.set_reference_timestamp(reference);
    }

    /// The thread that stands for a row.
    pub(super) fn row(
        &mut self,
        row: Row,
        picture: &Picture<'_>,
        title: impl FnOnce() -> String,
    ) -> ThreadHandle {
        match self.rows.get(&row) {
            Some(&known) => known,
            None => self.add_row(row, stamp(picture.begin(), picture), title()),
        }
    }

    /// The thread of an async task, if it is to have one; `since` is when it is first seen.
    ///
    /// Threads are shown in the order of their begins: workers before the tasks, tasks as they came.
    pub(super) fn task_row(
        &mut self,
        task: Task<'_>,
        since: i64,
        picture: &Picture<'_>,
    ) -> Option<ThreadHandle> {
        if let Some(&known) = self.rows.get(&Row::Task(task.id)) {
            return Some(known);
        }
        if !self.options.tasks || self.tasks >= self.options.firefox_tasks_max {
            self.left_out += u64::from(self.options.tasks);
            return None;
        }
        self.tasks += 1;
        let since = task.now().map_or(since, |now| now.begin.min(since));
        let outermost = task.regions.first();
        let since = outermost.map_or(since, |region| region.begin.min(since));
        let begin = stamp(since.max(picture.begin().saturating_add(1)), picture);
        Some(self.add_row(Row::Task(task.id), begin, picture.title(task)))
    }

    /// A new thread, with the next number.
    fn add_row(&mut self, row: Row, begin: Timestamp, title: String) -> ThreadHandle {
        self.threads += 1;
        // No thread is the main one: that would be shown under the process's name.
        let thread = self
            .profile
            .add_thread(self.process, self.threads, begin, false);
        self.profile.set_thread_name(thread, &title);
        self.rows.insert(row, thread);
        thread
    }

    pub(super) fn mark<K: Kind>(
        &mut self,
        thread: ThreadHandle,
        timing: MarkerTiming,
        name: &str,
        category: CategoryHandle,
        texts: [&str; 2],
        number: f64,
    ) -> MarkerHandle {
        self.items += 1;
        let mark = Mark::<K> {
            name: self.profile.intern_string(name),
            category,
            texts: texts.map(|text| self.profile.intern_string(text)),
            number,
            kind: PhantomData,
        };
        self.profile.add_marker(thread, timing, mark)
    }

    /// A stack below the given labels, outermost first.
    pub(super) fn stack(
        &mut self,
        thread: ThreadHandle,
        labels: &[&str],
        stack: Stack,
        category: CategoryHandle,
        picture: &Picture<'_>,
    ) -> Option<StackHandle> {
        let mut frames = Vec::new();
        let named = picture
            .names()
            .locations(stack)
            .rev()
            .map(|at| picture.text(at.function))
            .map(|name| if name.is_empty() { "?" } else { name });
        for label in labels.iter().copied().chain(named) {
            frames.push(FrameInfo {
                frame: Frame::Label(self.profile.intern_string(label)),
                category_pair: category.into(),
                flags: FrameFlags::empty(),
            });
        }
        self.profile.intern_stack_frames(thread, frames.into_iter())
    }

    pub(super) fn category(&self, state: TrackState) -> CategoryHandle {
        match state {
            TrackState::Runnable => self.categories.runnable,
            TrackState::Running => self.categories.running,
            TrackState::Waiting => self.categories.waiting,
            TrackState::Syscall => self.categories.syscall,
            TrackState::OwnCode => self.categories.annotation,
        }
    }
}

/// What the trace ends before has no end.
pub(super) fn timing(begin: i64, time: i64, end: End, picture: &Picture<'_>) -> MarkerTiming {
    let (begin, time) = (stamp(begin, picture), stamp(time, picture));
    match end {
        End::Seen | End::WithGoroutine => MarkerTiming::Interval(begin, time),
        End::WithTrace => MarkerTiming::IntervalStart(begin),
    }
}

/// Since the begin of the trace. What is older begins with it.
pub(super) fn stamp(time: i64, picture: &Picture<'_>) -> Timestamp {
    let since_ns = time.saturating_sub(picture.begin());
    Timestamp::from_nanos_since_reference(u64::try_from(since_ns).unwrap_or(0))
}
