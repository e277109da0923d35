//! The analyses of one run, each handed what it may want to know.

use exectrace_format::conventions::TRACER_TASK;
use exectrace_format::{CompactEvent, GoId, SideRecord, Tables};
use exectrace_replay::{
    BoundFilter, Goroutine, HeapSample, Log, Names, Stack, State, StateSpan, UserTask,
};

use crate::allocated::Owner;
use crate::analysis::Analysis;
use crate::counters::CounterPass;
use crate::critical_path::CriticalPathPass;
use crate::findings::WatchPass;
use crate::gc::GcPass;
use crate::latency::LatencyPass;
use crate::logs::LogPass;
use crate::options::Options;
use crate::profile::ProfilePass;
use crate::regions::RegionPass;
use crate::syscalls::SyscallPass;
use crate::tasks::TaskPass;
use crate::time::{
    BegunTask, Flow, Flows, Part, RegionTime, Spans, TimeSpan, Totals, WholeSpan, World,
};
use crate::user_tasks::UserTaskPass;
use crate::workers::WorkerPass;

#[derive(Debug, Default)]
pub(crate) struct Passes {
    filter: BoundFilter,
    tasks: Option<TaskPass>,
    latencies: Option<LatencyPass>,
    workers: Option<WorkerPass>,
    user_tasks: Option<UserTaskPass>,
    critical_path: Option<CriticalPathPass>,
    regions: Option<RegionPass>,
    logs: Option<LogPass>,
    profiles: Option<ProfilePass>,
    syscalls: Option<SyscallPass>,
    gc: Option<GcPass>,
    counters: Option<CounterPass>,
    watch: Option<WatchPass>,
    /// Spans, for those that ask for them.
    spans: Option<Spans>,
    /// The filter let one through.
    lets_time_through: bool,
}

impl Passes {
    pub(crate) fn new(options: &Options, names: &mut Names) -> Self {
        let top = options.top;
        Self {
            filter: BoundFilter::new(&options.filter, names),
            tasks: options.tasks.then(|| {
                let narrows = options.filter.is_about_spans();
                TaskPass::new(top, options.each_task, narrows)
            }),
            latencies: options.latencies.then(LatencyPass::default),
            workers: options.workers.then(WorkerPass::default),
            user_tasks: options
                .user_tasks
                .then(|| UserTaskPass::new(top, &options.user_task_trees, options.trace_id)),
            critical_path: options.critical_path.map(CriticalPathPass::new),
            regions: options.regions.then(|| RegionPass::new(top)),
            logs: options.logs.then(LogPass::default),
            profiles: (!options.profiles.is_empty()).then(|| ProfilePass::new(options, names)),
            syscalls: options
                .syscalls
                .then(|| SyscallPass::new(top, options.filter.is_about_spans())),
            gc: options.gc.then(GcPass::default),
            counters: options.counters.then(CounterPass::default),
            spans: (options.regions || !options.user_task_trees.is_empty()).then(Spans::default),
            lets_time_through: false,
            watch: options.findings.then(|| WatchPass::new(names)),
        }
    }

    /// A sync, a range or a new value of a quantity.
    pub(crate) fn event(
        &mut self,
        world: &World<'_>,
        flows: &mut Flows,
        event: &CompactEvent,
        tables: &Tables,
    ) {
        if let Some(pass) = &mut self.gc {
            pass.event(world, flows, event, tables);
        }
        if let Some(pass) = &mut self.counters {
            pass.event(world, event);
        }
    }

    /// Whether rules watch what flows do while they run.
    #[inline]
    pub(crate) fn watches(&self) -> bool {
        self.watch.is_some()
    }

    /// A flow begins to execute, or leaves its thread.
    #[inline]
    pub(crate) fn executes(&mut self, state: &State, flow: &mut Flow<'_>, executes: bool) {
        if let Some(pass) = &mut self.gc {
            pass.executes(state, flow, executes);
        }
    }

    /// Whether the filter may let a flow through, or its time in a state.
    #[inline]
    fn wants(&self, world: &World<'_>, flow: &Goroutine, span: Option<&StateSpan<'_>>) -> bool {
        self.filter.may_hold(world.names(), flow, span)
    }

    /// As [`wants`](Self::wants), of what is known of a flow by its id.
    fn wants_by_id(&self, world: &World<'_>, flow: Option<&Goroutine>) -> bool {
        match flow {
            Some(flow) => self.wants(world, flow, None),
            None => self.filter.is_empty(),
        }
    }

    /// A flow has left a state; its sums hold the time already.
    #[inline]
    pub(crate) fn leave(&mut self, world: &World<'_>, flow: &mut Flow<'_>, span: &TimeSpan<'_>) {
        if !self.wants(world, flow, Some(span.whole())) || !world.clip.touches(span.begin, span.end)
        {
            return;
        }
        self.lets_time_through = true;
        if let Some(pass) = &mut self.tasks {
            pass.leave(world, flow, span);
        }
        if let Some(pass) = &mut self.latencies {
            pass.leave(flow, span);
        }
        if let Some(pass) = &mut self.workers {
            pass.leave(world, flow, span);
        }
        if let Some(pass) = &mut self.profiles {
            pass.leave(world, flow, span);
        }
        if let Some(pass) = &mut self.syscalls {
            pass.leave(world, flow, span);
        }
        if let Some(pass) = &mut self.critical_path {
            pass.leave(flow, span);
        }
        if let Some(pass) = &mut self.watch {
            pass.leave(world, flow, span);
        }
    }

