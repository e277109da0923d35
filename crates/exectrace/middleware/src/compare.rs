//! Compares a trace with the program's own account of its spans.

use std::collections::{BTreeSet, HashMap};

use exectrace_analysis::RegionInstance;
use exectrace_format::{GoId, TaskId};

use crate::{Account, Lived, Trace, Window};

/// Whether the tracer follows the async tasks in which a program's spans are entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// A span is one region of its task, or a user task carries it.
    Followed,
    /// The same, where some spans are entered by several tasks, in each of which they have a region.
    Several,
    /// A worker's polls are its thread's own code, in which each time that a span is entered is a region.
    NotFollowed,
}

/// A span of the account, and what the trace has of it.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    lived: &'a Lived,
    seen: &'a RegionInstance,
    /// Its first entry, on the clock of the trace.
    begin: i64,
    /// Its close.
    end: i64,
}

impl Trace {
    /// Compares all spans with the account: their number, first entries, closes, busy times, entries and
    /// ancestors.
    ///
    /// # Panics
    ///
    /// If they differ.
    pub fn agrees_with(&self, account: &Account, tasks: Tasks) {
        let seen: BTreeSet<_> = self.spans.keys().map(String::as_str).collect();
        assert_eq!(seen, account.names());
        let pairs = self.pairs(account);
        lie_within_what_the_program_saw(&pairs);
        pairs.values().for_each(was_busy);
        self.have_their_ancestors(&pairs);
        if tasks != Tasks::Several {
            // Entries on several threads at once all count.
            for Pair { seen, .. } in pairs.values() {
                assert!(seen.busy_ns <= Some(seen.duration_ns), "{seen:?}");
            }
        }
        match tasks {
            Tasks::Followed => self.nest(&pairs),
            Tasks::Several => {}
            Tasks::NotFollowed => self.have_a_region_for_each_stretch(account),
        }
    }

    /// By the index in the account.
    fn pairs<'a>(&'a self, account: &'a Account) -> HashMap<usize, Pair<'a>> {
        let mut entered: Vec<_> = account.spans.iter().enumerate().collect();
        entered.retain(|(_, span)| span.first.is_some());
        entered.sort_unstable_by_key(|(_, span)| span.first.map(|first| first.before));
        let mut pairs = HashMap::new();
        for name in account.names() {
            let seen = &self.spans[name];
            let of_name = entered.iter().filter(|(_, span)| span.name == name);
            let of_name: Vec<_> = of_name.collect();
            assert_eq!(seen.len(), of_name.len(), "number of spans {name}");
            for (&&(index, lived), seen) in of_name.iter().zip(seen) {
                let at = |ns: Option<u64>| {
                    let ns = ns.unwrap_or_else(|| panic!("{name} is seen whole: {seen:?}"));
                    self.begin + ns.cast_signed()
                };
                let (begin, end) = (at(seen.begin_ns), at(seen.end_ns));
                let pair = Pair {
                    lived,
                    seen,
                    begin,
                    end,
                };
                pairs.insert(index, pair);
            }
        }
        pairs
    }

    /// The record of a span, if it has one, names its parent by the parent's first entry; the user tasks
    /// that a span is in lead up to its root's.
    fn have_their_ancestors(&self, pairs: &HashMap<usize, Pair<'_>>) {
        let records = self.records.iter().map(|record| (record.first_ns, record));
        let records: HashMap<_, _> = records.collect();
        for pair in pairs.values() {
            let name = pair.lived.name;
            let ancestors = &pair.lived.ancestors;
            let mut entered = ancestors.iter().filter_map(|ancestor| pairs.get(ancestor));
            let parent = entered.next();
            if let Some(record) = records.get(&pair.begin.cast_unsigned()) {
                let begin = parent.map_or(0, |parent| parent.begin.cast_unsigned());
                assert_eq!(record.parent_ns, begin, "the parent of {name}: {record:?}");
            }
            let root = ancestors.last().map_or(Some(pair), |root| pairs.get(root));
            if let Some(root) = root {
                let task =
                    |pair: &Pair<'_>| TaskId(pair.seen.user_task.expect("spans are of user tasks"));
                assert_eq!(self.top(task(pair)), task(root), "the user task of {name}");
                assert_eq!(self.tasks[&task(root)].name, root.lived.name);
            }
        }
    }

    /// The user task above all others.
    fn top(&self, task: TaskId) -> TaskId {
        let parent = |task: &TaskId| Some(self.tasks.get(task)?.parent);
        let chain = std::iter::successors(Some(task), parent);
        let known = chain.filter(|task| task.0 > 2 && self.tasks.contains_key(task));
        known.last().expect("a user task")
    }

