//! What was measured, and ratios within a turn.

use std::collections::{BTreeMap, HashMap};

use exectrace_benches::median;

use crate::plan::Measure;

/// Numbers of one turn of one subject: CPU time an operation, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// What it is compared with: the floor on the same threads, or the same tasks without the tracer;
    /// of the threads that do the work, and of all.
    pub(crate) base: f64,
    pub(crate) base_all: f64,
    /// With the tracer.
    pub(crate) own: f64,
    pub(crate) all: f64,
}

/// All turns, in order; the n-th turns of all subjects were taken one after the other.
#[derive(Default)]
pub(crate) struct Results {
    turns: HashMap<(&'static str, Measure), BTreeMap<usize, Turn>>,
    /// Why a subject has no figures.
    pub(crate) failures: BTreeMap<&'static str, String>,
}

impl Results {
    pub(crate) fn add(&mut self, subject: &'static str, measure: Measure, turn: usize, took: Turn) {
        let turns = self.turns.entry((subject, measure)).or_default();
        turns.insert(turn, took);
    }

    /// Gives those that cannot be without their tracer the others' base of the same turn.
    pub(crate) fn lend_bases(&mut self, measure: Measure, turn: usize) {
        let of_turn = |turns: &BTreeMap<usize, Turn>| turns.get(&turn).copied();
        let same = self.turns.iter().filter(|((_, kind), _)| *kind == measure);
        let bases: Vec<Turn> = same
            .filter_map(|(_, turns)| of_turn(turns))
            .filter(|took| took.base.is_finite())
            .collect();
        let base = median(&bases.iter().map(|took| took.base).collect::<Vec<_>>());
        let base_all = median(&bases.iter().map(|took| took.base_all).collect::<Vec<_>>());
        for ((_, kind), turns) in &mut self.turns {
            if let Some(took) = turns.get_mut(&turn).filter(|_| *kind == measure)
                && took.base.is_nan()
            {
                took.base = base;
                took.base_all = base_all;
            }
        }
    }

    fn of(&self, subject: &str, measure: Measure) -> Option<&BTreeMap<usize, Turn>> {
        // A map keyed by static names is asked with any.
        let found = self
            .turns
            .iter()
            .find(|((name, kind), _)| *name == subject && *kind == measure);
        found.map(|(_, turns)| turns)
    }

    /// The median of something of each turn.
    pub(crate) fn median(
        &self,
        subject: &str,
        measure: Measure,
        number: impl Fn(&Turn) -> f64,
    ) -> Option<f64> {
        let turns = self.of(subject, measure)?;
        finite(median(&turns.values().map(number).collect::<Vec<_>>()))
    }

    /// Nanoseconds of the threads that do the work.
    pub(crate) fn own(&self, subject: &str, measure: Measure) -> Option<f64> {
        self.median(subject, measure, |turn| turn.own)
    }

    /// Times the floor, or times the same tasks without the tracer.
    pub(crate) fn ratio(&self, subject: &str, measure: Measure) -> Option<f64> {
        self.median(subject, measure, |turn| turn.own / turn.base)
    }

    /// The same of all threads together.
    pub(crate) fn ratio_of_all(&self, subject: &str, measure: Measure) -> Option<f64> {
        self.median(subject, measure, |turn| turn.all / turn.base_all)
    }

    /// Compares each turn with another subject's same turn.
    pub(crate) fn beside(
        &self,
        subject: &str,
        other: &str,
        measure: Measure,
        compare: impl Fn(&Turn, &Turn) -> f64,
    ) -> Option<f64> {
        let (own, other) = (self.of(subject, measure)?, self.of(other, measure)?);
        let pairs = own
            .iter()
            .filter_map(|(turn, own)| Some(compare(own, other.get(turn)?)));
        finite(median(&pairs.collect::<Vec<_>>()))
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
