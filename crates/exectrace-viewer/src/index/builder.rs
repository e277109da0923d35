//! Fills the index as a trace is replayed.

use std::convert::Infallible;

use exectrace_format::{GoId, SideRecord};
use exectrace_replay::{
    End, EndedRegion, GoroutineState, Names, Next, Observer, Slot, State, StateSpan, UserTask,
    Wake, between,
};
use rustc_hash::FxHashMap;

use super::Index;
use super::cells::Class;
use super::loads::{Load, Loads};
use super::runs::{NextState, Rows, Run, RunKind, Runs, TaskEntry};
use super::spans::{RegionEntry, Spans, UserTaskEntry};

/// What is known of the task in a slot.
#[derive(Clone, Copy, Debug)]
struct Known {
    task: u32,
    /// Of the run that comes.
    delay_ns: Option<u64>,
    woken_by: u32,
}

impl Known {
    const NONE: Self = Self {
        task: NONE,
        delay_ns: None,
        woken_by: NONE,
    };
}

/// Stands for none, and for what is not known.
const NONE: u32 = u32::MAX;

/// An index that grows.
#[derive(Debug, Default)]
pub(super) struct Builder {
    runs: Runs,
    /// By run: its worker and its thread, `u64::MAX` for none.
    places: Vec<(u64, u64)>,
    spans: Spans,
    loads: Loads,
    /// By slot.
    known: Vec<Known>,
    workers: FxHashMap<u64, String>,
    threads: FxHashMap<u64, String>,
    names: Option<Names>,
    duration_ns: u64,
    lost_records: u64,
}

impl Builder {
    fn known(&mut self, slot: Slot) -> &mut Known {
        if self.known.len() <= slot.index() {
            self.known.resize(slot.index() + 1, Known::NONE);
        }
        &mut self.known[slot.index()]
    }

    /// A task was ready to run for so long.
    fn was_ready(&mut self, slot: Slot, span: &StateSpan<'_>, ready_ns: u64) {
        let known = self.known(slot);
        if !span.is_wake_concluded {
            known.delay_ns = Some(ready_ns);
        }
        let task = known.task;
        if let Some(entry) = self.runs.tasks.get_mut(task as usize)
            && matches!(span.next, Next::TraceEnd | Next::End)
        {
            entry.ready_at_end_ns = ready_ns;
        }
    }

    fn task_of(&self, state: &State, id: GoId) -> u32 {
        let slot = state.goroutines().find(id);
        let known = slot.and_then(|slot| self.known.get(slot.index()));
        known.map_or(NONE, |known| known.task)
    }

    fn add_run(&mut self, state: &State, slot: Slot, span: &StateSpan<'_>, kind: RunKind) {
        let entry = self.known(slot);
        let known = *entry;
        // What made it ready says nothing of the run after the next.
        *entry = Known {
            task: known.task,
            ..Known::NONE
        };
        let next = match span.next {
            Next::End => NextState::Ended,
            Next::TraceEnd => NextState::TraceEnd,
            Next::State(state) => next(state),
        };
        self.runs.all.push(Run {
            begin_ns: between(state.begin(), span.begin),
            end_ns: between(state.begin(), span.end),
            task: known.task,
            delay_ns: known.delay_ns,
            woken_by: known.woken_by,
            reason: span.end_reason,
            stack: match kind {
                // Where the call was made; of a run, where it stopped.
                RunKind::Syscall => span.stack,
                _ => span.own_end_stack,
            },
            kind,
            next,
        });
        self.places.push((span.proc.0, span.thread.0));
    }

    /// The index, when the trace has ended.
    pub(super) fn finish(mut self) -> Index {
        let runs = &self.runs.all;
        let place = |place: u64| Some(place).filter(|&place| place != u64::MAX);
        let places = &self.places;
        let mut by_worker = Rows::new(places.iter().map(|&(worker, _)| place(worker)));
        let mut by_thread = Rows::new(places.iter().map(|&(_, thread)| place(thread)));
        let of_task = |run: &Run| Some(u64::from(run.task)).filter(|_| run.task != NONE);
        let mut by_task = Rows::new(runs.iter().map(of_task));
        for rows in [&mut by_worker, &mut by_thread, &mut by_task] {
            rows.sort_by_begin(runs);
        }
        (self.runs.by_worker, self.runs.by_thread) = (by_worker, by_thread);
        self.runs.by_task = by_task;
        let by_task = |region: &RegionEntry| (region.task, region.begin_ns, region.depth);
        self.spans.regions.sort_unstable_by_key(by_task);
        self.spans.user_tasks.sort_unstable_by_key(|task| task.id);
        self.spans.user_tasks.dedup_by_key(|task| task.id);
        let names = self.names.unwrap_or_default();
        let class = |task: &TaskEntry| Class::of_name(names.get(task.name));
        let numbers = (0..).zip(&self.runs.tasks);
        Index {
            classes: self.runs.tasks.iter().map(class).collect(),
            task_numbers: numbers.map(|(number, task)| (task.id, number)).collect(),
            duration_ns: self.duration_ns,
            lost_records: self.lost_records,
            damage: None,
            workers: named(&self.runs.by_worker, &self.workers, "worker"),
            threads: named(&self.runs.by_thread, &self.threads, "thread"),
            names,
            runs: self.runs,
            spans: self.spans,
            loads: self.loads,
        }
    }
}

