//! The model: from records to legal events.
//!
//! It keeps a state for each thread, lane, flow, span and user task, and turns whatever arrives into
//! a sequence of events that every reader accepts: a span closed twice, an end whose begin was lost,
//! a thread that died. It gives out all ids and sequence numbers, so nothing else needs to know the
//! format's rules. It has no clock, no thread and no I/O: the same records give the same bytes.
//!
//! Records must come in an order in which causes stand before their effects where that can be known;
//! `merge` sees to it. What still comes out of order is put right here: see each handler.

mod annotations;
mod calls;
mod closing;
mod earlier;
mod emitter;
mod entering;
mod files;
mod flow;
mod heap;
mod in_call;
mod lanes;
mod leaf_span;
mod lookahead;
mod loss_recovery;
mod names;
mod polls;
mod preamble;
mod running;
mod samples;
mod sites;
mod spans;
mod stays;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
mod threads;
mod trace_ids;
mod tracing;
mod waits;
mod wakes;
mod workers;

use exectrace_format::conventions::{
    BACKGROUND_NAME, BACKGROUND_TASK, CONCURRENT_SPAN, TRACER_NAME, TRACER_TASK, UNKNOWN_FILE,
};
use exectrace_format::{GroupCounts, Inferred, SideRecord, TaskId, ThreadId};
use rustc_hash::FxHashMap;

use crate::budget::Source;
use crate::flush::thread_usage::Usage;
use crate::input::{Input, SpanKey, Upcoming};
use crate::kinds::{Kind, NUMBERS};
use crate::status::RecordCounts;

use calls::Calls;
use heap::Heap;
use lookahead::Waker;
use names::{FrameId, Leaf};
use polls::AsyncTasks;
use samples::SamplePlaces;
use sites::Sites;
use spans::Spans;
use tasks::Tasks;
use threads::Machine;
use trace_ids::TraceIds;

pub(crate) use earlier::Earlier;
pub(crate) use leaf_span::LeafRecords;
pub(crate) use preamble::Missing;
pub(crate) use sites::Describe;
pub(crate) use threads::ThreadIndex;

/// The first user task of the program's.
const FIRST_TASK: u64 = BACKGROUND_TASK.0 + 1;

/// What the model counted, for reports and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records that were applied.
    pub(crate) records: u64,
    /// Records that threads said were lost.
    pub(crate) lost: u64,
    /// Spans, tasks and regions that a full table could not take.
    pub(crate) untracked: u64,
    /// Ends and begins that were concluded, not seen.
    pub(crate) inferred: u64,
    /// CPU samples that were written.
    pub(crate) samples: u64,
    /// Those of them whose stack ends before it should.
    pub(crate) samples_cut: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Model {
    machine: Machine,
    sites: Sites,
    spans: Spans,
    /// Spans of earlier recordings.
    earlier: Earlier,
    tasks: Tasks,
    polls: AsyncTasks,
    calls: Calls,
    samples: SamplePlaces,
    next_task: u64,
    /// Clones of handles that were published but not applied yet. While there are any, a span whose
    /// handles are all dropped as far as the model has come is not at its end.
    clones_ahead: FxHashMap<SpanKey, u32>,
    /// How often some thread lost records.
    losses: u64,
    counts: Counts,
    /// Records that were applied, by the numbers of their kinds; without those of leaf spans.
    applied: [u64; NUMBERS],
    /// Spans whose records were applied at once, of which each has four.
    leaf_spans: u64,
    /// What each source wrote since the flush thread last asked.
    spent: [u64; Source::ALL.len()],
    heap: Heap,
    trace_ids: TraceIds,
    /// The root frame of user tasks that carry a concurrent span.
    concurrent_span: FrameId,
    text: String,
}

