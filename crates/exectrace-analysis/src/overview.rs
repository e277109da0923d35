//! What a trace is and holds, at a glance: size, length, counts, losses.

use exectrace_format::{
    CompactKind, EventKind, Inferred, LeftOut, ReadError, SideRecord, StateChange, SyncClock,
    ThreadId,
};
use exectrace_replay::{Clip, Index};
use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

use crate::sight::{Seen, Sight};
use crate::sources::{Source, Sources};
use crate::time::Processors;
use crate::vocabulary::Used;

/// The facts of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Overview {
    /// The number in the header: 25 is `go 1.25 trace`.
    pub header_version: u8,
    /// The program that wrote the trace, where it says so.
    pub written_by: Option<String>,
    /// When the trace begins, in nanoseconds since 1970; from header 25 on.
    pub began_unix_ns: Option<i64>,
    /// From the first event to the last.
    pub duration_ns: u64,
    /// Generations that were read.
    pub generations: u64,
    /// Events by kind.
    pub events: EventCounts,
    /// Async tasks in the trace; in a Go program, goroutines. Threads' own code is none.
    pub async_tasks: u64,
    /// Of these, alive at the end.
    pub async_tasks_alive: u64,
    /// Workers in the trace.
    pub workers: u64,
    /// Threads on which something happened.
    pub threads: u64,
    /// What the recorder had to drop.
    pub lost: Lost,
    /// How many events the recorder concluded rather than saw, by what they are.
    pub inferred: Vec<InferredCount>,
    /// What the recording build could see and could not, in its own words: key and value.
    pub capabilities: Vec<(String, String)>,
    /// What was recorded beside the program's own code, and why not the rest.
    pub sources: Vec<Source>,
    /// Batches of side data that could not be read.
    pub unreadable_side_data: u64,
    /// What the trace can show of its program, and why not the rest.
    pub sight: Sight,
}

/// Events by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventCounts {
    /// All of the program: those below without syncs and side data. `check`, `cut` and exports count the same.
    pub total: u64,
    /// Begins of generations, and the end.
    pub syncs: u64,
    /// New values of quantities.
    pub metrics: u64,
    /// New labels of async tasks.
    pub labels: u64,
    /// CPU samples.
    pub stack_samples: u64,
    /// Begins of ranges of garbage collection.
    pub range_begins: u64,
    /// Ranges that were open already.
    pub range_actives: u64,
    /// Ends of ranges.
    pub range_ends: u64,
    /// Begins of user tasks.
    pub task_begins: u64,
    /// Ends of user tasks.
    pub task_ends: u64,
    /// Begins of regions.
    pub region_begins: u64,
    /// Ends of regions.
    pub region_ends: u64,
    /// Logs.
    pub logs: u64,
    /// Changes of async tasks' states.
    pub task_transitions: u64,
    /// Changes of workers' states.
    pub worker_transitions: u64,
    /// Of Go's allocation experiment.
    pub experimental: u64,
    /// Records of side data.
    pub side_data: u64,
}

/// What of the program is not in the trace, as the recorder says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lost {
    /// Records that it dropped because its memory was full.
    pub records: u64,
    /// Records with a value whose formatting panicked.
    pub unformatted: u64,
    /// Records that came while their thread was in the middle of another one, or past its end.
    pub nested: u64,
    /// Spans, tasks and regions for which a table had no room.
    pub untracked: u64,
    /// What was dropped because the memory was full, by thread, the most first.
    pub threads: Vec<LostByThread>,
}

/// What one thread lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LostByThread {
    /// The thread.
    pub thread: u64,
    /// How many records.
    pub records: u64,
    /// When the first loss was noticed, since the begin of the trace.
    pub first_ns: u64,
    /// When the last was.
    pub last_ns: u64,
}

/// Events of a kind that were concluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InferredCount {
    /// `task_begin`, `task_end`, `region_begin`, `region_end`, `wake`, `state` or `run`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
}

/// Where and why a trace could not be read on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Damage {
    /// The byte of the file at which the damaged batch or event begins.
    pub offset: u64,
    /// The generation concerned; 0 where none had begun.
    pub generation: u64,
    /// What is wrong.
    pub message: String,
}

impl From<&ReadError> for Damage {
    fn from(error: &ReadError) -> Self {
        Self {
            offset: error.offset,
            generation: error.generation,
            message: error.cause.to_string(),
        }
    }
}

