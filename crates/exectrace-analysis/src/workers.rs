//! Workers and threads: how busy they were.

use exectrace_replay::{GoroutineState, Index, State};
use std::collections::BTreeMap;

use exectrace_format::conventions::TRACER_NAME;
use exectrace_format::{ProcId, SideRecord, ThreadId};
use serde::Serialize;

use crate::histogram::Histogram;
use crate::kernel_wait::{KernelSums, KernelWait};
use crate::sums::{SumNs, add_ns};
use crate::time::{Flow, OffProcessor, ThreadTime, TimeSpan, WorkerSeconds, World};

/// The workers and threads of a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Workers {
    /// Workers, by id.
    pub workers: Vec<Worker>,
    /// Workers that share their work, as far as their names say.
    pub pools: Vec<Pool>,
    /// Threads, by id.
    pub threads: Vec<Thread>,
    /// Waits of threads in the drivers of their runtimes, by what ended them; empty where none was recorded.
    pub driver_waits: Vec<DriverWaits>,
    /// Tasks that were ready while a worker slept.
    pub idle_while_runnable: IdleWhileRunnable,
    /// What the system counted of all threads that were sampled, but for the recorder's own; `None` in traces without
    /// that.
    pub thread_time: Option<ThreadTime>,
    /// The same of the recorder's own thread, which writes the trace; `None` in traces without that.
    pub recorder_time: Option<ThreadTime>,
    /// The same of each worker's thread, by the second; `None` in traces without that.
    pub seconds: Option<WorkerSeconds>,
}

/// Spans of time of 100 µs or more in which an async task was ready to run and a shared worker of its runtime
/// slept.
///
/// Tasks that are not known to have run before count in Go programs alone. Elsewhere they may be
/// closures for a pool of blocking threads, which no shared worker runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdleWhileRunnable {
    /// How many.
    pub count: u64,
    /// For how long in all.
    pub total_ns: u64,
    /// For how long at most.
    pub longest_ns: u64,
    /// When the longest began, since the begin of the trace.
    pub longest_begin_ns: u64,
}

/// Whether a lane of this name is the worker of an async runtime: the recorder calls it after the
/// runtime and its number there, as in `main worker 0`. The name of a thread may end in a digit too.
pub(crate) fn is_workers_name(name: &str) -> bool {
    let number = name
        .rsplit_once(" worker ")
        .map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Waits in the driver of a runtime that the same ended.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriverWaits {
    /// `source`: sources were ready, such as sockets. `time`: the time was over for which the thread meant to wait, or a
    /// signal came.
    pub ended_by: &'static str,
    /// How long they lasted.
    pub durations: Histogram,
    /// How many sources were ready in all.
    pub ready: u64,
}

/// One worker: a slot that runs async tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Worker {
    /// Its id.
    pub id: u64,
    /// Its name, where the trace has it.
    pub name: String,
    /// Whether any async task may run on it: it is one of Go's workers, or of an async runtime's. Else
    /// it is a thread's own.
    pub is_shared: bool,
    /// The time that the trace knows its state.
    pub total_ns: u64,
    /// Running async tasks.
    pub busy_ns: u64,
    /// Running its thread's own code, which may have slept: that was not seen.
    pub own_code_ns: u64,
    /// Held while its task is in a system call, or waits in a call of the C library; `None` in traces that do not
    /// show them.
    pub syscall_ns: Option<u64>,
    /// Held by a thread, but neither of the two: looking for work.
    pub scheduling_ns: u64,
    /// Held by no thread: parked.
    pub idle_ns: u64,
    /// How many polls it ran.
    pub runs: u64,
    /// The longest of them.
    pub longest_run_ns: u64,
    /// How many polls were of tasks that ran on another worker before.
    pub migrations: u64,
    /// How many times it went to sleep.
    pub parks: u64,
    /// How many times it was taken from a thread in a system call.
    pub steals: u64,
}

/// Workers whose names differ in their numbers alone; all workers that have no names.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pool {
    /// What their names have in common.
    pub name: String,
    /// Their ids.
    pub workers: Vec<u64>,
    /// The share of their time in which they were busy, 0 to 1.
    pub busy_share: f64,
    /// How much busier the busiest was than their mean: 1 is balance, their number is the worst.
    pub imbalance: f64,
}