impl Model {
    /// A model that knows nothing but the tracer itself, whose thread is `tracer`.
    pub(crate) fn new(tracer: ThreadId, describe: Describe) -> Self {
        let mut machine = Machine::new(tracer);
        Self {
            polls: AsyncTasks::new(&mut machine.names),
            calls: Calls::new(&mut machine.names),
            trace_ids: TraceIds::new(&mut machine.names),
            concurrent_span: machine.names.frame_of(CONCURRENT_SPAN, UNKNOWN_FILE, 1),
            machine,
            sites: Sites::new(describe),
            spans: Spans::default(),
            earlier: Earlier::default(),
            tasks: Tasks::default(),
            samples: SamplePlaces::default(),
            next_task: FIRST_TASK,
            clones_ahead: FxHashMap::default(),
            losses: 0,
            counts: Counts::default(),
            applied: [0; NUMBERS],
            leaf_spans: 0,
            spent: Default::default(),
            heap: Heap::default(),
            text: String::new(),
        }
    }

    /// Begins generation `number` at `time_ns`. What is pending must have been taken.
    pub(crate) fn begin_generation(&mut self, number: u64, time_ns: u64) {
        self.machine.emitter.begin_generation(number, time_ns);
        self.heap.begin_generation();
        self.end_what_losses_left_open();
    }

    /// Takes the events since the last call as one group.
    pub(crate) fn finish_group(&mut self, out: &mut Vec<u8>) -> GroupCounts {
        self.machine.emitter.writer().finish_group(out)
    }

    /// Events since the last group.
    pub(crate) fn pending_events(&mut self) -> u64 {
        self.machine.emitter.writer().pending_events()
    }

