//! Observes a replay: charges time, and hands what happens to the analyses.

use std::convert::Infallible;

use exectrace_format::conventions::POLLING_TASKS;
use exectrace_format::{CompactKind, GoId, Metric, ProcState, SideRecord, StateChange};
use exectrace_replay::{
    Clip, End, EndedRegion, GoroutineKind, GoroutineState, HeapSample, Input, Log, Names, Next,
    Observer, Origin, ProcChange, Range, Slot, Stack, State, StateSpan, Text, UserTask, Wake,
    between,
};

use crate::analysis::Analysis;
use crate::breakdown::Sums;
use crate::options::Options;
use crate::passes::Passes;

use super::charge::{charge, charge_before, close};
use super::flow::{Charges, Flow, Flows};
use super::gap::{Did, Innermost, Mark};
use super::kernel;
use super::regions::RegionTime;
use super::span::TimeSpan;
use super::world::{Totals, World};

/// Computes what [`Options`] ask for while a trace is replayed.
#[derive(Debug)]
pub(crate) struct Analyzer {
    options: Options,
    pub(super) totals: Totals,
    pub(super) charges: Charges,
    passes: Passes,
    /// Sums of a region, kept for their memory.
    scratch: Sums,
    has_begun: bool,
    async_tasks_alive: u64,
    /// The result, when the trace has ended.
    pub(crate) analysis: Analysis,
}

impl Analyzer {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            totals: Totals::default(),
            charges: Charges::default(),
            passes: Passes::default(),
            scratch: Sums::default(),
            has_begun: false,
            async_tasks_alive: 0,
            analysis: Analysis::default(),
        }
    }

    /// The flow on which the event happens recorded something.
    fn mark(&mut self, state: &State, did: Did, stack: Stack) {
        if let Some(slot) = state.goroutines().find(state.goroutine()) {
            let mut flow = self.charges.flow(state, slot);
            let time = state.now();
            let innermost = Innermost::of(&flow.regions);
            flow.marks(Mark { did, time, stack }, innermost);
        }
    }

    /// Counts an event that is no change of a flow's state; few events are not.
    #[inline(never)]
    fn count(&mut self, state: &State, input: &Input<'_>) {
        let totals = &mut self.totals;
        let overview = &mut totals.facts.overview;
        overview.events.count(&input.event.kind);
        match input.event.kind {
            CompactKind::Sync { number, clock } => {
                overview.generations = number.saturating_sub(1);
                if let Some(clock) = clock {
                    totals.facts.clock(totals.begin, &clock);
                }
            }
            CompactKind::UnreadableSideData(_) => overview.unreadable_side_data += 1,
            CompactKind::Metric { metric, .. } => {
                totals.facts.seen.heap |= metric == Metric::HeapAlloc;
            }
            CompactKind::RangeBegin { .. }
            | CompactKind::RangeActive { .. }
            | CompactKind::RangeEnd { .. } => {}
            _ => return,
        }
        let charges = &mut self.charges;
        let mut flows = Flows { state, charges };
        let world = World { state, totals };
        self.passes
            .event(&world, &mut flows, input.event, input.tables);
    }
}

/// The pool in which a flow is ready to run changes.
#[inline(always)]
fn ready_in(flow: &mut Flow<'_>, totals: &mut Totals, ready_in: Option<u32>) {
    let was_ready_in = std::mem::replace(&mut flow.time.ready_in, ready_in);
    if was_ready_in == ready_in {
        return;
    }
    let (now, begin, clip) = (totals.now, totals.begin, totals.clip);
    if let Some(pool) = was_ready_in {
        totals.slack.runnable(pool, -1, now, begin, clip);
    }
    if let Some(pool) = ready_in {
        totals.slack.runnable(pool, 1, now, begin, clip);
    }
}