/// One thread of the operating system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thread {
    /// Its id.
    pub id: u64,
    /// Its name, where the trace has it.
    pub name: String,
    /// When it first ran an async task, since the begin of the trace.
    pub first_ns: u64,
    /// When it last did.
    pub last_ns: u64,
    /// Running async tasks.
    pub busy_ns: u64,
    /// Of the time in which it ran async tasks, how long it waited for the kernel to run it; `None` where nothing is known
    /// of it.
    pub kernel: Option<KernelWait>,
    /// Running its own code, which may have slept: that was not seen.
    pub own_code_ns: u64,
    /// In system calls and in calls of the C library that wait; `None` in traces that do not show them.
    pub syscall_ns: Option<u64>,
    /// How many polls it ran.
    pub runs: u64,
    /// CPU samples taken on it.
    pub cpu_samples: u64,
    /// What the system counted of its time; `None` where it was not sampled, and `sight.blind` of the overview
    /// says why.
    pub time: Option<ThreadTime>,
    /// When it had no processor, exactly; `None` where the kernel did not report it, and the capability
    /// `kernel.switches` says why.
    pub off_processor: Option<OffProcessor>,
}

#[derive(Debug, Default)]
pub(crate) struct WorkerPass {
    workers: Vec<Worker>,
    worker_index: Index,
    threads: Vec<ThreadSums>,
    thread_index: Index,
    /// Waits in drivers that a source ended, and others.
    driver_waits: [DriverWaits; 2],
    /// The place of the thread that was met last: mostly it is met again.
    last_thread: Option<(u64, u32)>,
}

#[derive(Debug, Default)]
struct ThreadSums {
    first: i64,
    last: i64,
    /// The worker that it ran last.
    worker: u64,
    kernel: KernelSums,
    result: Thread,
}

