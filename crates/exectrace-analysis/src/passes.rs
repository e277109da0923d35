//! The analyses of one run, each told what it may want to know.

use exectrace_format::{CompactEvent, GoId, GoState, SideRecord, Tables, TaskId};

use crate::analysis::Analysis;
use crate::counters::CounterPass;
use crate::critical_path::CriticalPathPass;
use crate::filter::Compiled;
use crate::findings::WatchPass;
use crate::gc::GcPass;
use crate::latency::LatencyPass;
use crate::logs::LogPass;
use crate::names::{Names, Stack, Text};
use crate::options::Options;
use crate::play::{EndedRegion, Flow, Flows, Part, Spans, Stretch, UserTask, WholeSpan, World};
use crate::profile::ProfilePass;
use crate::regions::RegionPass;
use crate::syscalls::SyscallPass;
use crate::tasks::TaskPass;
use crate::user_tasks::UserTaskPass;
use crate::workers::WorkerPass;

/// The user task under which our recorder writes messages of its own, which say nothing of the program.
const TRACER_TASK: TaskId = TaskId(1);

#[derive(Debug)]
pub(crate) struct Passes {
    filter: Compiled,
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
    has_stretches: bool,
}

impl Passes {
    pub(crate) fn new(options: &Options, names: &mut Names) -> Self {
        let top = options.top;
        Self {
            filter: Compiled::new(&options.filter, names),
            tasks: options.tasks.then(|| {
                let narrows = options.filter.is_about_stretches();
                TaskPass::new(top, options.each_task, narrows)
            }),
            latencies: options.latencies.then(LatencyPass::default),
            workers: options.workers.then(WorkerPass::default),
            user_tasks: options
                .user_tasks
                .then(|| UserTaskPass::new(top, &options.user_task_trees)),
            critical_path: options.critical_path.map(CriticalPathPass::new),
            regions: options.regions.then(|| RegionPass::new(top)),
            logs: options.logs.then(LogPass::default),
            profiles: (!options.profiles.is_empty()).then(|| ProfilePass::new(options, names)),
            syscalls: options.syscalls.then(|| SyscallPass::new(top)),
            gc: options.gc.then(GcPass::default),
            counters: options.counters.then(CounterPass::default),
            spans: (options.regions || !options.user_task_trees.is_empty()).then(Spans::default),
            has_stretches: false,
            watch: options.findings.then(|| WatchPass::new(names)),
        }
    }

