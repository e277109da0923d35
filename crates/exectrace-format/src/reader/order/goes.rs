//! The rules of flows.

use crate::event::EventKind;
use crate::ids::{GoId, ThreadId};

use super::super::decode::RawEvent;
use super::super::error::OrderError;
use super::go_status::{LAST, RUNNABLE, RUNNING, SYSCALL, WAITING};
use super::{
    Before, Context, Extra, May, Must, MustNot, NONE, Order, Ordered, Outcome, Step, Turn, Wait,
    proc_status,
};

impl Order {
    pub(super) fn go_create(&mut self, turn: &mut Turn<'_>, status: u8) -> Outcome {
        turn.needs(Must, May)?;
        let kind = turn.event.kind;
        let creator = self.goes.get(&turn.context.go);
        if creator.is_some_and(|creator| creator.status != RUNNING) {
            return Err(OrderError::WrongGoState {
                kind,
                expected: "Running",
            }
            .into());
        }
        self.make_go(turn.argument(0), status)?;
        self.emit(turn, Extra::None)
    }

    pub(super) fn go_create_syscall(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(May, MustNot)?;
        let id = turn.argument(0);
        self.make_go(id, SYSCALL)?;
        turn.after.go = id;
        self.emit(turn, Extra::None)
    }

    fn make_go(&mut self, id: u64, status: u8) -> Result<(), OrderError> {
        if self.goes.contains_key(&id) {
            return Err(OrderError::GoExists(GoId(id)));
        }
        self.insert_go(id, status);
        Ok(())
    }

    pub(super) fn go_start(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        match self.goes.get_mut(&id) {
            Some(go) if go.status == RUNNABLE && go.seq.is_next(generation, seq) => {
                turn.needs(Must, MustNot)?;
                go.status = RUNNING;
                go.seq.number = seq;
            }
            _ => {
                return Ok(Step::Wait(Wait::Go {
                    go: id,
                    seq,
                    status: RUNNABLE,
                }));
            }
        }
        turn.after.go = id;
        self.go_changed(id);
        self.emit(turn, Extra::None)
    }

    /// The running flow stops, blocks, or (without a new status) ends.
    pub(super) fn go_leave(&mut self, turn: &mut Turn<'_>, status: Option<u8>) -> Outcome {
        turn.needs(Must, Must)?;
        self.leave(turn, status)?;
        turn.after.go = NONE;
        self.emit(turn, Extra::None)
    }

    fn leave(&mut self, turn: &Turn<'_>, status: Option<u8>) -> Result<(), OrderError> {
        self.own_go_in(turn, RUNNING, "Running")?;
        match status {
            Some(status) => self.set_own_go(turn, status),
            None => self.remove_go(turn.context.go),
        }
        Ok(())
    }

    /// Checks the state of the flow on this thread.
    fn own_go_in(
        &mut self,
        turn: &Turn<'_>,
        status: u8,
        expected: &'static str,
    ) -> Result<(), OrderError> {
        let kind = turn.event.kind;
        if self.own_go(turn)?.status == status {
            Ok(())
        } else {
            Err(OrderError::WrongGoState { kind, expected })
        }
    }

    fn set_own_go(&mut self, turn: &Turn<'_>, status: u8) {
        if let Some(go) = self.goes.get_mut(&turn.context.go) {
            go.status = status;
        }
        self.go_changed(turn.context.go);
    }

    pub(super) fn go_unblock(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        match self.goes.get_mut(&id) {
            Some(go) if go.status == WAITING && go.seq.is_next(generation, seq) => {
                go.status = RUNNABLE;
                go.seq.number = seq;
            }
            _ => {
                return Ok(Step::Wait(Wait::Go {
                    go: id,
                    seq,
                    status: WAITING,
                }));
            }
        }
        self.go_changed(id);
        self.emit(turn, Extra::None)
    }

    /// The running flow blocks or ends, and another runs at once: surfaced as three events.
    pub(super) fn go_switch(&mut self, turn: &mut Turn<'_>, status: Option<u8>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, RUNNING, "Running")?;
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        if !self
            .goes
            .get(&id)
            .is_some_and(|go| go.status == WAITING && go.seq.is_next(generation, seq))
        {
            return Ok(Step::Wait(Wait::Go {
                go: id,
                seq,
                status: WAITING,
            }));
        }
        self.leave(turn, status)?;
        if let Some(go) = self.goes.get_mut(&id) {
            go.status = RUNNING;
            go.seq.number = seq;
        }
        turn.after.go = id;
        self.go_changed(id);
        self.emit(turn, Extra::None)?;
        let leave = if status.is_some() {
            EventKind::GoBlock
        } else {
            EventKind::GoDestroy
        };
        self.emit_made(turn, turn.context, leave, [0; 4]);
        let idle = Context {
            go: NONE,
            ..turn.context
        };
        self.emit_made(turn, idle, EventKind::GoStart, [id, seq, 0, 0]);
        Ok(Step::Done)
    }

