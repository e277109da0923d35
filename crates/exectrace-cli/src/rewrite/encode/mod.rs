//! From the events of a trace back to the bytes of one.
//!
//! Each event becomes the one that says the same; sequence numbers are counted anew. A switch from
//! flow to flow, which the reader tells as three events, stays three. Here are samples, statuses and
//! the numbers; `event` has all other events.

mod event;

use exectrace_format::{
    CompactEvent, CompactKind, Event, GoId, GoState, GoStatus, ProcId, ProcState, ProcStatus,
    StackId, StateChange, Tables, ThreadId, Writer,
};
use rustc_hash::FxHashMap;

use super::texts::{Frames, Texts};
use super::world::World;

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
    /// Whether this is the first generation, in which nothing may be told to go on twice.
    is_first_generation: bool,
    /// Lanes that were told to be held, with the time: whether they are in a system call tells the
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

    /// Tells a lane's state; its numbers restart.
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

    /// Tells a flow's state; its numbers restart.
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

    /// The next number of a flow.
    pub(super) fn go_seq(&mut self, go: GoId) -> u64 {
        next(self.go_seqs.entry(go).or_default())
    }

    /// The next number of a lane.
    pub(super) fn proc_seq(&mut self, proc: ProcId) -> u64 {
        next(self.proc_seqs.entry(proc).or_default())
    }

    /// The next number of the collector.
    pub(super) fn collector_seq(&mut self) -> u64 {
        next(&mut self.collector_seq)
    }

    /// Writes what the event says; `world` is the state before it.
    pub(super) fn encode<F: Frames>(
        &mut self,
        event: &CompactEvent,
        time_ns: u64,
        tables: &Tables,
        world: &World,
        texts: &mut Texts<F>,
    ) {
        self.settle(event);
        if event.kind == CompactKind::StackSample {
            let own = texts.stack(event.stack, tables);
            let stack = texts.written_stack(own, &mut self.writer);
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
            && self.status(event, change, time_ns, tables, world, texts)
        {
            return;
        }
        if let Some(encoded) = self.event(event, tables, world, texts) {
            self.put(event.thread, time_ns, encoded);
        }
    }

    /// Tells the lanes that are known to be in a system call or not, now that this event follows.
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

    /// Tells all lanes that [`settle`](Self::settle) has not; they run.
    pub(super) fn settle_all(&mut self) {
        let mut held: Vec<_> = self.held.drain().collect();
        held.sort_unstable();
        for (thread, (proc, time_ns)) in held {
            self.put_proc_status(thread, time_ns, proc, ProcStatus::Running);
        }
    }

    /// Writes a status, if the change is one, and says whether it was.
    fn status<F: Frames>(
        &mut self,
        event: &CompactEvent,
        change: StateChange,
        time_ns: u64,
        tables: &Tables,
        world: &World,
        texts: &mut Texts<F>,
    ) -> bool {
        match change {
            StateChange::Go { go, from, to } if from == to || from == GoState::Undetermined => {
                let own = texts.stack(event.stack, tables);
                let stack = texts.written_stack(own, &mut self.writer);
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
                    ProcState::Running if world.is_in_syscall(event.thread) => {
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

/// The status of a flow in this state, if there is one.
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