    /// In Go's tools, a span is one region around those of its children, or a user task carries it.
    fn nest(&self, pairs: &HashMap<usize, Pair<'_>>) {
        let regions = self.regions.iter().map(|region| (region.begin, region));
        let regions: HashMap<_, _> = regions.collect();
        let ends: HashMap<_, _> = pairs.values().map(|pair| (pair.begin, pair.end)).collect();
        let shown = pairs
            .values()
            .filter(|pair| regions.contains_key(&pair.begin));
        assert_eq!(regions.len(), shown.count(), "each region is a span");
        for pair in pairs.values() {
            let name = pair.lived.name;
            let Some(region) = regions.get(&pair.begin) else {
                assert!(self.is_carried(pair), "{name} is carried: {pair:?}");
                continue;
            };
            assert_eq!(region.name, name);
            assert_eq!(region.go, GoId(pair.seen.async_task));
            assert!(
                region.end >= pair.end,
                "{name}: {region:?} ends after {pair:?}"
            );
            let entered_in = pair.lived.inside.iter().chain(&pair.lived.ancestors);
            let entered_in: Vec<_> = entered_in
                .filter_map(|index| Some(pairs.get(index)?.begin))
                .collect();
            for around in &region.around {
                let is_over = ends.get(around).is_some_and(|&end| end < pair.begin);
                assert!(
                    entered_in.contains(around) || is_over,
                    "{name} lies in what it was entered in: {:?} {:?}",
                    regions[around],
                    pair
                );
            }
            let parent = pair.lived.ancestors.first();
            let parent = parent.and_then(|parent| regions.get(&pairs.get(parent)?.begin));
            if let Some(parent) = parent.filter(|parent| parent.go == region.go) {
                assert!(
                    region.around.contains(&parent.begin),
                    "{name} lies in its parent: {region:?} {parent:?}"
                );
            }
        }
    }

    /// A user task of its own shows the span, in the place of a region.
    fn is_carried(&self, pair: &Pair<'_>) -> bool {
        let task = pair
            .seen
            .user_task
            .and_then(|task| self.tasks.get(&TaskId(task)));
        task.is_some_and(|task| {
            let is_its = task.name == pair.lived.name && task.end >= Some(pair.end);
            is_its && (task.begin == pair.begin || !task.is_carrier && task.begin < pair.begin)
        })
    }

    /// Where a thread's code is not known to be a task's, each entry is a region; those that are not the
    /// whole span are marked.
    fn have_a_region_for_each_stretch(&self, account: &Account) {
        for name in account.names() {
            let of_name = || self.regions.iter().filter(|region| region.name == name);
            let entries: u64 = account.entered(name).iter().map(|span| span.entries).sum();
            assert_eq!(of_name().count() as u64, entries, "regions of {name}");
            let records = self.records.iter().filter(|record| &*record.name == name);
            let whole = of_name().filter(|region| !region.is_part).count();
            assert_eq!(records.count() + whole, self.count(name), "spans of {name}");
        }
    }
}

/// A single difference between the two clocks fits all first entries and closes.
fn lie_within_what_the_program_saw(pairs: &HashMap<usize, Pair<'_>>) {
    let (mut least, mut most) = ((i64::MIN, None), (i64::MAX, None));
    for pair in pairs.values() {
        let first = pair.lived.first.expect("it was entered");
        let closed = pair.lived.closed;
        let closed = closed.unwrap_or_else(|| panic!("{} is closed: {pair:?}", pair.lived.name));
        // One region is the whole span, to where it was left.
        let end = match pair.lived.entries == 1 && pair.lived.closed_where_left {
            true => Window {
                before: pair.lived.left.before,
                ..closed
            },
            false => closed,
        };
        for (window, time) in [(first, pair.begin), (end, pair.end)] {
            if window.before - time > least.0 {
                least = (window.before - time, Some(pair));
            }
            if window.after - time < most.0 {
                most = (window.after - time, Some(pair));
            }
        }
    }
    assert!(
        least.0 <= most.0,
        "first entries and closes: {least:#?} {most:#?}"
    );
}

fn was_busy(pair: &Pair<'_>) {
    let Pair { lived, seen, .. } = pair;
    let name = lived.name;
    assert_eq!(seen.entries, Some(lived.entries), "{name}: {pair:#?}");
    let busy = seen.busy_ns.map(u64::cast_signed);
    let busy = busy.unwrap_or_else(|| panic!("{name} was busy: {seen:?}"));
    let (least, most) = lived.busy;
    assert!(least <= busy && busy <= most, "{name} was busy: {pair:#?}");
    assert!(seen.place.is_some(), "{name} has a place: {seen:?}");
    adds_up(seen);
    assert_eq!(seen.duration_ns.cast_signed(), pair.end - pair.begin);
}

/// The times that a span's time is divided into are not more than the span took, and add up to it if all is seen.
fn adds_up(seen: &RegionInstance) {
    let breakdown = &seen.breakdown;
    let waiting = breakdown.waiting.iter().flatten();
    let waiting: u64 = waiting.map(|reason| reason.duration_ns).sum();
    let running = breakdown.running_ns.unwrap_or(0);
    let known = waiting + running + breakdown.runnable_ns.unwrap_or(0) + breakdown.unknown_ns;
    assert!(known <= seen.duration_ns, "{seen:?}");
    if breakdown.runnable_ns.is_some() && breakdown.waiting.is_some() {
        assert_eq!(known, seen.duration_ns, "{seen:?}");
    }
}