/// A flow ends a run: with it a poll ends, unless it makes a call in the middle of that.
#[inline(always)]
fn run_ends(state: &State, flow: &mut Flow<'_>, span: &mut TimeSpan<'_>, clip: Clip) {
    // In Go's tools a run ends at each call, and a goroutine is in the hands of its scheduler then.
    let is_in_poll = span.enters_call && !state.is_of_go();
    let mark = Mark {
        did: match is_in_poll {
            true => Did::Call(called(state, span.own_end_stack)),
            false => Did::End,
        },
        time: span.end,
        stack: span.end_stack,
    };
    let innermost = Innermost::of(&flow.regions);
    flow.marks(mark, innermost);
    let since = flow.time.poll_since.take().unwrap_or(span.begin);
    match is_in_poll {
        true => flow.time.poll_since = Some(since),
        // Of a thread's own code it is not known when it ran.
        false if span.state == GoroutineState::Running => {
            span.ends_poll(since, flow.time.poll_preempted, clip);
        }
        false => {}
    }
}

/// The call in which a stack ends.
fn called(state: &State, stack: Stack) -> Text {
    let leaf = state.names().locations(stack).next();
    leaf.map_or(Text::EMPTY, |leaf| leaf.function)
}

/// A flow begins a call: what its pool has to wait meanwhile counts from now on.
fn call_begins(flow: &mut Flow<'_>, totals: &Totals) {
    if let Some(pool) = flow.time.pool {
        flow.time.ready_at_call = totals.slack.ready_ns(pool, totals.now);
    }
}

impl Observer for Analyzer {
    type Error = Infallible;

    fn start(&mut self, names: &mut Names) {
        self.totals.polling_tasks = names.intern(POLLING_TASKS);
        self.passes = Passes::new(&self.options, names);
    }