    /// Puts an event in the queue that does not stand in the file.
    pub(super) fn emit_made(
        &mut self,
        turn: &Turn<'_>,
        context: Context,
        kind: EventKind,
        arguments: [u64; 4],
    ) {
        let event = RawEvent {
            kind,
            time: turn.event.time,
            arguments,
        };
        self.queue.push_back(Ordered {
            event,
            context,
            extra: Extra::None,
        });
    }

    pub(super) fn go_syscall_begin(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, RUNNING, "Running")?;
        let (generation, found, kind) = (self.generation, turn.argument(0), turn.event.kind);
        let proc = self.own_proc(turn)?;
        if !proc.seq.is_next(generation, found) {
            let last = if proc.seq.generation == generation {
                proc.seq.number
            } else {
                0
            };
            return Err(OrderError::WrongSequence { kind, last, found }.into());
        }
        proc.status = proc_status::SYSCALL;
        proc.seq.number = found;
        self.set_own_go(turn, SYSCALL);
        self.proc_changed(turn.context.proc);
        self.emit(turn, Extra::None)
    }

    pub(super) fn go_syscall_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        let kind = turn.event.kind;
        let proc = self.own_proc(turn)?;
        if proc.status != proc_status::SYSCALL {
            return Err(OrderError::WrongProcState {
                kind,
                expected: "Syscall",
            }
            .into());
        }
        proc.status = proc_status::RUNNING;
        self.set_own_go(turn, RUNNING);
        self.proc_changed(turn.context.proc);
        self.emit(turn, Extra::None)
    }

    pub(super) fn go_syscall_end_blocked(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let proc = turn.context.proc;
        if proc != NONE && self.own_proc(turn)?.status == proc_status::SYSCALL {
            // It is certain to be lost: that has to be seen first.
            return Ok(Step::Wait(Wait::ProcLeavesSyscall { proc }));
        }
        turn.needs(May, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        self.set_own_go(turn, RUNNABLE);
        turn.after.go = NONE;
        // Others may wait for the same.
        self.proc_changed(proc);
        self.emit(turn, Extra::None)
    }

    pub(super) fn go_destroy_syscall(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(May, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        let id = turn.context.proc;
        if id != NONE {
            let kind = turn.event.kind;
            let proc = self.own_proc(turn)?;
            if proc.status != proc_status::SYSCALL {
                return Err(OrderError::WrongProcState {
                    kind,
                    expected: "Syscall",
                }
                .into());
            }
            // The thread forgets it: who takes it back later cannot say from whom.
            proc.status = proc_status::ABANDONED;
            turn.after.proc = NONE;
            self.proc_changed(id);
            let steal = [id, 0, turn.context.thread, 0];
            let event = RawEvent {
                kind: EventKind::ProcSteal,
                time: turn.event.time,
                arguments: steal,
            };
            let extra = Extra::From(Before::Status(proc_status::SYSCALL));
            self.queue.push_back(Ordered {
                event,
                context: turn.context,
                extra,
            });
        }
        self.remove_go(turn.context.go);
        turn.after.go = NONE;
        self.emit(turn, Extra::None)
    }

    pub(super) fn go_status(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, thread, code) = (turn.argument(0), turn.argument(1), turn.argument(2));
        if code > LAST {
            return Err(OrderError::InvalidGoStatus {
                go: GoId(id),
                status: code,
            }
            .into());
        }
        let status = code as u8;
        let fresh = self.fresh_seq();
        let initial = self.is_initial();
        let before = match self.goes.get_mut(&id) {
            Some(go) if go.status != status => {
                let (go, old) = (GoId(id), go.status);
                return Err(OrderError::InconsistentGo {
                    go,
                    old,
                    new: status,
                }
                .into());
            }
            Some(go) => {
                go.seq = fresh;
                self.go_changed(id);
                Before::Status(status)
            }
            None if initial => {
                self.insert_go(id, status);
                Before::Undetermined
            }
            None => return Err(OrderError::LateGo(GoId(id)).into()),
        };
        match status {
            RUNNING => turn.after.go = id,
            SYSCALL => self.bind_syscall(turn, id, thread)?,
            _ => {}
        }
        self.emit(turn, Extra::From(before))
    }

    /// A flow is in a system call on `thread`, which need not be the one that tells it.
    fn bind_syscall(
        &mut self,
        turn: &mut Turn<'_>,
        id: u64,
        thread: u64,
    ) -> Result<(), OrderError> {
        if thread == NONE {
            return Err(OrderError::SyscallWithoutThread(GoId(id)));
        }
        let inconsistent = |found: u64| OrderError::InconsistentThread {
            go: GoId(id),
            thread: ThreadId(thread),
            found: GoId(found),
        };
        if thread == turn.context.thread {
            // Later generations know the binding already.
            if !self.is_initial() && turn.context.go != id {
                return Err(inconsistent(turn.context.go));
            }
            turn.after.go = id;
            return Ok(());
        }
        let index = self.thread(thread);
        let state = &mut self.threads[index];
        if !state.known {
            state.known = true;
            state.go = id;
        } else if state.go == id {
            turn.context.go = id;
        } else {
            return Err(inconsistent(state.go));
        }
        turn.context.thread = thread;
        Ok(())
    }
}