    /// A sync, a range or a new value of a quantity.
    pub(crate) fn event(
        &mut self,
        world: &World,
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

    /// A flow changes its state.
    #[inline]
    pub(crate) fn transition(
        &mut self,
        flow: &mut Flow,
        event: &CompactEvent,
        change: (GoState, GoState),
    ) {
        if let Some(pass) = &mut self.gc {
            pass.transition(flow, event, change);
        }
    }

    /// A stretch has ended; the flow's sums hold it already.
    #[inline]
    pub(crate) fn stretch(&mut self, world: &mut World, flow: &mut Flow, stretch: &Stretch) {
        if !self.filter.lets_through(world, flow, Some(stretch))
            || !world.clip.touches(stretch.begin, stretch.end)
        {
            return;
        }
        self.has_stretches = true;
        if let Some(pass) = &mut self.tasks {
            pass.stretch(world, flow, stretch);
        }
        if let Some(pass) = &mut self.latencies {
            pass.stretch(flow, stretch);
        }
        if let Some(pass) = &mut self.workers {
            pass.stretch(world, flow, stretch);
        }
        if let Some(pass) = &mut self.profiles {
            pass.stretch(world, flow, stretch);
        }
        if let Some(pass) = &mut self.syscalls {
            pass.stretch(world, flow, stretch);
        }
        if let Some(pass) = &mut self.critical_path {
            pass.stretch(flow, stretch);
        }
        if let Some(pass) = &mut self.watch {
            pass.stretch(world, flow, stretch);
        }
    }

    /// The flow is woken: its wait has ended, and it is ready to run.
    #[inline]
    pub(crate) fn woken(
        &mut self,
        world: &World,
        flow: &Flow,
        wait: &Stretch,
        event: &CompactEvent,
    ) {
        if let Some(pass) = &mut self.watch
            && self.filter.lets_through(world, flow, Some(wait))
            && world.clip.touches(wait.end, wait.end)
        {
            pass.woken(world, flow, wait, event);
        }
    }

    /// The flow has ended, or the trace.
    pub(crate) fn flow_ends(&mut self, world: &mut World, flow: &mut Flow) {
        if !self.filter.lets_through(world, flow, None)
            || !world.clip.touches(flow.created, world.now)
        {
            return;
        }
        if let Some(pass) = &mut self.tasks {
            pass.flow_ends(world, flow);
        }
        if let Some(pass) = &mut self.profiles {
            pass.flow_ends(flow);
        }
        if let Some(pass) = &mut self.watch {
            pass.flow_ends(world, flow);
        }
    }

    pub(crate) fn region_begins(&mut self, world: &World, flow: &Flow) {
        if let Some(pass) = &mut self.critical_path {
            pass.region_changes(world.now, flow);
        }
        if let Some(pass) = &mut self.user_tasks {
            pass.region_begins(flow);
        }
    }

    /// The region is no longer among the flow's open ones.
    pub(crate) fn region_ends(&mut self, world: &World, flow: &Flow, region: &EndedRegion<'_>) {
        let begin = region.begin.unwrap_or(world.begin);
        if let Some(pass) = &mut self.critical_path {
            pass.region_changes(world.now, flow);
        }
        let is_let_through = self.filter.lets_through(world, flow, None);
        if is_let_through && world.clip.touches(begin, world.now) {
            if let Some(pass) = &mut self.regions {
                pass.stretch_ends(world, region);
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
    fn span_part(&mut self, world: &World, begin: i64, part: impl FnOnce() -> Part) {
        let Some(spans) = &mut self.spans else {
            return;
        };
        if let Some((record, part)) = spans.part(begin, part()) {
            part.tell(Some(&record), begin, |span| self.span_ends(world, span));
        }
    }

    /// All is known of a span.
    fn span_ends(&mut self, world: &World, span: &WholeSpan<'_>) {
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

    pub(crate) fn task_begins(
        &mut self,
        world: &World,
        (go, flow): (GoId, Option<&Flow>),
        task: &UserTask,
    ) {
        let told = (task.id, task.parent, task.name);
        if let Some(pass) = &mut self.user_tasks {
            pass.task_begins(world, go, task);
        }
        if let Some(pass) = &mut self.critical_path {
            pass.task_begins(world, go, told);
        }
        if let Some(pass) = &mut self.profiles {
            pass.task_begins(task);
        }
        let Some(spans) = &mut self.spans else {
            return;
        };
        let part = || {
            let is_wanted = match flow {
                Some(flow) => self.filter.lets_through(world, flow, None),
                None => self.filter.is_empty(),
            };
            let of = (task.name, task.span_stack);
            Part::of_task(of, task.id.0, go, (task.carries, is_wanted))
        };
        match task.carries {
            false => spans.task_begins(task.id.0, part),
            true => {
                let part = part();
                self.span_part(world, world.now, || part);
            }
        }
    }

    pub(crate) fn task_ends(
        &mut self,
        world: &World,
        go: GoId,
        (task, parent, name): (TaskId, TaskId, Text),
    ) {
        if let Some(pass) = &mut self.user_tasks {
            pass.task_ends(world, go, (task, parent, name));
        }
        if let Some(pass) = &mut self.critical_path {
            pass.task_ends(world, go, task, name);
        }
        if let Some(pass) = &mut self.profiles {
            pass.task_ends(task);
        }
        if let Some(spans) = &mut self.spans {
            spans.task_ends(task.0);
        }
    }

    /// A log of a user task, by a flow, if it is known; its category with the stack, and its message.
    pub(crate) fn log(
        &mut self,
        world: &World,
        event: &CompactEvent,
        (task, flow): (TaskId, Option<&Flow>),
        (category, stack): (Text, Stack),
        message: &str,
    ) {
        if let Some(pass) = &mut self.user_tasks {
            let texts = (world.names.get(category), message);
            pass.log(world, event.go, task, texts);
        }
        if let Some(pass) = &mut self.logs {
            let is_let_through = match flow {
                Some(flow) => self.filter.lets_through(world, flow, None),
                None => self.filter.is_empty(),
            };
            let is_of_tracer = task == TRACER_TASK && !world.facts.is_of_go();
            if is_let_through && !is_of_tracer && world.clip.touches(event.time.0, event.time.0) {
                pass.log(world, event, (category, stack), message);
            }
        }
    }

    /// A flow is labelled.
    pub(crate) fn label(
        &mut self,
        world: &World,
        flow: &mut Flow,
        event: &CompactEvent,
        label: Text,
    ) {
        if let Some(pass) = &mut self.gc {
            pass.label(world, flow, event, label);
        }
    }

    /// A CPU sample.
    pub(crate) fn sample(
        &mut self,
        world: &World,
        event: &CompactEvent,
        flow: Option<&Flow>,
        stack: Stack,
    ) {
        if let Some(pass) = &mut self.workers {
            pass.sample(event);
        }
        if let Some(pass) = &mut self.profiles
            && world.clip.touches(event.time.0, event.time.0)
        {
            pass.sample(flow, stack);
        }
    }

    pub(crate) fn side_record(&mut self, world: &World, record: &SideRecord) {
        if let (SideRecord::Span(record), Some(spans)) = (record, &mut self.spans)
            && let Some((record, part)) = spans.record(record)
        {
            let begin = i64::try_from(record.first_ns).unwrap_or(i64::MAX);
            part.tell(Some(&record), begin, |span| self.span_ends(world, span));
        }
        if let Some(pass) = &mut self.counters {
            pass.side_record(world, record);
        }
    }

    /// Tells of the spans that wait for what the trace does not have.
    fn finish_spans(&mut self, world: &mut World) {
        let Some(spans) = self.spans.take() else {
            return;
        };
        let mut last = Vec::new();
        let names = &mut world.names;
        spans.finish(
            self.filter.is_empty(),
            |name| names.intern(name),
            |record, begin, part| last.push((record.cloned(), begin, part)),
        );
        for (record, begin, part) in last {
            part.tell(record.as_ref(), begin, |span| self.span_ends(world, span));
        }
    }

    pub(crate) fn finish(mut self, world: &mut World, analysis: &mut Analysis) {
        self.finish_spans(world);
        analysis.has_stretches = self.has_stretches;
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
        analysis.syscalls = self.syscalls.map(|pass| pass.finish(world));
        analysis.gc = self.gc.map(|pass| pass.finish(world));
        analysis.counters = self.counters.map_or_else(Vec::new, CounterPass::finish);
        analysis.watched = self.watch.map_or_else(Vec::new, |pass| pass.finish(world));
    }
}
