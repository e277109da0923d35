//! A profile for the Firefox Profiler, in its "processed profile" format.
//!
//! Its threads are our workers, the threads that have CPU samples, async tasks, and one with the
//! user tasks. What happened are markers. What an async task or a worker did is also a sample at
//! the begin of each stretch, weighed by its length in units of the sampling interval, which is a
//! microsecond: so call tree and flame graph show time by state, reason and stack.
//!
//! The format begins with tables that are known only at the end, so the profile is made in memory.

mod markers;

use std::io::{BufWriter, Read, Write};
use std::marker::PhantomData;

use exectrace_format::{GoId, ProcId, Reader, SideRecord, SyncClock, TaskId, ThreadId};
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CounterHandle, CpuDelta, Frame, FrameFlags, FrameInfo,
    MarkerTiming, ProcessHandle, Profile, ReferenceTimestamp, SamplingInterval, StackHandle,
    ThreadHandle, Timestamp,
};
use rustc_hash::FxHashMap;

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::story::{
    End, Fact, Lane, Log, Next, Region, Run, Scene, Sink, Stack, State, Stretch, Task, UserTask,
    tell,
};
use markers::{Collected, InRegion, InUserTask, Kind, Mark, Ran, Said, Was};

/// The unit of a sample's weight.
const UNIT_NS: u64 = 1_000;

/// Writes a profile for profiler.firefox.com.
///
/// Times are those of the trace since its begin, with the clock of the machine as their reference
/// where the trace tells it. At most [`Options::firefox_tasks_max`] async tasks have a thread of
/// their own; what would be on others is left out and counted, their runs on the workers stay.
/// Memory: the whole profile, some 100 bytes for each marker.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn firefox<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let mut sink = Firefox::new(options);
    let mut exported = tell(reader, &mut sink)?;
    exported.items = sink.items;
    exported.left_out = sink.left_out;
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &sink.profile)?;
    out.flush()?;
    Ok(exported)
}

/// The colours of the states.
struct Categories {
    running: CategoryHandle,
    runnable: CategoryHandle,
    waiting: CategoryHandle,
    syscall: CategoryHandle,
    annotation: CategoryHandle,
    collection: CategoryHandle,
}

/// A thread of the profile.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Row {
    Lane(Lane),
    Task(GoId),
    UserTasks,
    Collection,
    /// Samples of threads that the trace does not tell.
    Samples,
}

struct Firefox<'a> {
    profile: Profile,
    process: ProcessHandle,
    categories: Categories,
    options: &'a Options,
    rows: FxHashMap<Row, ThreadHandle>,
    /// Threads of the profile so far, and those that are async tasks.
    threads: u32,
    tasks: usize,
    counters: FxHashMap<String, (CounterHandle, f64)>,
    has_clock: bool,
    items: u64,
    left_out: u64,
}

