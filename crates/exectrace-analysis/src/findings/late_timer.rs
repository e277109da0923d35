//! Async tasks that slept for longer than they asked for, because nobody looked at the timers.
//!
//! A trace does not say when a timer was due. But where the sleeps of tasks at one place nearly
//! all take the same time, that is what they ask for, and one that takes longer was woken late.
//! Places whose sleeps vary are not judged: backoffs, and intervals with work of varying length.
//! Timers in a `select`, and those that a trace without stacks calls `network`, are not seen.

use exectrace_format::conventions::SLEEP;
use exectrace_replay::{Names, Stack, Text};
use rustc_hash::FxHashMap;

use crate::histogram::Histogram;
use crate::time::World;
use crate::top::Top;

use super::machine::Machine;
use super::watch::Wake;
use super::{Exemplar, Finding, MAX_EXEMPLARS, Severity, plural, shown, sum};

/// So many sleeps at a place say how long they are meant to take: the median.
const MIN_SLEEPS: u64 = 20;
/// The tenth percentile is this much below it at most, and a fiftieth of it. Tokio's timers count
/// milliseconds apart.
const MAX_SPREAD_NS: u64 = 2_000_000;
/// A sleep is late from this much above it on, and a fiftieth of it.
const LATE_NS: u64 = 10_000_000;
/// The part of the median that is added to both.
const PART: u64 = 50;

#[derive(Debug)]
pub(super) struct LateTimerWatch {
    sleep: Text,
    places: FxHashMap<Stack, Sleeps>,
}

#[derive(Debug)]
struct Sleeps {
    durations: Histogram,
    longest: Top<Sleep>,
}

#[derive(Clone, Copy, Debug)]
struct Sleep {
    task: u64,
    name: Text,
    stack: Stack,
    begin: i64,
    duration: u64,
}

impl Sleeps {
    /// How long they are meant to take, if that can be known.
    fn usual(&self) -> Option<u64> {
        let usual = self.durations.quantile(0.5);
        let spread = usual - self.durations.quantile(0.1).min(usual);
        let is_known = self.durations.count() >= MIN_SLEEPS;
        (is_known && spread <= MAX_SPREAD_NS + usual / PART).then_some(usual)
    }
}

impl LateTimerWatch {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            sleep: names.intern(SLEEP),
            places: FxHashMap::default(),
        }
    }

    #[inline]
    pub(super) fn woken(&mut self, wake: &Wake<'_>) {
        if wake.wait.reason == self.sleep && wake.wait.stack != Stack::NONE {
            self.sleep_ends(wake);
        }
    }

    fn sleep_ends(&mut self, wake: &Wake<'_>) {
        let duration = wake.wait.duration();
        let place = self.places.entry(wake.wait.stack);
        let sleeps = place.or_insert_with(|| Sleeps {
            durations: Histogram::default(),
            longest: Top::new(MAX_EXEMPLARS),
        });
        sleeps.durations.record(duration);
        let sleep = Sleep {
            task: wake.flow.id.0,
            name: wake.flow.name,
            stack: wake.wait.stack,
            begin: wake.wait.begin,
            duration,
        };
        sleeps.longest.push(duration, sleep);
    }

    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let mut late: Vec<(u64, &Sleep)> = Vec::new();
        for sleeps in self.places.values() {
            let Some(usual) = sleeps.usual() else {
                continue;
            };
            let lateness = |sleep: &Sleep| sleep.duration.saturating_sub(usual);
            let is_late = |sleep: &&Sleep| lateness(sleep) >= LATE_NS + usual / PART;
            let of_place = sleeps.longest.iter().filter(is_late);
            late.extend(of_place.map(|sleep| (lateness(sleep), sleep)));
        }
        late.sort_by_key(|&(lateness, sleep)| (std::cmp::Reverse(lateness), sleep.begin));
        let exemplar = |&(lateness, sleep): &(u64, &Sleep)| Exemplar {
            what: format!(
                "{} slept for {}, {} longer than usual",
                world.names().get(sleep.name),
                shown(sleep.duration),
                shown(lateness)
            ),
            begin_ns: Some(world.since_begin(sleep.begin)),
            duration_ns: Some(sleep.duration),
            async_task: Some(sleep.task),
            place: world.place_of_program(sleep.stack),
            ..Exemplar::default()
        };
        let exemplars: Vec<Exemplar> = late.iter().map(exemplar).collect();
        let worst = &exemplars.first()?.what;
        let machine = Machine::of_world(world);
        Some(Finding {
            id: "late_timer",
            severity: Severity::Info,
            message: format!(
                "{} woken late{}: {worst}",
                plural(late.len() as u64, "timer"),
                machine.doubt()
            ),
            count: late.len() as u64,
            total_ns: sum(late.iter().map(|&(lateness, _)| lateness)),
            exemplars,
            rule: "A sleep that takes 10 ms and a fiftieth longer than the median of 20 or more at \
                   the same place, which is at most 2 ms and a fiftieth above the tenth \
                   percentile; the ten longest of each place are looked at.",
            help: "The workers were too busy to look at the timers: look for long runs at the time \
                   it was due.",
            basis: machine.basis(),
        })
    }
}