    /// The earliest time that the next event can have.
    pub(crate) fn time_ns(&self) -> u64 {
        self.machine.emitter.time_ns()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            records: self.applied.iter().sum::<u64>() + 4 * self.leaf_spans,
            ..self.counts
        }
    }

    /// The records that were applied, by what they are of.
    pub(crate) fn record_counts(&self) -> RecordCounts {
        let mut counts = RecordCounts::of_kinds(&self.applied);
        counts.spans += 4 * self.leaf_spans;
        counts.cpu_samples = self.counts.samples;
        counts
    }

    /// Says that a record was published, and will be applied sooner or later.
    ///
    /// Each thread's records come here in their order, before any of them is applied. `time_ns` is the time so many
    /// ticks after the record.
    #[inline]
    pub(crate) fn look_ahead(
        &mut self,
        time_ns: impl Fn(u64) -> u64,
        thread: ThreadIndex,
        ahead: &Upcoming,
    ) {
        let lookahead = &mut self.polls.lookahead;
        match *ahead {
            Upcoming::Clone(span) => *self.clones_ahead.entry(span).or_default() += 1,
            Upcoming::BlockingSpawn(task) => lookahead.blocking_spawned(task),
            Upcoming::PollBegin { task, waited_ns } => {
                lookahead.poll_begins(thread, task);
                if let Some(waited_ns) = waited_ns {
                    lookahead.woken_at(time_ns(0).saturating_sub(waited_ns), task);
                }
            }
            Upcoming::ClosureBegin(task) => {
                lookahead.blocking_spawned(task);
                lookahead.poll_begins(thread, task);
            }
            Upcoming::PollEnd => lookahead.poll_ends(thread),
            Upcoming::DriverWait { took, result } => {
                let took_ns = time_ns(took).saturating_sub(time_ns(0));
                lookahead.driver_waited(thread, took_ns, result);
            }
            Upcoming::Park(parks) => lookahead.parks(thread, parks),
            Upcoming::Wake(task) => lookahead.wake(thread, time_ns(0), Waker::Task(task.task)),
            Upcoming::WakeBy(waker) => lookahead.wake(thread, time_ns(0), Waker::Known(waker)),
            Upcoming::WakerOf { task, waker } => lookahead.waker_of(waker, task),
        }
    }

    /// Whether the span is known, so that a record that names it need not wait for its making.
    #[inline]
    pub(crate) fn knows(&self, span: SpanKey) -> bool {
        self.spans.find(span).is_some()
    }

    /// Begins a record, which is handled next: comes to its time.
    #[inline(always)]
    pub(crate) fn begin_record(&mut self, time_ns: u64, kind: Kind) {
        self.apply_timed(time_ns);
        self.machine.emitter.advance(time_ns);
        self.spans.forget_before(time_ns);
        self.applied[kind as usize] += 1;
    }

    /// Comes to a time up to which all records were applied.
    pub(crate) fn come_to(&mut self, time_ns: u64) {
        self.apply_timed(time_ns);
    }

    /// Handles the record that was begun, of a thread.
    ///
    /// Inlined, so that it is a plain call of the handler where the kind is known.
    #[inline(always)]
    pub(crate) fn handle(&mut self, thread: ThreadIndex, input: Input<'_>) {
        // What a thread records at the end of a call, before the call itself.
        let is_of_calls = matches!(
            input,
            Input::Call(_)
                | Input::CallSum { .. }
                | Input::HeapSum(_)
                | Input::HeapSample(_)
                | Input::HeapFree { .. }
                | Input::StackIs { .. }
        );
        if !is_of_calls && self.machine.call_of(thread).is_some() {
            // A signal handler's: what it interrupted is over for the trace, as the format has no calls in calls.
            self.machine.leave_call(thread);
        }
        match input {
            Input::RegionBegin {
                began,
                name,
                task,
                place,
                with_spawned,
            } => self.region_begin(thread, began, name, task, place, with_spawned),
            Input::RegionEnd { began } => self.region_end(thread, began),
            Input::TaskBegin {
                task,
                parent,
                name,
                place,
            } => self.task_begin(thread, task, parent, name, place),
            Input::TaskEnd { task } => self.task_end(thread, task),
            Input::Log {
                task,
                category,
                message,
                place,
            } => self.log(thread, task, category, message, place),
            Input::SpanNew(new) => self.span_new(thread, &new),
            Input::SpanEnter(span) => self.span_enter(thread, span),
            Input::SpanExit(span) => self.span_exit(thread, span, false),
            Input::SpanExitLast(span) => self.span_exit(thread, span, true),
            Input::SpanClose(span) => self.span_close(thread, span),
            Input::SpanClone(span) => self.span_clone(thread, span),
            Input::SpanDrop(span) => self.span_drop(thread, span),
            Input::SpanRecord { span, fields } => self.span_record(thread, span, fields),
            Input::SpanFollows { span, followed } => self.span_follows(thread, span, followed),
            Input::Event {
                site,
                parent,
                fields,
            } => self.event(thread, site, parent, fields),
            Input::SourceClosed { source } => self.source_closed(thread, source),
            Input::ThreadEnd => self.thread_end(thread),
            Input::Lost { records } => self.lost(thread, records),
            Input::AsyncSpawn {
                task,
                kind,
                place,
                name,
            } => self.async_spawn(thread, task, kind, place, name),
            Input::PollBegin(task) => self.poll_begin(thread, task),
            Input::PollEnd { task, stack } => self.poll_end(thread, task, stack),
            Input::AsyncEnd(task) => self.async_end(thread, task),
            Input::Wake(task) => self.wake(thread, task),
            Input::WakerOf { task, address } => self.waker_of(task, address),
            Input::WakeBy(waker) => self.wake_by(thread, waker),
            Input::Park => self.machine.park(thread),
            Input::Unpark { runtime, worker } => self.unpark(thread, (runtime, worker)),
            Input::ClosureBegin(task) => self.closure_begin(thread, task),
            Input::Call(called) => self.call(thread, called),
            Input::CallSum {
                call,
                calls,
                total_ns,
            } => self.call_sum(thread, call, calls, total_ns),
            Input::StackIs { hash, addresses } => self.stack_is(hash, addresses),
            Input::HeapSum(sum) => self.heap_sum(thread, sum),
            Input::HeapSample(sample) => self.heap_sample(thread, &sample),
            Input::HeapFree { sample } => self.heap_freed(self.machine.emitter.now_ns(), sample),
        }
    }

    /// Makes a thread known before its first record.
    pub(crate) fn register_thread(
        &mut self,
        time_ns: u64,
        index: ThreadIndex,
        id: ThreadId,
        name: Option<&str>,
    ) {
        self.machine.emitter.advance(time_ns);
        self.machine.register_thread(index, id, name);
    }

    /// Whether the thread is known and has not ended.
    #[inline]
    pub(crate) fn has_thread(&self, index: ThreadIndex) -> bool {
        self.machine.thread(index).is_some()
    }

    /// The thread is gone, and its own record of that was lost.
    pub(crate) fn thread_gone(&mut self, time_ns: u64, index: ThreadIndex) {
        if self.has_thread(index) {
            self.machine.emitter.advance(time_ns);
            self.thread_end(index);
            self.infer(Inferred::State, u64::from(index.0));
        }
    }

    fn thread_end(&mut self, thread: ThreadIndex) {
        if self.machine.begin_ending(thread) {
            self.end_all_regions(thread);
        }
        let flow = self.machine.end_thread(thread);
        self.leave_all(flow);
        self.polls.lookahead.thread_gone(thread);
    }

    /// Writes a message of the tracer's own, on its own flow.
    pub(crate) fn note(&mut self, time_ns: u64, category: &'static str, message: &str) {
        self.machine.emitter.advance(time_ns);
        let category = self.machine.names.intern_static(category);
        self.machine.run(ThreadIndex::TRACER);
        self.write_log_event(
            ThreadIndex::TRACER,
            TRACER_TASK,
            category,
            message,
            Leaf::None,
        );
        self.machine.rest_tracer();
    }

    /// Something about the build that is in no preamble: written as a message and in the side data.
    pub(crate) fn note_about(&mut self, time_ns: u64, key: &'static str, value: &str) {
        self.note(time_ns, key, value);
        let pairs = vec![(key.into(), value.to_owned().into())];
        self.machine
            .emitter
            .side(&SideRecord::Capabilities { pairs });
    }

    /// The value of a counter, read at this time.
    pub(crate) fn counter(&mut self, time_ns: u64, name: &str, value: i64) {
        let name = name.to_owned().into();
        self.machine.emitter.side(&SideRecord::Counter {
            name,
            time_ns,
            value,
        });
    }

    /// What the system has counted of a thread's time, as of this moment.
    pub(crate) fn thread_time(
        &mut self,
        thread: ThreadId,
        time_ns: u64,
        cpu_ns: u64,
        wait_ns: u64,
    ) {
        self.machine.emitter.side(&SideRecord::ThreadTime {
            thread,
            time_ns,
            cpu_ns,
            wait_ns,
        });
    }

    /// How often the system had stopped a thread by this moment.
    pub(crate) fn thread_usage(&mut self, thread: ThreadId, time_ns: u64, usage: Usage) {
        self.machine.emitter.side(&SideRecord::ThreadUsage {
            thread,
            time_ns,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
        });
    }

    /// A thread had no processor for so long.
    pub(crate) fn off_processor(
        &mut self,
        thread: ThreadId,
        time_ns: u64,
        duration_ns: u64,
        is_preempted: bool,
    ) {
        self.machine.emitter.side(&SideRecord::OffProcessor {
            time_ns,
            thread,
            duration_ns,
            is_preempted,
        });
    }

    /// Counts records of a source that has a budget.
    #[inline]
    pub(crate) fn spend(&mut self, source: Source, records: u64) {
        self.spent[source as usize] += records;
    }

    /// How many records each source wrote since the last call.
    pub(crate) fn take_spent(&mut self) -> [u64; Source::ALL.len()] {
        std::mem::take(&mut self.spent)
    }

    /// A source left records out, as it had more than its budget.
    pub(crate) fn thinned(&mut self, source: Source, records: u64) {
        if records > 0 {
            let time_ns = self.machine.emitter.time_ns();
            self.machine.emitter.side(&SideRecord::Thinned {
                time_ns,
                source: source.name().into(),
                records,
            });
        }
    }

    /// The user tasks that the tracer keeps open in every file.
    const OWN_TASKS: [(TaskId, &str); 2] = [
        (TRACER_TASK, TRACER_NAME),
        (BACKGROUND_TASK, BACKGROUND_NAME),
    ];

    /// Sees to it that annotations can be written on the thread.
    #[inline]
    fn run(&mut self, thread: ThreadIndex) {
        self.machine.run(thread);
    }

    fn new_task(&mut self) -> TaskId {
        let task = TaskId(self.next_task);
        self.next_task += 1;
        task
    }

    /// Notes in the side data that something was concluded, not seen.
    fn infer(&mut self, what: Inferred, id: u64) {
        self.counts.inferred += 1;
        let time_ns = self.machine.emitter.time_ns();
        self.machine
            .emitter
            .side(&SideRecord::Inferred { time_ns, what, id });
    }
}