    #[inline]
    fn before(&mut self, state: &mut State, input: &Input<'_>) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        totals.now = state.now();
        if !self.has_begun {
            self.has_begun = true;
            totals.begin = state.begin();
            totals.clip = Clip::new(self.options.window, totals.begin);
        }
        totals.facts.thread(input.event.thread);
        match input.event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { .. },
                ..
            } => totals.facts.overview.events.count_transition(),
            _ => self.count(state, input),
        }
        Ok(())
    }

    fn appear(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        self.charges.begin(slot);
        let goroutine = state.goroutines().at(slot);
        if self.passes.watches() && goroutine.parent.is_some() {
            self.mark(state, Did::Spawn, goroutine.spawned_at);
        }
        Ok(())
    }

    fn named(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let goroutine = state.goroutines().at(slot);
        let facts = &mut self.totals.facts;
        facts.used.tasks.add(goroutine.name);
        facts.seen.flow(goroutine.kind);
        Ok(())
    }

    fn labelled(&mut self, state: &State, slot: Slot, _before: Text) -> Result<(), Infallible> {
        let mut flow = self.charges.flow(state, slot);
        self.passes.label(state, &mut flow);
        Ok(())
    }

    #[inline]
    fn leave(&mut self, state: &State, slot: Slot, span: &StateSpan<'_>) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let mut flow = self.charges.flow(state, slot);
        // Most flows do nothing for the collector.
        if flow.time.collecting.does_something() {
            let executes_next = match span.next {
                Next::State(next) => next.has_thread(),
                Next::End => false,
                Next::TraceEnd => span.state.has_thread(),
            };
            if span.state.has_thread() != executes_next {
                self.passes.executes(state, &mut flow, executes_next);
            }
        }
        let mut span = TimeSpan::new(span, totals.clip);
        if span.whole().state == GoroutineState::Running {
            kernel::run_ends(&mut flow, &mut span, &totals.facts.processors, totals.clip);
            run_ends(state, &mut flow, &mut span, totals.clip);
        }
        charge(&mut flow, &span, totals.clip);
        match span.next {
            Next::End => ready_in(&mut flow, totals, None),
            Next::TraceEnd => flow.time.is_cut = true,
            Next::State(_) => {}
        }
        self.passes
            .leave(&World { state, totals }, &mut flow, &span);
        Ok(())
    }

    #[inline]
    fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), Infallible> {
        let Some(wait) = wake.wait else {
            return Ok(());
        };
        if state.goroutines().at(slot).waits_in_call {
            // Nobody woke it: its call is over.
            return Ok(());
        }
        if state.goroutines().at(slot).kind != GoroutineKind::Thread {
            self.totals.facts.seen.wake(wake.is_concluded);
        }
        if self.passes.watches() {
            if state.goroutine() != state.goroutines().at(slot).id {
                self.mark(state, Did::Wake, wake.stack);
            }
            let flow = self.charges.flow(state, slot);
            let totals = &mut self.totals;
            let wait = TimeSpan::new(wait, totals.clip);
            self.passes.woken(&World { state, totals }, &flow, &wait);
        }
        Ok(())
    }

    #[inline]
    fn enter(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let mut flow = self.charges.flow(state, slot);
        let goroutine = flow.goroutine;
        if goroutine.origin == Origin::Before {
            let before = totals.clip.between(state.generation_begin(), state.now());
            charge_before(&mut flow, before);
        }
        // What was never run, as far as is known, and is not Go's, may be for a blocking pool, whose
        // threads are no shared workers.
        let is_new = !matches!(goroutine.origin, Origin::From(_));
        let may_be_shared = !is_new || state.is_of_go();
        if is_new && may_be_shared {
            // Go's have one pool, whatever they ran on.
            flow.time.pool = World { state, totals }.pool(goroutine.proc.0);
        }
        let is_ready = goroutine.state == GoroutineState::Runnable && may_be_shared;
        let pool = if is_ready { flow.time.pool } else { None };
        ready_in(&mut flow, totals, pool);
        match goroutine.state {
            GoroutineState::Running => {
                match flow.time.poll_since {
                    Some(_) => flow.call_ends(state.now()),
                    None => {
                        flow.run_begins(state.now());
                        flow.time.poll_preempted = Some(0);
                    }
                }
                if flow.time.pool_proc != Some(goroutine.proc.0) {
                    flow.time.pool_proc = Some(goroutine.proc.0);
                    flow.time.pool = World { state, totals }.pool(goroutine.proc.0);
                }
            }
            GoroutineState::Syscall => {
                totals.facts.seen.syscalls = true;
                call_begins(&mut flow, totals);
            }
            GoroutineState::Waiting if goroutine.waits_in_call => {
                totals.facts.seen.syscalls = true;
                call_begins(&mut flow, totals);
            }
            GoroutineState::Waiting if goroutine.ended.is_some() => {
                close(&mut flow, state.now(), totals.clip);
            }
            _ => {}
        }
        Ok(())
    }

    fn vanish(&mut self, state: &State, slot: Slot, end: End) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let mut flow = self.charges.flow(state, slot);
        let is_task = flow.kind != GoroutineKind::Thread;
        self.async_tasks_alive += u64::from(is_task && end == End::WithTrace);
        close(&mut flow, state.now(), totals.clip);
        self.passes.flow_ends(&World { state, totals }, &mut flow);
        Ok(())
    }

    fn proc(&mut self, state: &State, change: &ProcChange) -> Result<(), Infallible> {
        let (proc, to) = (change.proc.0, change.to);
        let totals = &mut self.totals;
        let (now, begin, clip) = (totals.now, totals.begin, totals.clip);
        if let Some(pool) = (World { state, totals }).pool(proc) {
            let was_idle = totals.lanes.is_idle(proc);
            let change = i64::from(to == ProcState::Idle) - i64::from(was_idle);
            totals.slack.worker(pool, change, now, begin, clip);
        }
        let first = state.generation_begin();
        let lane = totals.lanes.change(proc, to, (first, now), clip);
        if change.from == ProcState::Running && to == ProcState::Idle {
            lane.parks += 1;
        }
        lane.steals += u64::from(change.taken_from.is_some());
        Ok(())
    }

    fn region_begin(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let mut flow = self.charges.flow(state, slot);
        if let Some(region) = flow.regions.last() {
            totals.facts.used.regions.add(region.name);
            let mark = Mark {
                did: Did::RegionBegin(region.name),
                time: state.now(),
                stack: region.stack,
            };
            let innermost = Innermost::of(flow.outer_regions());
            flow.marks(mark, innermost);
        }
        kernel::runs_on(
            &mut flow,
            state.now(),
            &totals.facts.processors,
            totals.clip,
        );
        flow.region_begins(state.now(), totals.clip);
        self.passes.region_begins(&World { state, totals }, &flow);
        Ok(())
    }

    fn region_end(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let now = state.now();
        let mut flow = self.charges.flow(state, slot);
        if region.end == End::Seen {
            totals.facts.used.regions.add(region.name);
            let mark = Mark {
                did: Did::RegionEnd(region.name),
                time: now,
                stack: region.end_stack,
            };
            flow.marks(mark, Innermost::ended(region));
        }
        kernel::runs_on(&mut flow, now, &totals.facts.processors, totals.clip);
        let mut sums = std::mem::take(&mut self.scratch);
        let own = flow.region_ends(region, (now, totals.begin), totals.clip, &mut sums);
        flow.forget_polling(totals.polling_tasks, &mut sums);
        let region = RegionTime::new(region, now, own, &sums);
        self.passes
            .region_ends(&World { state, totals }, &flow, &region);
        self.scratch = sums;
        Ok(())
    }

    fn user_task_begin(&mut self, state: &State, user_task: &UserTask) -> Result<(), Infallible> {
        self.mark(state, Did::TaskBegin(user_task.name), user_task.stack);
        let totals = &mut self.totals;
        let used = &mut totals.facts.used;
        if user_task.carries_span {
            used.regions.add(user_task.name);
            used.concurrent_spans.add(user_task.name);
            totals.facts.seen.concurrent_spans = true;
        } else {
            used.user_tasks.add(user_task.name);
        }
        self.passes.task_begins(&World { state, totals }, user_task);
        Ok(())
    }

    fn user_task_end(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), Infallible> {
        if end == End::Seen {
            self.mark(state, Did::TaskEnd(user_task.name), Stack::NONE);
            let totals = &mut self.totals;
            self.passes.task_ends(&World { state, totals }, user_task);
        } else {
            self.passes.task_stays_open(user_task);
        }
        Ok(())
    }

    fn range_begin(&mut self, state: &State, range: &Range) -> Result<(), Infallible> {
        self.range_begins(state, range, !range.is_begin_seen);
        Ok(())
    }

    fn range_goes_on(&mut self, state: &State, range: &Range) -> Result<(), Infallible> {
        self.range_begins(state, range, true);
        Ok(())
    }

    fn range_end(&mut self, state: &State, range: &Range, end: End) -> Result<(), Infallible> {
        if end == End::Seen {
            self.range_ends(state, range);
        }
        Ok(())
    }

    fn log(&mut self, state: &State, log: &Log<'_>) -> Result<(), Infallible> {
        self.mark(state, Did::Log, log.stack);
        let totals = &mut self.totals;
        self.passes.log(&World { state, totals }, log);
        Ok(())
    }

    fn sample(&mut self, state: &State, of: GoId, stack: Stack) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        self.passes.sample(&World { state, totals }, of, stack);
        Ok(())
    }

    fn heap_sample(&mut self, state: &State, sample: &HeapSample<'_>) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        self.passes.heap_sample(&World { state, totals }, sample);
        Ok(())
    }

    fn side(&mut self, state: &State, record: &SideRecord) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        totals.facts.side_record(record, totals.begin, totals.clip);
        let reports = &mut totals.facts.processors.reports;
        reports.side_record(record, totals.now);
        self.passes.side_record(&World { state, totals }, record);
        Ok(())
    }

    fn finish(&mut self, state: &mut State) -> Result<(), Infallible> {
        let totals = &mut self.totals;
        let (now, begin, clip) = (totals.now, totals.begin, totals.clip);
        totals.slack.finish(now, begin, clip);
        for lane in &mut totals.lanes.all {
            lane.settle(now, lane.is_held, clip);
        }
        let facts = &mut totals.facts;
        facts.overview.async_tasks = state.goroutines().seen() - facts.seen.threads;
        facts.overview.async_tasks_alive = self.async_tasks_alive;
        facts.overview.duration_ns = between(begin, now);
        facts.overview.workers = totals.lanes.all.len() as u64;
        self.analysis.overview = totals.facts.finish(state.is_of_go());
        self.analysis.names = totals.facts.used.names(state.names());
        let passes = std::mem::take(&mut self.passes);
        passes.finish((state, totals), &mut self.analysis);
        Ok(())
    }
}
