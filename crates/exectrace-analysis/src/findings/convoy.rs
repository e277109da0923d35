//! Async tasks that stood in line behind one, and were let through one by one.
//!
//! A task that is woken from a wait for a lock holds a link: who was the first to let another
//! through, when, and how many came since. If it wakes another that waited at the same place, and
//! did so before the first was let through, the link goes on to that one.

use exectrace_format::GoId;
use exectrace_format::conventions::SYNC;
use exectrace_replay::{Names, Stack, Text};
use rustc_hash::FxHashMap;

use crate::time::{Flow, World};
use crate::top::Top;

use super::machine::Machine;
use super::watch::Wake;
use super::{Exemplar, Finding, MAX_EXEMPLARS, plural, shown};

/// So many tasks in line make a convoy ...
const MIN_TASKS: u64 = 8;
/// ... if one of them waited so long.
const MIN_WAIT_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct ConvoyWatch {
    /// The reason to wait of locks, in Go and in ours: `sync`.
    lock: Text,
    /// The link that a task holds.
    links: FxHashMap<GoId, Link>,
    count: u64,
    total: u64,
    worst: Top<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    head: GoId,
    /// When the first was let through.
    begin: i64,
    stack: Stack,
    name: Text,
    tasks: u64,
    waited: u64,
    /// The longest wait, and when it began.
    longest: u64,
    since: i64,
}

impl Link {
    fn first(wake: &Wake<'_>) -> Self {
        Self {
            head: wake.by,
            begin: wake.wait.end,
            stack: wake.wait.stack,
            name: wake.flow.name,
            tasks: 0,
            waited: 0,
            longest: 0,
            since: wake.wait.begin,
        }
    }

    /// Whether the woken task stood in the same line.
    fn leads_to(&self, wake: &Wake<'_>) -> bool {
        self.stack == wake.wait.stack && wake.wait.begin <= self.begin && wake.flow.id != self.head
    }

    fn with(mut self, wake: &Wake<'_>) -> Self {
        self.tasks += 1;
        self.waited = self.waited.saturating_add(wake.wait.inside);
        if wake.wait.inside > self.longest {
            (self.longest, self.since) = (wake.wait.inside, wake.wait.begin);
        }
        self
    }
}

impl ConvoyWatch {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            lock: names.intern(SYNC),
            links: FxHashMap::default(),
            count: 0,
            total: 0,
            worst: Top::new(MAX_EXEMPLARS),
        }
    }

    #[inline]
    pub(super) fn woken(&mut self, wake: &Wake<'_>) {
        // Without a stack there is no telling which lock it is.
        if wake.wait.reason == self.lock && wake.wait.stack != Stack::NONE {
            self.let_through(wake);
        }
    }

    fn let_through(&mut self, wake: &Wake<'_>) {
        let held = self.links.get(&wake.by);
        let link = match held.filter(|link| link.leads_to(wake)) {
            Some(&link) => {
                // It lets one through.
                self.links.remove(&wake.by);
                link
            }
            None => Link::first(wake),
        };
        let known = self.links.insert(wake.flow.id, link.with(wake));
        known.into_iter().for_each(|link| self.settle(link));
    }

    pub(super) fn flow_ends(&mut self, flow: &Flow<'_>) {
        if !self.links.is_empty()
            && let Some(link) = self.links.remove(&flow.id)
        {
            self.settle(link);
        }
    }

    fn settle(&mut self, link: Link) {
        if link.tasks >= MIN_TASKS && link.longest >= MIN_WAIT_NS {
            self.count += 1;
            self.total = self.total.saturating_add(link.waited);
            self.worst.push(link.longest, link);
        }
    }

    /// By now all flows have ended, and left their links.
    pub(super) fn find(self, world: &World<'_>) -> Option<Finding> {
        let exemplar = |link: &Link| Exemplar {
            what: format!(
                "{} tasks such as {} in line behind task {}, the longest for {}",
                link.tasks,
                world.names().get(link.name),
                link.head.0,
                shown(link.longest)
            ),
            begin_ns: Some(world.since_begin(link.since)),
            duration_ns: Some(link.longest),
            async_task: Some(link.head.0),
            place: world.place_of_program(link.stack),
            ..Exemplar::default()
        };
        let exemplars: Vec<Exemplar> = self.worst.iter().map(exemplar).collect();
        let worst = &exemplars.first()?.what;
        let machine = Machine::of_world(world);
        Some(Finding {
            id: "convoy",
            severity: machine.warning(),
            message: format!(
                "{} at a lock{}: {worst}",
                plural(self.count, "convoy"),
                machine.doubt()
            ),
            count: self.count,
            total_ns: self.total,
            exemplars,
            rule: "8 tasks or more wait for a lock at one place, each is woken by the one before, \
                   all waited since before the first was, and one for 1 ms or more. No warning where the \
                   machine was full.",
            help: "Hold the lock for less, and not across an await; split what it guards; or give \
                   what it guards to a task of its own that is sent messages.",
            basis: machine.basis(),
        })
    }
}