fn next(state: GoroutineState) -> NextState {
    match state {
        GoroutineState::Runnable => NextState::Runnable,
        GoroutineState::Running => NextState::Running,
        GoroutineState::Waiting => NextState::Waiting,
        GoroutineState::Syscall => NextState::Syscall,
        GoroutineState::Unknown => NextState::Unknown,
    }
}

/// The rows and their names; `what` and the number, where there is none.
fn named(rows: &Rows, names: &FxHashMap<u64, String>, what: &str) -> Vec<(u64, String)> {
    let name = |&id: &u64| match names.get(&id) {
        Some(name) if !name.is_empty() => (id, name.clone()),
        _ => (id, format!("{what} {id}")),
    };
    rows.keys().iter().map(name).collect()
}

impl Observer for Builder {
    type Error = Infallible;

    fn appear(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let goroutine = state.goroutines().at(slot);
        let task = u32::try_from(self.runs.tasks.len()).unwrap_or(NONE);
        self.runs.tasks.push(TaskEntry {
            id: goroutine.id.0,
            name: goroutine.name,
            kind: goroutine.kind,
            parent: goroutine
                .parent
                .filter(|&parent| parent != GoId::NONE)
                .map(|parent| parent.0),
            spawned_at: goroutine.spawned_at,
            begin_ns: between(state.begin(), goroutine.created),
            first: NextState::Unknown,
            ready_at_end_ns: 0,
            end_ns: None,
        });
        *self.known(slot) = Known {
            task,
            ..Known::NONE
        };
        Ok(())
    }

    fn named(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let goroutine = state.goroutines().at(slot);
        let task = self.known(slot).task;
        if let Some(entry) = self.runs.tasks.get_mut(task as usize) {
            entry.name = goroutine.name;
            entry.kind = goroutine.kind;
        }
        Ok(())
    }

    fn leave(&mut self, state: &State, slot: Slot, span: &StateSpan<'_>) -> Result<(), Infallible> {
        let (begin, end) = (
            between(state.begin(), span.begin),
            between(state.begin(), span.end),
        );
        if span.is_own_code {
            self.add_run(state, slot, span, RunKind::OwnCode);
            return Ok(());
        }
        if let Some(load) = Load::of(span.state) {
            self.loads.add(load, begin, end);
        }
        let task = self.known(slot).task;
        if let Some(entry) = self.runs.tasks.get_mut(task as usize)
            && entry.first == NextState::Unknown
        {
            entry.first = next(span.state);
        }
        match span.state {
            GoroutineState::Running => self.add_run(state, slot, span, RunKind::Run),
            GoroutineState::Syscall => self.add_run(state, slot, span, RunKind::Syscall),
            GoroutineState::Runnable => self.was_ready(slot, span, end - begin),
            _ => {}
        }
        Ok(())
    }

    fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), Infallible> {
        let by = match wake.is_concluded {
            true => NONE,
            false => self.task_of(state, state.goroutine()),
        };
        self.known(slot).woken_by = by;
        Ok(())
    }

    fn vanish(&mut self, state: &State, slot: Slot, end: End) -> Result<(), Infallible> {
        let known = std::mem::replace(self.known(slot), Known::NONE);
        if let Some(entry) = self.runs.tasks.get_mut(known.task as usize)
            && end != End::WithTrace
        {
            entry.end_ns = Some(between(state.begin(), state.now()));
        }
        Ok(())
    }

    fn region_end(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), Infallible> {
        let task = self.known(slot).task;
        let depth = state.goroutines().at(slot).regions.len();
        let begin = region.begin.unwrap_or(state.begin());
        self.spans.regions.push(RegionEntry {
            begin_ns: between(state.begin(), begin),
            end_ns: between(state.begin(), state.now()),
            task,
            depth: u32::try_from(depth).unwrap_or(NONE),
            name: region.name,
            user_task: region.user_task.0,
            stack: region.stack,
        });
        Ok(())
    }

    fn user_task_end(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), Infallible> {
        self.spans.user_tasks.push(UserTaskEntry {
            id: user_task.id.0,
            name: user_task.name,
            begin_ns: (user_task.begin >= state.begin())
                .then(|| between(state.begin(), user_task.begin)),
            end_ns: (end != End::WithTrace).then(|| between(state.begin(), state.now())),
        });
        Ok(())
    }

    fn side(&mut self, _state: &State, record: &SideRecord) -> Result<(), Infallible> {
        match record {
            SideRecord::ProcName { proc, name, .. } => {
                self.workers.insert(proc.0, name.to_string());
            }
            SideRecord::Lost { records, .. } => {
                self.lost_records = self.lost_records.saturating_add(*records);
            }
            SideRecord::ThreadName { thread, name, .. } => {
                self.threads.insert(thread.0, name.to_string());
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, state: &mut State) -> Result<(), Infallible> {
        self.names = Some(state.names().clone());
        self.duration_ns = between(state.begin(), state.now());
        Ok(())
    }
}
