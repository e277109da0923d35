//! Gathers [`Profile`]s while a trace is read.
//!
//! Which time counts depends on the kind: see [`ProfileKind`].

use exectrace_format::conventions::NETWORK as NETWORK_WAIT;
use exectrace_format::{SideRecord, TaskId};
use exectrace_replay::{
    Goroutine, GoroutineState, HeapSample, Names, Next, Origin, Stack, Text, UserTask,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::names::{Place, Places};
use crate::options::Options;
use crate::sums::add_ns;
use crate::time::{Flow, RegionTime, TimeSpan, World};

use super::heap::{HeapAmounts, HeapPass};
use super::{Profile, ProfileKind, ProfileSample};

#[derive(Debug)]
pub(crate) struct ProfilePass {
    profiles: Vec<Sums>,
    group: Option<Text>,
    user_task: Option<Text>,
    region: Option<Text>,
    /// Open user tasks of the name that is asked for.
    user_tasks: FxHashSet<u64>,
    /// What counts for a reason to wait: one bit for each kind of profile.
    reasons: Vec<Option<u8>>,
    /// What will count if its flow never runs.
    before_first_run: FxHashMap<u64, Vec<(Row, u64)>>,
    /// What will count if its flow turns out to have been in the region since before the trace.
    before_region: FxHashMap<u64, FxHashMap<Row, Sum>>,
    /// Runs of flows that have no name yet, by flow and profile.
    unnamed: FxHashMap<u64, Vec<(usize, Sum)>>,
    /// What the heap's profiles are made of, if they are asked for.
    heap: Option<HeapPass>,
    /// All user tasks that were of the name that is asked for, for the heap's.
    user_tasks_ever: FxHashSet<u64>,
}

/// A row of a profile: the profile's number and the row's.
type Row = (usize, usize);

#[derive(Debug)]
struct Sums {
    kind: ProfileKind,
    /// By row: the stack itself or, where rows have a label, its place in `labelled`.
    sums: Vec<Sum>,
    labelled: Vec<(Stack, Text)>,
    rows: FxHashMap<(Stack, Text), usize>,
}

impl Sums {
    fn new(kind: ProfileKind) -> Self {
        Self {
            kind,
            sums: Vec::new(),
            labelled: Vec::new(),
            rows: FxHashMap::default(),
        }
    }

    /// The row of a stack with something above its leaf.
    fn labelled(&mut self, stack: Stack, label: Text) -> usize {
        let Self { labelled, rows, .. } = self;
        *rows.entry((stack, label)).or_insert_with(|| {
            labelled.push((stack, label));
            labelled.len() - 1
        })
    }

    /// The stack of a row, leaf first.
    fn stack(&self, row: usize, names: &Names) -> Vec<Place> {
        let (stack, label) = match self.labelled.get(row) {
            Some(&(stack, label)) => (stack, names.get(label)),
            // Without labels rows are numbered as stacks are.
            None => (names.stack_at(row).unwrap_or_default(), ""),
        };
        let mut places = names.places(stack);
        if !label.is_empty() {
            let function = match self.kind {
                ProfileKind::WaitByReason => format!("[{label}]"),
                _ => label.to_owned(),
            };
            let label = Place {
                function,
                ..Place::default()
            };
            places.insert(0, label);
        }
        places
    }
}

/// Count and time.
type Sum = (u64, u64);

const NETWORK: u8 = 1;
const SYNC: u8 = 2;

impl ProfilePass {
    pub(crate) fn new(options: &Options, names: &mut Names) -> Self {
        let scope = &options.profile_scope;
        let mut named = |name: &Option<String>| name.as_deref().map(|name| names.intern(name));
        Self {
            group: named(&scope.group),
            user_task: named(&scope.user_task),
            region: named(&scope.region),
            profiles: options
                .profiles
                .iter()
                .map(|&kind| Sums::new(kind))
                .collect(),
            user_tasks: FxHashSet::default(),
            reasons: Vec::new(),
            before_first_run: FxHashMap::default(),
            before_region: FxHashMap::default(),
            unnamed: FxHashMap::default(),
            heap: options
                .profiles
                .iter()
                .any(|kind| kind.is_of_heap())
                .then(|| HeapPass::new(scope.user_task.is_some())),
            user_tasks_ever: FxHashSet::default(),
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) {
        if self.group.is_some_and(|group| group != flow.name) {
            return;
        }
        for profile in 0..self.profiles.len() {
            let kind = self.profiles[profile].kind;
            if !self.counts(world, kind, span) {
                continue;
            }
            let duration = match kind.is_of_go() {
                true => closed(span),
                false => all(world, flow, span),
            };
            if duration > 0 {
                self.count(flow, span, profile, duration);
            }
        }
    }

    /// Whether a profile of this kind is about such time.
    fn counts(&mut self, world: &World<'_>, kind: ProfileKind, span: &TimeSpan<'_>) -> bool {
        match (kind, span.state) {
            (ProfileKind::Network, GoroutineState::Waiting) => {
                self.reason(world, span.reason) & NETWORK != 0
            }
            (ProfileKind::Sync, GoroutineState::Waiting) => {
                self.reason(world, span.reason) & SYNC != 0
            }
            (ProfileKind::Wait | ProfileKind::WaitByReason, GoroutineState::Waiting)
            | (ProfileKind::Syscall, GoroutineState::Syscall)
            | (ProfileKind::Run | ProfileKind::RunBySpawn, GoroutineState::Running) => true,
            (ProfileKind::Scheduler, GoroutineState::Runnable) => !span.is_wake_concluded,
            _ => false,
        }
    }

    /// Which profiles waits for this reason are in.
    fn reason(&mut self, world: &World<'_>, reason: Text) -> u8 {
        let place = reason.index();
        if self.reasons.len() <= place {
            self.reasons.resize(place + 1, None);
        }
        *self.reasons[place].get_or_insert_with(|| {
            let text = world.names().get(reason);
            let sync = ["chan", "sync", "select"]
                .iter()
                .any(|part| text.contains(part));
            // What the driver woke may have waited for a timer or a signal.
            let network = text == NETWORK_WAIT;
            u8::from(network) * NETWORK + u8::from(sync) * SYNC
        })
    }

    fn count(&mut self, flow: &Flow<'_>, span: &TimeSpan<'_>, profile: usize, duration: u64) {
        if self.user_task.is_some() && !self.user_tasks.contains(&flow.user_task().0) {
            return;
        }
        let row = self.row(flow, span, profile);
        if let Some(region) = self.region
            && !flow.regions.iter().any(|open| open.name == region)
        {
            if let (Some(row), true) = (row, flow.is_older_than_trace()) {
                let held = self.before_region.entry(flow.id.0).or_default();
                let (count, sum_ns) = held.entry(row).or_default();
                *count += 1;
                add_ns(sum_ns, duration);
            }
            return;
        }
        let Some(row) = row else {
            return self.hold_unnamed(flow, profile, duration);
        };
        if flow.started.is_some() || !self.profiles[profile].kind.is_of_go() {
            self.add(row, (1, duration));
        } else if span.next != Next::State(GoroutineState::Running) {
            let held = self.before_first_run.entry(flow.id.0).or_default();
            held.push((row, duration));
        }
    }

    /// Keeps a run until the name of its flow is known.
    #[cold]
    fn hold_unnamed(&mut self, flow: &Flow<'_>, profile: usize, duration: u64) {
        let held = self.unnamed.entry(flow.id.0).or_default();
        match held.iter_mut().find(|(of, _)| *of == profile) {
            Some((_, (count, sum_ns))) => {
                *count += 1;
                add_ns(sum_ns, duration);
            }
            None => held.push((profile, (1, duration))),
        }
    }

    /// Where in the profile the span counts; `None` while the flow's name, a part of it, is not known.
    fn row(&mut self, flow: &Flow<'_>, span: &TimeSpan<'_>, profile: usize) -> Option<Row> {
        let sums = &mut self.profiles[profile];
        let row = match sums.kind {
            ProfileKind::WaitByReason => sums.labelled(span.stack, span.reason),
            ProfileKind::RunBySpawn if flow.name == Text::EMPTY => return None,
            ProfileKind::RunBySpawn => sums.labelled(flow.spawned_at, flow.name),
            ProfileKind::Run => span.end_stack.index(),
            _ => span.stack.index(),
        };
        Some((profile, row))
    }

    fn add(&mut self, (profile, row): Row, (count, duration): Sum) {
        let sums = &mut self.profiles[profile].sums;
        if sums.len() <= row {
            sums.resize(row + 1, (0, 0));
        }
        let (counted, sum_ns) = &mut sums[row];
        *counted += count;
        add_ns(sum_ns, duration);
    }

    pub(crate) fn flow_ends(&mut self, flow: &Flow<'_>) {
        self.before_region.remove(&flow.id.0);
        if let Some(samples) = self.before_first_run.remove(&flow.id.0)
            && flow.started.is_none()
        {
            for (row, duration) in samples {
                self.add(row, (1, duration));
            }
        }
        if let Some(runs) = self.unnamed.remove(&flow.id.0) {
            for (profile, sum) in runs {
                let row = self.profiles[profile].labelled(flow.spawned_at, flow.name);
                self.add((profile, row), sum);
            }
        }
    }

    pub(crate) fn region_ends(&mut self, flow: &Flow<'_>, region: &RegionTime<'_>) {
        // It has lasted since before the trace, so all that the flow did until now was in it.
        if region.begin.is_none()
            && self.region == Some(region.name)
            && let Some(held) = self.before_region.remove(&flow.id.0)
        {
            for (row, sum) in held {
                self.add(row, sum);
            }
        }
    }

    pub(crate) fn task_begins(&mut self, task: &UserTask) {
        // What is done in a concurrent span is done for the operation that it is a part of.
        let is_part = task.carries_span && self.user_tasks.contains(&task.parent.0);
        if is_part || !task.carries_span && self.user_task == Some(task.name) {
            self.user_tasks.insert(task.id.0);
            if self.heap.is_some() {
                self.user_tasks_ever.insert(task.id.0);
            }
        }
    }

    pub(crate) fn task_ends(&mut self, task: TaskId) {
        self.user_tasks.remove(&task.0);
    }

    pub(crate) fn sample(&mut self, flow: Option<&Goroutine>, stack: Stack) {
        let is_in = |limit: Option<Text>, holds: &dyn Fn(&Goroutine, Text) -> bool| {
            limit.is_none_or(|name| flow.is_some_and(|flow| holds(flow, name)))
        };
        let user_tasks = &self.user_tasks;
        if is_in(self.group, &|flow, name| flow.name == name)
            && is_in(self.user_task, &|flow, _| {
                user_tasks.contains(&flow.user_task().0)
            })
            && is_in(self.region, &|flow, name| {
                flow.regions.iter().any(|open| open.name == name)
            })
        {
            for profile in 0..self.profiles.len() {
                if self.profiles[profile].kind == ProfileKind::Cpu {
                    self.add((profile, stack.index()), (1, 0));
                }
            }
        }
    }

    /// An allocation that was sampled.
    pub(crate) fn heap_sample(&mut self, world: &World<'_>, sample: &HeapSample<'_>) {
        // Where in regions it was is not known: it stands before the events of its generation.
        if let (Some(heap), None) = (&mut self.heap, self.region) {
            heap.sample(world, self.group, sample);
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        if let Some(heap) = &mut self.heap {
            heap.side_record(world.clip, record);
        }
    }

    pub(crate) fn finish(self, world: &World<'_>) -> Vec<Profile> {
        let heap = self.heap.map(|heap| {
            let is_wanted = |user_task| self.user_tasks_ever.contains(&user_task);
            heap.finish(is_wanted)
        });
        let heap = heap.unwrap_or_default();
        let profile = |profile: Sums| {
            if profile.kind.is_of_heap() {
                return profile_of_heap(profile.kind, &heap, world.names());
            }
            let sums = profile.sums.iter().enumerate();
            let samples =
                sums.filter(|(_, (count, _))| *count > 0)
                    .map(|(row, &(count, duration_ns))| ProfileSample {
                        stack: profile.stack(row, world.names()),
                        count,
                        duration_ns,
                        heap: None,
                    });
            let mut samples: Vec<ProfileSample> = samples.collect();
            samples.sort_by(|a, b| {
                let key = |sample: &ProfileSample| (sample.duration_ns, sample.count);
                key(b).cmp(&key(a)).then_with(|| a.stack.cmp(&b.stack))
            });
            Profile {
                kind: profile.kind,
                samples,
            }
        };
        self.profiles.into_iter().map(profile).collect()
    }
}

/// The profile of a heap by what is alive, or by what was allocated.
fn profile_of_heap(kind: ProfileKind, heap: &[(Stack, HeapAmounts)], names: &Names) -> Profile {
    let sample = |&(stack, amounts): &(Stack, HeapAmounts)| ProfileSample {
        stack: names.places(stack),
        count: match kind {
            ProfileKind::Heap => amounts.inuse_samples,
            _ => amounts.samples,
        },
        duration_ns: 0,
        heap: Some(amounts),
    };
    let mut profile = Profile {
        kind,
        samples: heap.iter().map(sample).collect(),
    };
    let mut samples = std::mem::take(&mut profile.samples);
    samples.sort_by(|a, b| {
        let by_weight = profile.weight(b).cmp(&profile.weight(a));
        by_weight.then_with(|| a.stack.cmp(&b.stack))
    });
    profile.samples = samples;
    profile
}

/// What counts of a span by Go's rules: all of it, if the trace has its end.
fn closed(span: &TimeSpan<'_>) -> u64 {
    match span.is_closed() {
        true => span.inside,
        false => 0,
    }
}

/// All that the trace has of a span: in the state that a flow was in before the trace it has been since
/// the begin of the generation that reports it. A wait without end is the end of its flow.
fn all(world: &World<'_>, flow: &Flow<'_>, span: &TimeSpan<'_>) -> u64 {
    match span.origin {
        _ if flow.waits_forever() => 0,
        Origin::Before => world.clip.between(flow.created, span.end),
        _ => span.inside,
    }
}
