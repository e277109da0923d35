//! The walk through a trace.

mod annotations;
mod goroutines;
mod ranges;

use std::io::Read;

use exectrace_format::conventions::TRACER_NAME;
use exectrace_format::{
    CompactEvent, CompactKind, ProcId, ProcState, ReadError, Reader, SideRecord, StateChange,
    Tables, ThreadId,
};

use crate::observer::{HeapSample, Input, Log, Observer};
use crate::state::{End, ProcChange, State};

/// Replays a trace to its end, or to where it is damaged: what is open there ends with it.
///
/// Returns the damage, if there is one. One pass. Memory: that of the reader, of the [`State`], and of the
/// observer.
///
/// # Errors
///
/// Those of the observer, which end the replay.
pub fn replay<R: Read, O: Observer>(
    reader: &mut Reader<R>,
    observer: &mut O,
) -> Result<Option<ReadError>, O::Error> {
    Replay::new(observer).run(reader, observer)
}

/// A replay whose caller reads the events, and may stop, look at the [`State`] or go on from a clone of it.
#[derive(Clone, Debug)]
pub struct Replay {
    pub(crate) state: State,
}

impl Replay {
    /// A replay at the begin of a trace.
    pub fn new<O: Observer>(observer: &mut O) -> Self {
        let mut state = State::new();
        observer.start(&mut state.names);
        Self { state }
    }

    /// A replay that goes on from a clone of the state that a replay of the same trace had at the begin of a
    /// generation. [`Checkpoint`](crate::Checkpoint) joins it with the place in the file.
    pub fn resume(state: State) -> Self {
        Self { state }
    }

    /// Replays all that the reader still has, to the end of the trace or to where it is damaged: what is open
    /// there ends with it. Returns the damage, if there is one.
    ///
    /// # Errors
    ///
    /// Those of the observer, which end the replay.
    pub fn run<R: Read, O: Observer>(
        mut self,
        reader: &mut Reader<R>,
        observer: &mut O,
    ) -> Result<Option<ReadError>, O::Error> {
        let mut event = CompactEvent::default();
        let damage = loop {
            match reader.next_into(&mut event) {
                Ok(true) => {
                    let input = Input::of(reader, &event);
                    self.step(&input, observer)?;
                }
                Ok(false) => break None,
                Err(damage) => break Some(damage),
            }
        };
        self.finish(observer)?;
        Ok(damage)
    }

