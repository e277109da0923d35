//! Gathers [`Profile`]s while a trace is played.
//!
//! A stretch counts by the rules of Go 1.27's `go tool trace -pprof`: what lies before the first
//! run of a flow, and what is open at the end of the trace, does not.

use exectrace_format::TaskId;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::names::{Names, Stack, Text};
use crate::options::Options;
use crate::play::{EndedRegion, Flow, Next, State, Stretch, UserTask, World};
use crate::sums::add_ns;

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
    /// What will count if its flow never runs; by flow, profile and stack.
    before_first_run: FxHashMap<u64, Vec<(usize, Stack, u64)>>,
    /// What will count if its flow turns out to have been in the region since before the trace.
    before_region: FxHashMap<u64, FxHashMap<(usize, Stack), Sum>>,
}

#[derive(Debug)]
struct Sums {
    kind: ProfileKind,
    /// By stack.
    sums: Vec<Sum>,
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
                .map(|&kind| Sums {
                    kind,
                    sums: Vec::new(),
                })
                .collect(),
            user_tasks: FxHashSet::default(),
            reasons: Vec::new(),
            before_first_run: FxHashMap::default(),
            before_region: FxHashMap::default(),
        }
    }

    #[inline]
    pub(crate) fn stretch(&mut self, world: &World, flow: &Flow, stretch: &Stretch) {
        if !stretch.is_closed() || self.group.is_some_and(|group| group != flow.name) {
            return;
        }
        let duration = stretch.inside;
        if duration == 0 {
            return;
        }
        for profile in 0..self.profiles.len() {
            let kind = self.profiles[profile].kind;
            if self.counts(world, kind, stretch) {
                let is_run = kind == ProfileKind::Run;
                let stack = if is_run {
                    stretch.end_stack
                } else {
                    stretch.stack
                };
                self.count(flow, stretch, (profile, stack, duration));
            }
        }
    }

    /// Whether a profile of this kind is about such stretches.
    fn counts(&mut self, world: &World, kind: ProfileKind, stretch: &Stretch) -> bool {
        match (kind, stretch.state) {
            (ProfileKind::Network, State::Waiting) => {
                self.reason(world, stretch.reason) & NETWORK != 0
            }
            (ProfileKind::Sync, State::Waiting) => self.reason(world, stretch.reason) & SYNC != 0,
            (ProfileKind::Wait, State::Waiting)
            | (ProfileKind::Syscall, State::Syscall)
            | (ProfileKind::Run, State::Running) => true,
            (ProfileKind::Scheduler, State::Runnable) => !stretch.is_wake_concluded,
            _ => false,
        }
    }

    /// Which profiles waits for this reason are in.
    fn reason(&mut self, world: &World, reason: Text) -> u8 {
        let place = reason.0 as usize;
        if self.reasons.len() <= place {
            self.reasons.resize(place + 1, None);
        }
        *self.reasons[place].get_or_insert_with(|| {
            let text = world.names.get(reason);
            let sync = ["chan", "sync", "select"]
                .iter()
                .any(|part| text.contains(part));
            let network = matches!(text, "network" | exectrace_format::WOKEN_BY_DRIVER);
            u8::from(network) * NETWORK + u8::from(sync) * SYNC
        })
    }

    fn count(&mut self, flow: &Flow, stretch: &Stretch, sample: (usize, Stack, u64)) {
        if self.user_task.is_some() && !self.user_tasks.contains(&flow.user_task()) {
            return;
        }
        if let Some(region) = self.region
            && !flow.regions.iter().any(|open| open.name == region)
        {
            if flow.is_older_than_trace() {
                let held = self.before_region.entry(flow.id.0).or_default();
                let (profile, stack, duration) = sample;
                let sum = held.entry((profile, stack)).or_default();
                *sum = (sum.0 + 1, sum.1 + duration);
            }
            return;
        }
        if flow.started.is_some() {
            self.add(sample, 1);
        } else if stretch.next != Next::State(State::Running) {
            self.before_first_run
                .entry(flow.id.0)
                .or_default()
                .push(sample);
        }
    }

    fn add(&mut self, (profile, stack, duration): (usize, Stack, u64), count: u64) {
        let sums = &mut self.profiles[profile].sums;
        let place = stack.0 as usize;
        if sums.len() <= place {
            sums.resize(place + 1, (0, 0));
        }
        let (counted, sum_ns) = &mut sums[place];
        *counted += count;
        add_ns(sum_ns, duration);
    }

    pub(crate) fn flow_ends(&mut self, flow: &Flow) {
        self.before_region.remove(&flow.id.0);
        if let Some(samples) = self.before_first_run.remove(&flow.id.0)
            && flow.started.is_none()
        {
            samples.into_iter().for_each(|sample| self.add(sample, 1));
        }
    }

    pub(crate) fn region_ends(&mut self, flow: &Flow, region: &EndedRegion<'_>) {
        // It has lasted since before the trace, so all that the flow did until now was in it.
        if region.begin.is_none()
            && self.region == Some(region.name)
            && let Some(held) = self.before_region.remove(&flow.id.0)
        {
            for ((profile, stack), (count, duration)) in held {
                self.add((profile, stack, duration), count);
            }
        }
    }

    pub(crate) fn task_begins(&mut self, task: &UserTask) {
        // What is done in a concurrent span is done for the operation that it is a part of.
        let is_part = task.carries && self.user_tasks.contains(&task.parent.0);
        if is_part || !task.carries && self.user_task == Some(task.name) {
            self.user_tasks.insert(task.id.0);
        }
    }

    pub(crate) fn task_ends(&mut self, task: TaskId) {
        self.user_tasks.remove(&task.0);
    }

    pub(crate) fn sample(&mut self, flow: Option<&Flow>, stack: Stack) {
        let is_in = |limit: Option<Text>, holds: &dyn Fn(&Flow, Text) -> bool| {
            limit.is_none_or(|name| flow.is_some_and(|flow| holds(flow, name)))
        };
        let user_tasks = &self.user_tasks;
        if is_in(self.group, &|flow, name| flow.name == name)
            && is_in(self.user_task, &|flow, _| {
                user_tasks.contains(&flow.user_task())
            })
            && is_in(self.region, &|flow, name| {
                flow.regions.iter().any(|open| open.name == name)
            })
        {
            for profile in 0..self.profiles.len() {
                if self.profiles[profile].kind == ProfileKind::Cpu {
                    self.add((profile, stack, 0), 1);
                }
            }
        }
    }

    pub(crate) fn finish(self, world: &World) -> Vec<Profile> {
        let profile = |profile: Sums| {
            let sums = profile
                .sums
                .iter()
                .zip(0..)
                .filter(|((count, _), _)| *count > 0);
            let samples = sums.map(|(&(count, duration_ns), stack)| ProfileSample {
                stack: world.names.places(Stack(stack)),
                count,
                duration_ns,
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