    /// The flow is woken: its wait has ended, and it is ready to run.
    #[inline]
    pub(crate) fn woken(&mut self, world: &World<'_>, flow: &Flow<'_>, wait: &TimeSpan<'_>) {
        if let Some(pass) = &mut self.watch
            && self
                .filter
                .may_hold(world.names(), flow, Some(wait.whole()))
            && world.clip.touches(wait.end, wait.end)
        {
            pass.woken(world, flow, wait);
        }
    }

    /// The flow has ended, or the trace.
    pub(crate) fn flow_ends(&mut self, world: &World<'_>, flow: &mut Flow<'_>) {
        if !self.wants(world, flow, None) || !world.clip.touches(flow.created, world.now) {
            return;
        }
        if let Some(pass) = &mut self.tasks {
            pass.flow_ends(world, flow);
        }
        if let Some(pass) = &mut self.profiles {
            pass.flow_ends(flow);
        }
        if let Some(pass) = &mut self.syscalls {
            pass.flow_ends(flow);
        }
        if let Some(pass) = &mut self.watch {
            pass.flow_ends(world, flow);
        }
    }

    pub(crate) fn region_begins(&mut self, world: &World<'_>, flow: &Flow<'_>) {
        if let Some(pass) = &mut self.critical_path {
            pass.region_changes(world.now, flow);
        }
        if let Some(pass) = &mut self.user_tasks {
            pass.region_begins(flow);
        }
    }

    /// The region is no longer among the flow's open ones.
    pub(crate) fn region_ends(
        &mut self,
        world: &World<'_>,
        flow: &Flow<'_>,
        region: &RegionTime<'_>,
    ) {
        let begin = region.begin.unwrap_or(world.begin);
        if let Some(pass) = &mut self.critical_path {
            pass.region_changes(world.now, flow);
        }
        let is_let_through = self.wants(world, flow, None);
        if is_let_through && world.clip.touches(begin, world.now) {
            if let Some(pass) = &mut self.regions {
                pass.region_ends(world, region);
            }
            if let Some(pass) = &mut self.user_tasks {
                pass.region_ends(flow, region);
            }
            if let Some(pass) = &mut self.profiles {
                pass.region_ends(flow, region);
            }
        }
        if let Some(begin) = region.begin.filter(|_| region.is_part) {
            self.span_part(world, begin, || {
                Part::of_region(flow, region, is_let_through)
            });
        } else if is_let_through && !region.is_part {
            self.span_ends(world, &WholeSpan::of_region(flow, region));
        }
    }

    /// A part of a span has come.
    fn span_part(&mut self, world: &World<'_>, begin: i64, part: impl FnOnce() -> Part) {
        let Some(spans) = &mut self.spans else {
            return;
        };
        if let Some((record, part)) = spans.part(begin, part()) {
            part.report(Some(&record), begin, |span| self.span_ends(world, span));
        }
    }

    /// All is known of a span.
    fn span_ends(&mut self, world: &World<'_>, span: &WholeSpan<'_>) {
        let begin = span.begin.unwrap_or(world.begin);
        let end = span.end.unwrap_or(world.now);
        if !world.clip.touches(begin, end) {
            return;
        }
        if let Some(pass) = &mut self.regions {
            pass.span_ends(world, span);
        }
        if let Some(pass) = &mut self.user_tasks {
            pass.span_ends(world, span);
        }
    }

    pub(crate) fn task_begins(&mut self, world: &World<'_>, task: &UserTask) {
        if let Some(pass) = &mut self.user_tasks {
            pass.task_begins(world, task);
        }
        if let Some(pass) = &mut self.critical_path {
            pass.task_begins(world, task);
        }
        if let Some(pass) = &mut self.profiles {
            pass.task_begins(task);
        }
        if self.spans.is_none() {
            return;
        }
        let flow = world.state.goroutines().get(task.goroutine);
        let is_wanted = self.wants_by_id(world, flow);
        if task.carries_span {
            let of = (task.name, task.place);
            let part = || Part::of_task(of, task.id.0, task.goroutine, (true, is_wanted));
            self.span_part(world, world.now, part);
        } else if let Some(spans) = &mut self.spans {
            let begun = BegunTask {
                name: task.name,
                stack: task.place,
                is_wanted,
            };
            spans.task_begins(task.id.0, begun);
        }
    }

    pub(crate) fn task_ends(&mut self, world: &World<'_>, task: &UserTask) {
        if let Some(pass) = &mut self.user_tasks {
            pass.task_ends(world, task);
        }
        if let Some(pass) = &mut self.critical_path {
            pass.task_ends(world, task);
        }
        if let Some(pass) = &mut self.profiles {
            pass.task_ends(task.id);
        }
        if let Some(spans) = &mut self.spans {
            spans.task_ends(task.id.0);
        }
    }