    /// What is known after the last event.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, to add names to.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Takes the next event. It must be one that the reader yielded after the last.
    ///
    /// # Errors
    ///
    /// Those of the observer. The event may be half applied then.
    #[inline]
    pub fn step<O: Observer>(
        &mut self,
        input: &Input<'_>,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let event = input.event;
        let state = &mut self.state;
        state.now = event.time.0;
        state.goroutine = event.go;
        state.proc = event.proc;
        state.thread = event.thread;
        if !state.has_begun {
            state.has_begun = true;
            (state.begin, state.generation_begin) = (state.now, state.now);
        }
        observer.before(state, input)?;
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { go, from, to },
                reason,
                stack,
                ..
            } => match from == to {
                true => self.goes_on(input, go, stack, observer),
                false => self.transition(input, (go, from, to), (reason, stack), observer),
            },
            _ => self.other(input, observer),
        }
    }

    /// Takes what is no change of a goroutine's state; few events are not.
    #[inline(never)]
    fn other<O: Observer>(&mut self, input: &Input<'_>, observer: &mut O) -> Result<(), O::Error> {
        let Input { event, tables, .. } = *input;
        let state = &mut self.state;
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Proc { proc, from, to },
                ..
            } => self.proc((proc, from, to), observer),
            CompactKind::Sync { clock, .. } => {
                state.names.begin_generation();
                state.calls_ahead.clear();
                state.generation_begin = state.now;
                observer.sync(state, clock.as_ref())
            }
            CompactKind::Metric { metric, value } => {
                state.set_metric(metric, value);
                observer.metric(state, metric, value)
            }
            CompactKind::Label { go, label } => {
                let label = state.names.text(tables, label);
                let Some(slot) = state.goroutines.find(go) else {
                    return Ok(());
                };
                let goroutine = state.goroutines.at_mut(slot);
                let before = std::mem::replace(&mut goroutine.label, label);
                observer.labelled(state, slot, before)
            }
            CompactKind::StackSample => {
                let stack = state.names.stack(tables, event.stack);
                observer.sample(state, event.go, stack)
            }
            CompactKind::Log {
                task,
                category,
                message,
            } => {
                let log = Log {
                    user_task: task,
                    category: state.names.text(tables, category),
                    message: tables.text(message),
                    stack: state.names.stack(tables, event.stack),
                };
                if log.category == state.marks.trace_id {
                    state.set_trace_id(task, log.message);
                }
                observer.log(state, &log)
            }
            CompactKind::SideData(()) => match input.side {
                Some(record) => {
                    self.side(record, tables, observer)?;
                    self.heap_sample(record, tables, observer)
                }
                None => Ok(()),
            },
            CompactKind::RangeBegin { .. }
            | CompactKind::RangeActive { .. }
            | CompactKind::RangeEnd { .. } => self.range(input, observer),
            _ => self.annotation(input, observer),
        }
    }

    fn proc<O: Observer>(
        &mut self,
        (id, from, to): (ProcId, ProcState, ProcState),
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        let (now, thread) = (state.now, state.thread);
        let proc = state.procs.entry(id);
        proc.state = to;
        let holder = (to == ProcState::Running && thread != ThreadId::NONE).then_some(thread);
        let was_held_by = std::mem::replace(&mut proc.holder, holder);
        let mut taken_from = None;
        if from != to && to == ProcState::Idle {
            taken_from = proc.in_syscall.take();
        }
        if was_held_by != holder {
            if let Some(left) = was_held_by.and_then(|left| state.threads.get_mut(&left)) {
                left.proc = None;
            }
            if let Some(holder) = holder {
                state.threads.entry(holder).or_default().proc = Some(id);
            }
        }
        if let Some(slot) = taken_from {
            state.goroutines.at_mut(slot).proc_lost = Some(now);
        }
        let change = ProcChange {
            proc: id,
            from,
            to,
            thread,
            taken_from,
        };
        observer.proc(state, &change)
    }

    fn side<O: Observer>(
        &mut self,
        record: &SideRecord,
        tables: &Tables,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let state = &mut self.state;
        match record {
            SideRecord::ThreadName { thread, name } => {
                let name = state.names.intern(name);
                state.threads.entry(*thread).or_default().name = name;
            }
            SideRecord::ProcName { proc, name } => {
                if name == TRACER_NAME && state.recorder.is_none() {
                    state.recorder = Some(*proc);
                }
                state.is_described = true;
                let name = state.names.intern(name);
                state.procs.entry(*proc).name = name;
            }
            SideRecord::GeneratedBy { .. } => state.is_described = true,
            SideRecord::CallStack { time_ns, go, stack } => {
                let begin = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                let stack = state.names.stack(tables, *stack);
                state.call_was_made_at(*go, begin, stack);
            }
            SideRecord::BeganBefore { task, time_ns } => {
                let begin = i64::try_from(*time_ns).unwrap_or(i64::MAX).min(state.now);
                match state.user_tasks.get_mut(task) {
                    Some(open) => open.begin = begin,
                    None => {
                        state.began_before.insert(*task, begin);
                    }
                }
            }
            _ => {}
        }
        observer.side(state, record)
    }

    fn heap_sample<O: Observer>(
        &mut self,
        record: &SideRecord,
        tables: &Tables,
        observer: &mut O,
    ) -> Result<(), O::Error> {
        let SideRecord::HeapSample {
            time_ns,
            task,
            sample,
            size_bytes,
            interval_bytes,
            stack,
            is_from_before,
            ..
        } = *record
        else {
            return Ok(());
        };
        let sample = HeapSample {
            record,
            time: i64::try_from(time_ns).unwrap_or(i64::MAX),
            number: sample,
            user_task: task,
            size_bytes,
            interval_bytes,
            stack: self.state.names.stack(tables, stack),
            is_from_before,
        };
        observer.heap_sample(&self.state, &sample)
    }

    /// Ends all that is open: the trace ends here.
    ///
    /// # Errors
    ///
    /// Those of the observer.
    pub fn finish<O: Observer>(mut self, observer: &mut O) -> Result<(), O::Error> {
        self.end_ranges(observer)?;
        for (_, slot) in self.state.goroutines.alive() {
            let span = self.state.goroutines.at(slot).span_until(self.state.now);
            observer.leave(&self.state, slot, &span)?;
            self.end_regions(slot, End::WithTrace, observer)?;
            observer.vanish(&self.state, slot, End::WithTrace)?;
        }
        self.end_user_tasks(observer)?;
        observer.finish(&mut self.state)
    }
}
