//! Finds the facts in the events.

use std::collections::BTreeMap;

use exectrace_format::conventions::TRACER_NAME;
use exectrace_format::{
    CompactEvent, CompactKind, GoId, GoState, ProcId, SideRecord, SpanRecord, StateChange, Tables,
};
use rustc_hash::FxHashSet;

use crate::error::ExportError;

use super::Sink;
use super::fact::{End, Fact, Lane, Log};
use super::scene::Scene;

/// Holds the scene, and changes it event by event.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) scene: Scene,
    pub(super) wakes: u64,
    /// Spans whose close was told ahead, by that and their first entry.
    pub(super) spans: BTreeMap<(u64, u64), SpanRecord>,
    /// Threads' own code.
    pub(super) threads: FxHashSet<GoId>,
    /// The recorder's own lane.
    recorder: Option<ProcId>,
    has_begun: bool,
}

/// Whether a change on the recorder's own lane belongs to a run that the task never had. Tasks that were
/// aborted or dropped are shown to run there for an instant, as only what runs can end.
fn is_before_an_end(from: GoState, to: GoState) -> bool {
    matches!(
        (from, to),
        (GoState::Waiting, GoState::Runnable) | (GoState::Runnable, GoState::Running)
    )
}

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            scene: Scene::new(),
            wakes: 0,
            spans: BTreeMap::new(),
            threads: FxHashSet::default(),
            recorder: None,
            has_begun: false,
        }
    }

    pub(super) fn event(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        side: Option<&SideRecord>,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let time = event.time.0;
        self.scene.now = time;
        if !self.spans.is_empty() {
            self.close_spans(false, sink)?;
        }
        if let CompactKind::Sync { .. } = event.kind {
            self.begin_generation(time);
        }
        sink.event(event, tables, &mut self.scene)?;
        match event.kind {
            CompactKind::Sync { clock, .. } => self.say(sink, Fact::Sync(clock)),
            CompactKind::Metric { metric, value } => {
                let name = metric.name();
                self.say(sink, Fact::Metric { name, value })
            }
            CompactKind::Label { go, label } => {
                let label = self.scene.book.text_of(label, tables);
                self.label(go, label, sink)
            }
            CompactKind::StackSample => {
                let stack = self.scene.book.stack_of(event.stack, tables);
                let (task, worker, thread) = (event.go, event.proc, event.thread);
                let sample = Fact::Sample {
                    task,
                    worker,
                    thread,
                    stack,
                };
                self.say(sink, sample)
            }
            CompactKind::Log {
                task,
                category,
                message,
            } => {
                let log = Log {
                    user_task: task,
                    task: event.go,
                    worker: event.proc,
                    thread: event.thread,
                    category: tables.text(category),
                    message: tables.text(message),
                    stack: self.scene.book.stack_of(event.stack, tables),
                };
                self.say(sink, Fact::Log(log))
            }
            CompactKind::StateTransition {
                change,
                reason,
                stack,
                ..
            } => match change {
                StateChange::Go { go, from, to }
                    if Some(event.proc) == self.recorder
                        && is_before_an_end(from, to)
                        && !self.threads.contains(&go) =>
                {
                    Ok(())
                }
                StateChange::Go { go, from, to } => {
                    let reason = self.scene.book.text_of(reason, tables);
                    let own = self.scene.book.stack_of(stack, tables);
                    let teller = self.scene.book.stack_of(event.stack, tables);
                    self.task_changes(event, (go, from, to), reason, (own, teller), sink)
                }
                StateChange::Proc { proc, from, to } => {
                    self.worker_changes(event, (proc, from, to), sink)
                }
            },
            CompactKind::SideData(()) => match side {
                Some(record) => self.side_data(record, sink),
                None => Ok(()),
            },
            _ => self.annotation(event, tables, sink),
        }
    }

    fn begin_generation(&mut self, time: i64) {
        self.scene.book.begin_generation();
        self.scene.generation_begin = time;
        if !self.has_begun {
            self.has_begun = true;
            self.scene.begin = time;
        }
    }

    fn side_data(&mut self, record: &SideRecord, sink: &mut impl Sink) -> Result<(), ExportError> {
        let scene = &mut self.scene;
        match record {
            SideRecord::ThreadName { thread, name } => {
                let name = scene.book.intern(name);
                scene.lane(Lane::Thread(*thread)).name = name;
            }
            SideRecord::ProcName { proc, name } => {
                if name == TRACER_NAME && self.recorder.is_none() {
                    self.recorder = Some(*proc);
                }
                let name = scene.book.intern(name);
                scene.lane(Lane::Worker(*proc)).name = name;
            }
            SideRecord::BeganBefore { task, time_ns } => {
                let begin = i64::try_from(*time_ns).unwrap_or(i64::MAX).min(scene.now);
                match scene.user_tasks.get_mut(task) {
                    Some(open) => open.begin = begin,
                    None => {
                        scene.began_before.insert(*task, begin);
                    }
                }
            }
            SideRecord::Span(span) => {
                self.spans
                    .insert((span.end_ns, span.first_ns), span.clone());
            }
            _ => {}
        }
        self.say(sink, Fact::Side(record))
    }

    /// Ends everything, the inner things first.
    pub(super) fn finish(mut self, sink: &mut impl Sink) -> Result<(), ExportError> {
        let mut tasks: Vec<_> = self.scene.tasks.keys().copied().collect();
        tasks.sort_unstable();
        self.end_ranges(sink)?;
        for &task in &tasks {
            self.end_runs_with_trace(task, sink)?;
            self.end_regions(task, End::WithTrace, sink)?;
            self.leave_with_trace(task, sink)?;
        }
        self.close_spans(true, sink)?;
        self.end_user_tasks(sink)?;
        self.say(sink, Fact::TheEnd)
    }

    pub(super) fn say(&self, sink: &mut impl Sink, fact: Fact<'_>) -> Result<(), ExportError> {
        sink.fact(self.scene.now, fact, &self.scene)
    }
}