pub(crate) fn serialize_damage<S: Serializer>(
    damage: &Option<ReadError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    damage.as_ref().map(Damage::from).serialize(serializer)
}

impl EventCounts {
    /// Counts a change of an async task's state, as most events are.
    #[inline]
    pub(crate) fn count_transition(&mut self) {
        self.total += 1;
        self.task_transitions += 1;
    }

    pub(crate) fn count(&mut self, kind: &CompactKind) {
        self.total += u64::from(kind.is_of_program());
        *match kind {
            CompactKind::StateTransition {
                change: StateChange::Go { .. },
                ..
            } => &mut self.task_transitions,
            CompactKind::StateTransition { .. } => &mut self.worker_transitions,
            CompactKind::Sync { .. } => &mut self.syncs,
            CompactKind::Metric { .. } => &mut self.metrics,
            CompactKind::Label { .. } => &mut self.labels,
            CompactKind::StackSample => &mut self.stack_samples,
            CompactKind::RangeBegin { .. } => &mut self.range_begins,
            CompactKind::RangeActive { .. } => &mut self.range_actives,
            CompactKind::RangeEnd { .. } => &mut self.range_ends,
            CompactKind::TaskBegin { .. } => &mut self.task_begins,
            CompactKind::TaskEnd { .. } => &mut self.task_ends,
            CompactKind::RegionBegin { .. } => &mut self.region_begins,
            CompactKind::RegionEnd { .. } => &mut self.region_ends,
            CompactKind::Log { .. } => &mut self.logs,
            CompactKind::Experimental { .. } => &mut self.experimental,
            _ => &mut self.side_data,
        } += 1;
    }
}

/// What side data and syncs say of the trace as a whole.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) overview: Overview,
    threads: Index,
    thread_ids: Vec<u64>,
    last_thread: Option<ThreadId>,
    lost: FxHashMap<u64, LostByThread>,
    inferred: FxHashMap<&'static str, u64>,
    /// The names that can be asked for.
    pub(crate) used: Used,
    /// What was seen, from which follows what the trace can show.
    pub(crate) seen: Seen,
    /// Pools of shared workers, by what the names of their lanes have in common.
    pools: FxHashMap<String, u32>,
    lane_pools: FxHashMap<u64, Option<u32>>,
    pub(crate) processors: Processors,
    pub(crate) sources: Sources,
    /// Which user task follows from which.
    pub(crate) links: Vec<(u64, u64)>,
}

/// At most so many links between user tasks are kept.
const MAX_LINKS: usize = 1 << 20;

impl Facts {
    /// The pool of a proc, if it has been looked up since the names of procs changed.
    #[inline]
    pub(crate) fn known_pool(&self, proc: u64) -> Option<Option<u32>> {
        self.lane_pools.get(&proc).copied()
    }

    /// Notes the pool of a proc: that of this runtime, or none.
    pub(crate) fn add_pool(&mut self, proc: u64, runtime: Option<&str>) -> Option<u32> {
        let next = self.pools.len() as u32;
        let pool = runtime.map(|runtime| *self.pools.entry(runtime.to_owned()).or_insert(next));
        self.lane_pools.insert(proc, pool);
        pool
    }

    /// Something happens on the thread.
    #[inline]
    pub(crate) fn thread(&mut self, thread: ThreadId) {
        if self.last_thread != Some(thread) {
            self.last_thread = Some(thread);
            if thread != ThreadId::NONE && self.threads.get(thread.0).is_none() {
                self.threads.insert(thread.0, 0);
                self.thread_ids.push(thread.0);
                self.overview.threads += 1;
            }
        }
    }

    /// `clock` is that of the sync that begins the trace.
    pub(crate) fn clock(&mut self, begin: i64, clock: &SyncClock) {
        if self.overview.began_unix_ns.is_none() {
            let wall = i128::from(clock.snapshot.unix_seconds) * 1_000_000_000
                + i128::from(clock.snapshot.unix_nanoseconds);
            let begin = wall - i128::from(clock.time.0) + i128::from(begin);
            self.overview.began_unix_ns = i64::try_from(begin).ok();
        }
    }