impl WorkerPass {
    pub(crate) fn sample(&mut self, state: &State) {
        let thread = state.current_thread();
        if thread != ThreadId::NONE {
            self.thread(thread.0, state.now()).result.cpu_samples += 1;
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        let SideRecord::DriverWait {
            time_ns,
            duration_ns,
            ready,
            ..
        } = record
        else {
            return;
        };
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        let (begin, end) = (at(*time_ns), at(time_ns.saturating_add(*duration_ns)));
        if world.clip.touches(begin, end) {
            let waits = &mut self.driver_waits[usize::from(*ready == 0)];
            waits.durations.record(world.clip.between(begin, end));
            waits.ready = waits.ready.saturating_add(*ready);
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &mut Flow<'_>, span: &TimeSpan<'_>) {
        let clip = world.clip;
        let busy = match span.state {
            GoroutineState::Running => span.inside,
            GoroutineState::Unknown if span.is_own_code => span.inside,
            GoroutineState::Syscall => clip.between(span.begin, span.blocked),
            // A worker of a runtime is kept meanwhile; other threads give theirs up.
            GoroutineState::Waiting if span.waits_in_call => {
                match world.is_shared_lane(span.proc.0) {
                    true => span.inside,
                    false => 0,
                }
            }
            _ => return,
        };
        let runs = span.state == GoroutineState::Running;
        if span.proc.0 != u64::MAX {
            let worker = self.worker(span.proc.0);
            if runs {
                add_ns(&mut worker.busy_ns, busy);
            }
            if let Some(poll) = &span.poll {
                worker.runs += 1;
                worker.longest_run_ns = worker.longest_run_ns.max(poll.inside);
            }
            if runs {
                if flow.time.last_lane != u64::MAX && flow.time.last_lane != span.proc.0 {
                    worker.migrations += 1;
                }
                flow.time.last_lane = span.proc.0;
            } else if span.is_own_code {
                add_ns(&mut worker.own_code_ns, busy);
            } else {
                *worker.syscall_ns.get_or_insert(0) += busy;
            }
        }
        if span.thread.0 != u64::MAX {
            let thread = self.thread(span.thread.0, span.begin);
            thread.last = span.end;
            thread.worker = span.proc.0;
            if let Some(run) = &span.run {
                thread.kernel.add_part(run);
            }
            let thread = &mut thread.result;
            if runs {
                add_ns(&mut thread.busy_ns, busy);
                thread.runs += u64::from(span.poll.is_some());
            } else if span.is_own_code {
                add_ns(&mut thread.own_code_ns, busy);
            } else {
                *thread.syscall_ns.get_or_insert(0) += span.inside;
            }
        }
    }

    #[inline]
    fn worker(&mut self, id: u64) -> &mut Worker {
        let index = match self.worker_index.get(id) {
            Some(index) => index as usize,
            None => self.new_worker(id),
        };
        &mut self.workers[index]
    }

    #[cold]
    fn new_worker(&mut self, id: u64) -> usize {
        let index = self.workers.len();
        self.worker_index.insert(id, index as u32);
        self.workers.push(Worker {
            id,
            ..Worker::default()
        });
        index
    }

    #[inline]
    fn thread(&mut self, id: u64, now: i64) -> &mut ThreadSums {
        let index = match self.last_thread {
            Some((last, index)) if last == id => index,
            _ => self.other_thread(id, now),
        };
        &mut self.threads[index as usize]
    }

    /// The place of a thread that is not the one met last.
    #[inline(never)]
    fn other_thread(&mut self, id: u64, now: i64) -> u32 {
        let known = self.thread_index.get(id);
        let index = known.unwrap_or(self.threads.len() as u32);
        if known.is_none() {
            self.thread_index.insert(id, index);
            self.threads.push(ThreadSums {
                first: now,
                last: now,
                worker: u64::MAX,
                kernel: KernelSums::default(),
                result: Thread {
                    id,
                    ..Thread::default()
                },
            });
        }
        self.last_thread = Some((id, index));
        index
    }

    pub(crate) fn finish(mut self, world: &World<'_>) -> Workers {
        // None that was seen is none at all where they are seen.
        let no_syscalls = world.sees_syscalls().then_some(0);
        for lane in &world.lanes.all {
            let name = world.state.proc_name(ProcId(lane.id)).to_owned();
            let worker = self.worker(lane.id);
            worker.name = name;
            worker.is_shared = world.is_shared_lane(lane.id);
            worker.total_ns = lane.held + lane.idle;
            worker.idle_ns = lane.idle;
            let used_ns = worker.busy_ns + worker.own_code_ns + worker.syscall_ns.unwrap_or(0);
            worker.scheduling_ns = lane.held.saturating_sub(used_ns);
            worker.syscall_ns = worker.syscall_ns.or(no_syscalls);
            worker.parks = lane.parks;
            worker.steals = lane.steals;
        }
        let facts = &world.facts;
        let worker_of = |thread| {
            let sums = &self.threads[self.thread_index.get(thread)? as usize];
            world.is_shared_lane(sums.worker).then_some(sums.worker)
        };
        let is_recorders =
            |thread| !world.is_of_go() && world.state.thread_name(ThreadId(thread)) == TRACER_NAME;
        let recorder_time = facts.processors.of_those(is_recorders);
        let thread_time = facts.processors.of_those(|thread| !is_recorders(thread));
        let seconds = thread_time.map(|_| facts.processors.seconds.of_workers(worker_of));
        let thread = |sums: ThreadSums| Thread {
            name: world.state.thread_name(ThreadId(sums.result.id)).to_owned(),
            first_ns: world.since_begin(sums.first),
            last_ns: world.since_begin(sums.last),
            syscall_ns: sums.result.syscall_ns.or(no_syscalls),
            kernel: sums.kernel.of_running(sums.result.busy_ns),
            time: world.facts.processors.of(sums.result.id),
            off_processor: world.facts.processors.reports.sum_of(sums.result.id),
            ..sums.result
        };
        let mut threads: Vec<Thread> = self.threads.into_iter().map(thread).collect();
        threads.sort_by_key(|thread| thread.id);
        self.workers.sort_by_key(|worker| worker.id);
        let ended_by = ["source", "time"].into_iter().zip(self.driver_waits);
        let driver_waits = ended_by.map(|(ended_by, waits)| DriverWaits { ended_by, ..waits });
        Workers {
            driver_waits: driver_waits
                .filter(|waits| waits.durations.count() > 0)
                .collect(),
            pools: pools(&self.workers),
            workers: self.workers,
            threads,
            idle_while_runnable: world.slack.result,
            thread_time,
            recorder_time,
            seconds,
        }
    }
}

/// Puts workers together whose names differ in their numbers alone.
fn pools(workers: &[Worker]) -> Vec<Pool> {
    let mut by_name: BTreeMap<String, Vec<&Worker>> = BTreeMap::new();
    for worker in workers {
        let stem = worker.name.trim_end_matches(|c: char| c.is_ascii_digit());
        by_name
            .entry(stem.trim_end().to_owned())
            .or_default()
            .push(worker);
    }
    let pool = |(name, workers): (String, Vec<&Worker>)| {
        let busy = workers.iter().map(|worker| worker.busy_ns).sum_ns();
        let total = workers.iter().map(|worker| worker.total_ns).sum_ns();
        let most = workers
            .iter()
            .map(|worker| worker.busy_ns)
            .max()
            .unwrap_or(0);
        Pool {
            name,
            workers: workers.iter().map(|worker| worker.id).collect(),
            busy_share: if total == 0 {
                0.0
            } else {
                busy as f64 / total as f64
            },
            imbalance: if busy == 0 {
                1.0
            } else {
                most as f64 * workers.len() as f64 / busy as f64
            },
        }
    };
    by_name.into_iter().map(pool).collect()
}