    /// The trace ends before the user task does.
    pub(crate) fn task_stays_open(&mut self, task: &UserTask) {
        if let Some(pass) = &mut self.user_tasks {
            pass.task_stays_open(task);
        }
    }

    /// A log of a user task.
    pub(crate) fn log(&mut self, world: &World<'_>, log: &Log<'_>) {
        if let Some(pass) = &mut self.user_tasks {
            let texts = (world.names().get(log.category), log.message);
            pass.log(world, world.state.goroutine(), log.user_task, texts);
        }
        if self.logs.is_none() {
            return;
        }
        let flow = world.state.goroutines().get(world.state.goroutine());
        let is_of_tracer = log.user_task == TRACER_TASK && !world.is_of_go();
        if let (true, Some(pass)) = (self.wants_by_id(world, flow), &mut self.logs)
            && !is_of_tracer
            && world.clip.touches(world.now, world.now)
        {
            pass.log(world, log);
        }
    }

    /// A flow is labelled.
    pub(crate) fn label(&mut self, state: &State, flow: &mut Flow<'_>) {
        if let Some(pass) = &mut self.gc {
            pass.label(state, flow);
        }
    }

    /// A CPU sample.
    pub(crate) fn sample(&mut self, world: &World<'_>, of: GoId, stack: Stack) {
        if let Some(pass) = &mut self.workers {
            pass.sample(world.state);
        }
        if let Some(pass) = &mut self.profiles
            && world.clip.touches(world.now, world.now)
        {
            pass.sample(world.state.goroutines().get(of), stack);
        }
    }

    /// An allocation that was sampled.
    pub(crate) fn heap_sample(&mut self, world: &World<'_>, sample: &HeapSample<'_>) {
        if let Some(pass) = &mut self.profiles {
            pass.heap_sample(world, sample);
        }
    }

    pub(crate) fn side_record(&mut self, world: &World<'_>, record: &SideRecord) {
        if let Some(pass) = &mut self.profiles {
            pass.side_record(world, record);
        }
        if let (SideRecord::Span(record), Some(spans)) = (record, &mut self.spans)
            && let Some((record, part)) = spans.record(record)
        {
            let begin = i64::try_from(record.first_ns).unwrap_or(i64::MAX);
            part.report(Some(&record), begin, |span| self.span_ends(world, span));
        }
        if let Some(pass) = &mut self.counters {
            pass.side_record(world, record);
        }
        if let Some(pass) = &mut self.syscalls {
            pass.side_record(world, record);
        }
        if let Some(pass) = &mut self.workers {
            pass.side_record(world, record);
        }
        if let Some(pass) = &mut self.tasks {
            pass.allocated.side_record(world, Owner::Goroutine, record);
        }
        if let Some(pass) = &mut self.user_tasks {
            pass.allocated.side_record(world, Owner::UserTask, record);
        }
        if let Some(pass) = &mut self.watch {
            pass.side_record(world, record);
        }
    }

    /// Reports the spans that wait for what the trace does not have.
    fn finish_spans(&mut self, state: &mut State, totals: &mut Totals) {
        let Some(spans) = self.spans.take() else {
            return;
        };
        let mut last = Vec::new();
        let names = state.names_mut();
        spans.finish(
            self.filter.is_empty(),
            |name| names.intern(name),
            |record, begin, part| last.push((record.cloned(), begin, part)),
        );
        let world = World { state, totals };
        for (record, begin, part) in last {
            part.report(record.as_ref(), begin, |span| self.span_ends(&world, span));
        }
    }

    pub(crate) fn finish(
        mut self,
        (state, totals): (&mut State, &mut Totals),
        analysis: &mut Analysis,
    ) {
        self.finish_spans(state, totals);
        let world = &World { state, totals };
        analysis.lets_time_through = self.lets_time_through;
        analysis.tasks = self.tasks.map(|pass| pass.finish(world));
        analysis.latencies = self.latencies.map(|pass| pass.finish(world));
        analysis.workers = self.workers.map(|pass| pass.finish(world));
        analysis.user_tasks = self.user_tasks.map(|pass| pass.finish(world));
        analysis.critical_path = self.critical_path.and_then(|pass| pass.finish(world));
        analysis.regions = self.regions.map(|pass| pass.finish(world));
        analysis.logs = self.logs.map(|pass| pass.finish(world));
        analysis.profiles = self
            .profiles
            .map_or_else(Vec::new, |pass| pass.finish(world));
        let is_filtered = !self.filter.is_empty();
        analysis.syscalls = self.syscalls.map(|pass| pass.finish(world, is_filtered));
        analysis.gc = self.gc.map(|pass| pass.finish(world));
        analysis.counters = self.counters.map_or_else(Vec::new, CounterPass::finish);
        analysis.watched = self.watch.map_or_else(Vec::new, |pass| pass.finish(world));
    }
}