    pub(crate) fn side_record(&mut self, record: &SideRecord, begin: i64, clip: Clip) {
        self.sources.side_record(record);
        let since = |time_ns: u64| time_ns.saturating_sub(u64::try_from(begin).unwrap_or(0));
        match record {
            SideRecord::Capabilities { pairs } => {
                // All at the begin of a file; later what became known, by its key.
                for (key, value) in pairs {
                    let (key, value) = (key.to_string(), value.to_string());
                    let known = &mut self.overview.capabilities;
                    match known.iter_mut().find(|(known, _)| *known == key) {
                        Some(known) => known.1 = value,
                        None => known.push((key, value)),
                    }
                }
            }
            SideRecord::GeneratedBy { name, version } => {
                self.overview.written_by = Some(format!("{name} {version}"));
            }
            SideRecord::ProcName { .. } => self.lane_pools.clear(),
            SideRecord::Lost {
                time_ns,
                thread,
                records,
            } => {
                let time_ns = since(*time_ns);
                let lost = self.lost.entry(thread.0).or_insert_with(|| LostByThread {
                    thread: thread.0,
                    first_ns: time_ns,
                    ..LostByThread::default()
                });
                lost.records = lost.records.saturating_add(*records);
                lost.last_ns = lost.last_ns.max(time_ns);
            }
            SideRecord::LeftOut { cause, count, .. } => {
                let lost = &mut self.overview.lost;
                let sum = match cause {
                    LeftOut::TableFull => &mut lost.untracked,
                    LeftOut::Unformatted => &mut lost.unformatted,
                    LeftOut::Nested => &mut lost.nested,
                    // Causes of later versions of the format crate.
                    _ => return,
                };
                *sum = sum.saturating_add(*count);
            }
            SideRecord::ThreadTime {
                thread,
                time_ns,
                cpu_ns,
                wait_ns,
            } => {
                let counted = (*time_ns, *cpu_ns, *wait_ns);
                self.processors.sample(thread.0, counted, begin, clip);
            }
            SideRecord::OffProcessor {
                time_ns,
                thread,
                duration_ns,
                is_preempted,
            } => {
                let span = (*time_ns, *duration_ns);
                self.processors
                    .reports
                    .add(thread.0, span, *is_preempted, clip);
            }
            SideRecord::Inferred { what, .. } => {
                *self.inferred.entry(inferred_name(*what)).or_default() += 1;
            }
            SideRecord::Link { from, to, .. } if self.links.len() < MAX_LINKS => {
                self.links.push((from.0, to.0));
            }
            _ => {}
        }
    }

    pub(crate) fn finish(&mut self, is_of_go: bool) -> Overview {
        let mut overview = std::mem::take(&mut self.overview);
        let mut threads: Vec<_> = self.lost.drain().map(|(_, lost)| lost).collect();
        threads.sort_by_key(|lost| (std::cmp::Reverse(lost.records), lost.thread));
        overview.lost.records = threads
            .iter()
            .fold(0, |sum, lost| lost.records.saturating_add(sum));
        overview.lost.threads = threads;
        // Marked by their stacks, not by records.
        let wakes = self.seen.wakes_concluded();
        if wakes > 0 {
            *self.inferred.entry("wake").or_default() += wakes;
        }
        let inferred = self
            .inferred
            .drain()
            .map(|(what, count)| InferredCount { what, count });
        overview.inferred = inferred.collect();
        overview.inferred.sort_by_key(|inferred| inferred.what);
        let is_sampled = |thread: &u64| self.processors.of(*thread).is_some();
        self.seen.unsampled = self
            .thread_ids
            .iter()
            .filter(|thread| !is_sampled(thread))
            .count() as u64;
        self.seen.processors = !self.processors.is_empty();
        self.finish_sources(&overview.events);
        overview.sources = self.sources.all();
        overview.sight = Sight::of(&self.seen, is_of_go, &overview.capabilities);
        overview
    }

    fn finish_sources(&mut self, events: &EventCounts) {
        if self.seen.syscalls {
            self.sources.kind(EventKind::GoSyscallBegin);
        }
        if self.seen.heap {
            self.sources.kind(EventKind::HeapAlloc);
        }
        if events.stack_samples > 0 {
            self.sources.samples();
        }
    }
}

fn inferred_name(what: Inferred) -> &'static str {
    match what {
        Inferred::TaskBegin => "task_begin",
        Inferred::TaskEnd => "task_end",
        Inferred::RegionBegin => "region_begin",
        Inferred::RegionEnd => "region_end",
        Inferred::Wake => "wake",
        Inferred::State => "state",
        Inferred::Run => "run",
        _ => "other",
    }
}