impl Sink for Firefox<'_> {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        match fact {
            Fact::Sync(Some(clock)) => self.clock(clock, scene),
            Fact::TaskNamed(task) => {
                if let Some(&thread) = self.rows.get(&Row::Task(task.id)) {
                    self.profile
                        .set_thread_name(thread, &task.title(&scene.book));
                }
            }
            Fact::TaskGone(task) => {
                if let Some(thread) = self.rows.remove(&Row::Task(task.id)) {
                    self.profile.set_thread_end_time(thread, stamp(time, scene));
                }
            }
            Fact::Left { task, stretch, end } => self.state(time, task, stretch, end, scene),
            Fact::RunEnded {
                lane: Lane::Worker(worker),
                run,
                next,
                end,
            } => {
                self.run(time, worker, run, next, end, scene);
            }
            Fact::RegionEnded { task, region, end } => self.region(time, task, region, end, scene),
            Fact::UserTaskEnded { user_task, end } => self.user_task(time, user_task, end, scene),
            Fact::Log(log) => self.log(time, log, scene),
            Fact::Metric { name, value } => self.counter(time, name, value as f64, scene),
            Fact::RangeEnded {
                scope,
                name,
                begin,
                end,
            } => {
                let whom = scene.range_title(scope);
                let name = scene.book.text(name);
                let timing = timing(begin, time, end, scene);
                let thread = self.row(Row::Collection, scene, || "Garbage collection".to_owned());
                let category = self.categories.collection;
                self.mark::<Collected>(thread, timing, name, category, [&whom, ""], 0.0);
            }
            Fact::Sample { thread, stack, .. } => self.sample(time, thread, stack, scene),
            Fact::Side(SideRecord::Counter {
                name,
                time_ns,
                value,
            }) => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                self.counter(time, name, *value as f64, scene);
            }
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Firefox<'a> {
    fn new(options: &'a Options) -> Self {
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
    fn clock(&mut self, clock: SyncClock, scene: &Scene) {
        if std::mem::replace(&mut self.has_clock, true) {
            return;
        }
        let snapshot = clock.snapshot;
        let unix_ms =
            snapshot.unix_seconds as f64 * 1e3 + f64::from(snapshot.unix_nanoseconds) / 1e6;
        let since_begin_ms = clock.time.0.saturating_sub(scene.begin) as f64 / 1e6;
        let reference = ReferenceTimestamp::from_millis_since_unix_epoch(unix_ms - since_begin_ms);
        self.profile.set_reference_timestamp(reference);
    }

    /// The thread that stands for a row; a new one gets the next number.
    fn row(&mut self, row: Row, scene: &Scene, title: impl FnOnce() -> String) -> ThreadHandle {
        if let Some(&known) = self.rows.get(&row) {
            return known;
        }
        let begin = stamp(scene.begin, scene);
        self.threads += 1;
        // No thread is the main one: that would be shown under the process's name.
        let thread = self
            .profile
            .add_thread(self.process, self.threads, begin, false);
        self.profile.set_thread_name(thread, &title());
        self.rows.insert(row, thread);
        thread
    }

    /// The thread of an async task, if it is to have one.
    fn task_row(&mut self, task: &Task, scene: &Scene) -> Option<ThreadHandle> {
        if let Some(&known) = self.rows.get(&Row::Task(task.id)) {
            return Some(known);
        }
        if !self.options.tasks || self.tasks >= self.options.firefox_tasks_max {
            self.left_out += u64::from(self.options.tasks);
            return None;
        }
        self.tasks += 1;
        Some(self.row(Row::Task(task.id), scene, || task.title(&scene.book)))
    }

    fn mark<K: Kind>(
        &mut self,
        thread: ThreadHandle,
        timing: MarkerTiming,
        name: &str,
        category: CategoryHandle,
        texts: [&str; 2],
        number: f64,
    ) -> fxprof_processed_profile::MarkerHandle {
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
    fn stack(
        &mut self,
        thread: ThreadHandle,
        labels: &[&str],
        stack: Stack,
        category: CategoryHandle,
        scene: &Scene,
    ) -> Option<StackHandle> {
        let mut frames = Vec::new();
        let named = scene
            .book
            .frames(stack)
            .rev()
            .map(|frame| scene.book.text(frame.function))
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

    fn category(&self, state: State) -> CategoryHandle {
        match state {
            State::Runnable => self.categories.runnable,
            State::Running => self.categories.running,
            State::Waiting => self.categories.waiting,
            State::Syscall => self.categories.syscall,
        }
    }

    fn state(&mut self, time: i64, task: &Task, stretch: Stretch, end: End, scene: &Scene) {
        let Some(thread) = self.task_row(task, scene) else {
            return;
        };
        let category = self.category(stretch.state);
        let title = scene.state_title(&stretch);
        let waker = match stretch.ready {
            Some(ready) if ready.waker != GoId::NONE => scene.task_title(ready.waker),
            _ => String::new(),
        };
        let name = scene.task_name(task.id);
        let labels = [name.as_str(), &title];
        // The stack of a runnable task is its waker's.
        let shown = if stretch.state == State::Runnable {
            Stack::NONE
        } else {
            stretch.stack
        };
        let stack = self.stack(thread, &labels, shown, category, scene);
        let length_ns = time.abs_diff(stretch.begin);
        let cpu = match stretch.state {
            State::Running => CpuDelta::from_nanos(length_ns),
            _ => CpuDelta::ZERO,
        };
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        self.profile
            .add_sample(thread, stamp(stretch.begin, scene), stack, cpu, weight);
        let task_title = task.title(&scene.book);
        let texts = [task_title.as_str(), &waker];
        let timing = timing(stretch.begin, time, end, scene);
        let worker = if stretch.worker == ProcId::NONE {
            -1.0
        } else {
            stretch.worker.0 as f64
        };
        let marker = self.mark::<Was>(thread, timing, &title, category, texts, worker);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    fn run(&mut self, time: i64, worker: ProcId, run: Run, next: Next, end: End, scene: &Scene) {
        if !self.options.workers {
            return;
        }
        let lane = Lane::Worker(worker);
        let thread = self.row(Row::Lane(lane), scene, || scene.lane_title(lane));
        let name = scene.task_name(run.task);
        let category = self.categories.running;
        let stack = self.stack(thread, &[&name], Stack::NONE, category, scene);
        let length_ns = time.abs_diff(run.begin);
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        let cpu = CpuDelta::from_nanos(length_ns);
        self.profile
            .add_sample(thread, stamp(run.begin, scene), stack, cpu, weight);
        let nothing = CpuDelta::ZERO;
        self.profile
            .add_sample(thread, stamp(time, scene), None, nothing, 0);
        let then = match next.state {
            Some(state) => format!("{} {}", state.name(), scene.book.text(next.reason)),
            None => "ended".to_owned(),
        };
        let ready = run.ready.map_or(0, |ready| run.begin.abs_diff(ready.since));
        let texts = [&*format!("G{}", run.task.0), &then];
        let timing = timing(run.begin, time, end, scene);
        let marker = self.mark::<Ran>(thread, timing, &name, category, texts, ready as f64);
        let end_stack = self.stack(thread, &[], next.stack, category, scene);
        self.profile.set_marker_stack(thread, marker, end_stack);
    }

    fn region(&mut self, time: i64, task: &Task, region: Region, end: End, scene: &Scene) {
        let Some(thread) = self.task_row(task, scene) else {
            return;
        };
        let state = match end {
            End::Told => "",
            End::WithTask => "with its async task",
            End::WithTrace => "open at the end of the trace",
        };
        let title = task.title(&scene.book);
        let timing = timing(region.begin, time, end, scene);
        let name = scene.book.text(region.name);
        let category = self.categories.annotation;
        let number = region.user_task.0 as f64;
        let texts = [title.as_str(), state];
        let marker = self.mark::<InRegion>(thread, timing, name, category, texts, number);
        let stack = self.stack(thread, &[], region.stack, category, scene);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    fn user_task(&mut self, time: i64, user_task: UserTask, end: End, scene: &Scene) {
        if !self.options.user_tasks {
            return;
        }
        let thread = self.row(Row::UserTasks, scene, || "User tasks".to_owned());
        let parent = match user_task.parent {
            TaskId::NONE | TaskId::BACKGROUND => String::new(),
            parent => format!("T{}", parent.0),
        };
        let timing = timing(user_task.begin, time, end, scene);
        let name = scene.book.text(user_task.name);
        let texts = [&*format!("T{}", user_task.id.0), &parent];
        let category = self.categories.annotation;
        self.mark::<InUserTask>(
            thread,
            timing,
            name,
            category,
            texts,
            user_task.task.0 as f64,
        );
    }

    fn log(&mut self, time: i64, log: Log<'_>, scene: &Scene) {
        let thread = match scene.tasks.get(&log.task) {
            Some(task) => self.task_row(task, scene),
            None => None,
        };
        let title = scene.task_title(log.task);
        let thread =
            thread.unwrap_or_else(|| self.row(Row::UserTasks, scene, || "User tasks".to_owned()));
        let name = if log.category.is_empty() {
            "log"
        } else {
            log.category
        };
        let timing = MarkerTiming::Instant(stamp(time, scene));
        let category = self.categories.annotation;
        let texts = [log.message, &title];
        self.mark::<Said>(
            thread,
            timing,
            name,
            category,
            texts,
            log.user_task.0 as f64,
        );
    }

    fn counter(&mut self, time: i64, name: &str, value: f64, scene: &Scene) {
        self.items += 1;
        let (profile, process) = (&mut self.profile, self.process);
        let (counter, last) = self.counters.entry(name.to_owned()).or_insert_with(|| {
            let category = if name.ends_with("bytes") {
                "Memory"
            } else {
                "Counter"
            };
            (profile.add_counter(process, name, category, name), 0.0)
        });
        self.profile
            .add_counter_sample(*counter, stamp(time, scene), value - *last, 1);
        *last = value;
    }

    fn sample(&mut self, time: i64, id: ThreadId, stack: Stack, scene: &Scene) {
        self.items += 1;
        let lane = Lane::Thread(id);
        let thread = if id == ThreadId::NONE {
            self.row(Row::Samples, scene, || "CPU samples".to_owned())
        } else {
            self.row(Row::Lane(lane), scene, || scene.lane_title(lane))
        };
        let stack = self.stack(thread, &[], stack, self.categories.running, scene);
        self.profile
            .add_sample(thread, stamp(time, scene), stack, CpuDelta::ZERO, 1);
    }
}

/// What the trace ends before has no end.
fn timing(begin: i64, time: i64, end: End, scene: &Scene) -> MarkerTiming {
    let (begin, time) = (stamp(begin, scene), stamp(time, scene));
    match end {
        End::Told | End::WithTask => MarkerTiming::Interval(begin, time),
        End::WithTrace => MarkerTiming::IntervalStart(begin),
    }
}

/// Since the begin of the trace. What is older begins with it.
fn stamp(time: i64, scene: &Scene) -> Timestamp {
    let since_ns = time.saturating_sub(scene.begin);
    Timestamp::from_nanos_since_reference(u64::try_from(since_ns).unwrap_or(0))
}
