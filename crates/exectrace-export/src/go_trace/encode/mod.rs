//! From the events of a trace back to the bytes of one.
//!
//! Each event becomes the one that says the same; sequence numbers are counted anew. A switch from
//! goroutine to goroutine, which the reader yields as three events, stays three. Here are samples, statuses
//! and the numbers; `event` has all other events.

mod event;

use exectrace_format::{
    CompactEvent, CompactKind, Event, GoId, GoState, GoStatus, ProcId, ProcState, ProcStatus,
    StackId, StateChange, ThreadId, Writer,
};
use rustc_hash::FxHashMap;

use super::names::Context;
use super::symbolizer::Symbolizer;

pub(super) use event::{metric_event, parent_on_the_wire};

/// Writes events.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) writer: Writer,
    /// The last sequence numbers of this generation.
    go_seqs: FxHashMap<GoId, u64>,
    proc_seqs: FxHashMap<ProcId, u64>,
    /// Of the collector, over the whole trace.
    collector_seq: u64,
    /// Whether this is the first generation, in which nothing may be reported twice as active.
    is_first_generation: bool,
    /// Procs that were reported as held, with the time: whether they are in a system call follows from the
    /// next event of the thread.
    held: FxHashMap<ThreadId, (ProcId, u64)>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            writer: Writer::new(),
            go_seqs: FxHashMap::default(),
            proc_seqs: FxHashMap::default(),
            collector_seq: 0,
            is_first_generation: true,
            held: FxHashMap::default(),
        }
    }

    /// Begins a generation; the one before must have been finished.
    pub(super) fn begin_generation(&mut self, number: u64, time_ns: u64) {
        self.writer.begin_generation(number, time_ns);
        self.go_seqs.clear();
        self.proc_seqs.clear();
        self.is_first_generation = number == 1;
    }

    /// Writes an event on the stream of a thread.
    pub(super) fn put(&mut self, thread: ThreadId, time_ns: u64, event: Event) {
        let stream = self.writer.stream(thread);
        self.writer.event(stream, time_ns, event);
    }

    /// Writes a proc's status; its numbers restart.
    pub(super) fn put_proc_status(
        &mut self,
        thread: ThreadId,
        time_ns: u64,
        proc: ProcId,
        status: ProcStatus,
    ) {
        self.proc_seqs.insert(proc, 0);
        self.put(thread, time_ns, Event::ProcStatus { proc, status });
    }

    /// Writes a goroutine's status; its numbers restart.
    pub(super) fn put_go_status(
        &mut self,
        thread: ThreadId,
        time_ns: u64,
        go: GoId,
        status: GoStatus,
        stack: StackId,
    ) {
        self.go_seqs.insert(go, 0);
        let of = if thread == ThreadId::NONE {
            ThreadId(0)
        } else {
            thread
        };
        let event = match stack {
            StackId::NONE => Event::GoStatus {
                go,
                thread: of,
                status,
            },
            stack => Event::GoStatusStack {
                go,
                thread: of,
                status,
                stack,
            },
        };
        self.put(thread, time_ns, event);
    }

    /// The next number of a goroutine.
    pub(super) fn go_seq(&mut self, go: GoId) -> u64 {
        next(self.go_seqs.entry(go).or_default())
    }

    /// The next number of a proc.
    pub(super) fn proc_seq(&mut self, proc: ProcId) -> u64 {
        next(self.proc_seqs.entry(proc).or_default())
    }

    /// The next number of the collector.
    pub(super) fn collector_seq(&mut self) -> u64 {
        next(&mut self.collector_seq)
    }

    /// Writes what the event says.
    pub(super) fn encode<S: Symbolizer>(
        &mut self,
        event: &CompactEvent,
        time_ns: u64,
        context: &mut Context<'_, '_, S>,
    ) {
        self.settle(event);
        if event.kind == CompactKind::StackSample {
            let stack = context.stack(event.stack, &mut self.writer);
            let go = if event.go == GoId::NONE {
                GoId(0)
            } else {
                event.go
            };
            self.writer
                .cpu_sample(time_ns, event.thread, event.proc, go, stack);
            return;
        }
        if let CompactKind::StateTransition { change, .. } = event.kind
            && self.status(event, change, time_ns, context)
        {
            return;
        }
        if let Some(encoded) = self.event(event, context) {
            self.put(event.thread, time_ns, encoded);
        }
    }

    /// Writes the status of a proc that is known to be in a system call or not, now that this event follows.
    fn settle(&mut self, event: &CompactEvent) {
        if self.held.is_empty() {
            return;
        }
        if let Some((proc, time_ns)) = self.held.remove(&event.thread) {
            let is_syscall = matches!(
                event.kind,
                CompactKind::StateTransition {
                    change: StateChange::Go {
                        from: GoState::Undetermined,
                        to: GoState::Syscall,
                        ..
                    },
                    ..
                }
            );
            let status = if is_syscall {
                ProcStatus::Syscall
            } else {
                ProcStatus::Running
            };
            self.put_proc_status(event.thread, time_ns, proc, status);
        }
    }

    /// Writes the status of all procs that [`settle`](Self::settle) has not; they run.
    pub(super) fn settle_all(&mut self) {
        let mut held: Vec<_> = self.held.drain().collect();
        held.sort_unstable();
        for (thread, (proc, time_ns)) in held {
            self.put_proc_status(thread, time_ns, proc, ProcStatus::Running);
        }
    }

    /// Writes a status, if the change is one, and says whether it was.
    fn status<S: Symbolizer>(
        &mut self,
        event: &CompactEvent,
        change: StateChange,
        time_ns: u64,
        context: &mut Context<'_, '_, S>,
    ) -> bool {
        match change {
            StateChange::Go { go, from, to } if from == to || from == GoState::Undetermined => {
                let stack = context.stack(event.stack, &mut self.writer);
                if let Some(status) = go_status(to) {
                    self.put_go_status(event.thread, time_ns, go, status, stack);
                }
                true
            }
            StateChange::Proc { proc, from, to } => {
                if from != to && matches!(from, ProcState::Running | ProcState::Idle) {
                    return false;
                }
                match to {
                    ProcState::Idle => {
                        self.put_proc_status(event.thread, time_ns, proc, ProcStatus::Idle);
                    }
                    ProcState::Running if context.state.goroutine_in_syscall(proc).is_some() => {
                        self.put_proc_status(event.thread, time_ns, proc, ProcStatus::Syscall);
                    }
                    ProcState::Running if from == ProcState::Running => {
                        self.put_proc_status(event.thread, time_ns, proc, ProcStatus::Running);
                    }
                    ProcState::Running => {
                        self.held.insert(event.thread, (proc, time_ns));
                    }
                    ProcState::Undetermined | ProcState::NotExist => {}
                }
                true
            }
            StateChange::Go { .. } => false,
        }
    }
}

/// The status of a goroutine in this state, if there is one.
pub(super) fn go_status(state: GoState) -> Option<GoStatus> {
    Some(match state {
        GoState::Runnable => GoStatus::Runnable,
        GoState::Running => GoStatus::Running,
        GoState::Syscall => GoStatus::Syscall,
        GoState::Waiting => GoStatus::Waiting,
        GoState::Undetermined | GoState::NotExist => return None,
    })
}

fn next(seq: &mut u64) -> u64 {
    *seq += 1;
    *seq
}
