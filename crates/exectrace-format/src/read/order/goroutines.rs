//! The rules of goroutines.

use crate::ids::{GoId, StackId, StringId, ThreadId};

use super::super::kind::CompactKind;
use super::super::order_error::OrderError;
use super::super::state::{GoState, ProcState, StateChange};
use super::go_status::{LAST, RUNNABLE, RUNNING, SYSCALL, WAITING};
use super::{
    Context, KnownGo, KnownProc, May, Must, MustNot, NONE, Order, Outcome, Turn, Wait, go_change,
    proc_change, proc_status,
};
use crate::event::EventKind;

impl Order {
    pub(super) fn go_create(&mut self, turn: &mut Turn<'_>, status: u8) -> Outcome {
        turn.needs(Must, May)?;
        let kind = turn.event.kind;
        let creator = self.goroutines.get_mut(turn.context.go);
        if creator.is_some_and(|creator| creator.status != RUNNING) {
            let expected = "Running";
            return Err(OrderError::WrongGoState { kind, expected }.into());
        }
        let id = turn.argument(0);
        self.make_go(id, status)?;
        let (go, from, to) = (GoId(id), GoState::NotExist, GoState::of_status(status));
        let kind = CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            is_status: false,
            reason: StringId::EMPTY,
            stack: turn.stack(1)?,
        };
        let stack = turn.stack(2)?;
        self.emit(turn, stack, kind)
    }

    pub(super) fn go_create_syscall(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(May, MustNot)?;
        let id = turn.argument(0);
        self.make_go(id, SYSCALL)?;
        turn.after_go = id;
        let kind = go_change(id, GoState::NotExist, GoState::Syscall);
        self.emit(turn, StackId::NONE, kind)
    }

    fn make_go(&mut self, id: u64, status: u8) -> Result<(), OrderError> {
        if self.goroutines.contains(id) {
            return Err(OrderError::GoExists(GoId(id)));
        }
        self.insert_go(id, status);
        Ok(())
    }

    pub(super) fn go_start(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        match self.goroutines.get_mut(id) {
            Some(go) if go.status == RUNNABLE && go.seq.is_next(generation, seq) => {
                turn.needs(Must, MustNot)?;
                go.status = RUNNING;
                go.seq.number = seq;
            }
            _ => {
                return self.wait(Wait::Go {
                    go: id,
                    seq,
                    status: RUNNABLE,
                });
            }
        }
        turn.after_go = id;
        self.go_changed(id);
        let kind = go_change(id, GoState::Runnable, GoState::Running);
        self.emit(turn, StackId::NONE, kind)
    }

    /// The running goroutine stops or blocks.
    pub(super) fn go_leave(&mut self, turn: &mut Turn<'_>, status: u8) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, RUNNING, "Running")?.status = status;
        self.go_changed(turn.context.go);
        turn.after_go = NONE;
        let (reason, stack) = (turn.string(0)?, turn.stack(1)?);
        let (from, to) = (GoState::Running, GoState::of_status(status));
        let change = StateChange::Go {
            go: GoId(turn.context.go),
            from,
            to,
        };
        let kind = CompactKind::StateTransition {
            change,
            is_status: false,
            reason,
            stack,
        };
        self.emit(turn, stack, kind)
    }

    pub(super) fn go_destroy(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, RUNNING, "Running")?;
        self.remove_go(turn.context.go);
        turn.after_go = NONE;
        let kind = go_change(turn.context.go, GoState::Running, GoState::NotExist);
        self.emit(turn, StackId::NONE, kind)
    }

    /// The goroutine on this thread, whose state is checked.
    #[inline]
    fn own_go_in(
        &mut self,
        turn: &Turn<'_>,
        status: u8,
        expected: &'static str,
    ) -> Result<&mut KnownGo, OrderError> {
        let kind = turn.event.kind;
        let go = self.own_go(turn)?;
        if go.status == status {
            Ok(go)
        } else {
            Err(OrderError::WrongGoState { kind, expected })
        }
    }

    fn set_own_go(&mut self, turn: &Turn<'_>, status: u8) {
        if let Some(go) = self.goroutines.get_mut(turn.context.go) {
            go.status = status;
        }
        self.go_changed(turn.context.go);
    }

    pub(super) fn go_unblock(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        match self.goroutines.get_mut(id) {
            Some(go) if go.status == WAITING && go.seq.is_next(generation, seq) => {
                go.status = RUNNABLE;
                go.seq.number = seq;
            }
            _ => {
                return self.wait(Wait::Go {
                    go: id,
                    seq,
                    status: WAITING,
                });
            }
        }
        self.go_changed(id);
        let kind = go_change(id, GoState::Waiting, GoState::Runnable);
        let stack = turn.stack(2)?;
        self.emit(turn, stack, kind)
    }

    /// The running goroutine blocks or ends, and another runs at once: surfaced as three events.
    pub(super) fn go_switch(&mut self, turn: &mut Turn<'_>, status: Option<u8>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, RUNNING, "Running")?;
        let (id, seq) = (turn.argument(0), turn.argument(1));
        let generation = self.generation;
        let next = self.goroutines.get_mut(id);
        if !next.is_some_and(|go| go.status == WAITING && go.seq.is_next(generation, seq)) {
            return self.wait(Wait::Go {
                go: id,
                seq,
                status: WAITING,
            });
        }
        let own = turn.context.go;
        let left = match status {
            Some(status) => {
                self.set_own_go(turn, status);
                GoState::of_status(status)
            }
            None => {
                self.remove_go(own);
                GoState::NotExist
            }
        };
        if let Some(go) = self.goroutines.get_mut(id) {
            go.status = RUNNING;
            go.seq.number = seq;
        }
        turn.after_go = id;
        self.go_changed(id);
        let woken = go_change(id, GoState::Waiting, GoState::Runnable);
        self.emit(turn, StackId::NONE, woken)?;
        self.emit_more(turn, turn.context, go_change(own, GoState::Running, left));
        let idle = Context {
            go: NONE,
            ..turn.context
        };
        let started = go_change(id, GoState::Runnable, GoState::Running);
        self.emit_more(turn, idle, started);
        Ok(())
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
        let stack = turn.stack(1)?;
        let change = StateChange::Go {
            go: GoId(turn.context.go),
            from: GoState::Running,
            to: GoState::Syscall,
        };
        let reason = StringId::EMPTY;
        let kind = CompactKind::StateTransition {
            change,
            is_status: false,
            reason,
            stack,
        };
        self.emit(turn, stack, kind)
    }

    pub(super) fn go_syscall_end(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(Must, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        self.own_proc_in_syscall(turn)?.status = proc_status::RUNNING;
        self.set_own_go(turn, RUNNING);
        self.proc_changed(turn.context.proc);
        let kind = go_change(turn.context.go, GoState::Syscall, GoState::Running);
        self.emit(turn, StackId::NONE, kind)
    }

    fn own_proc_in_syscall(&mut self, turn: &Turn<'_>) -> Result<&mut KnownProc, OrderError> {
        let (kind, expected) = (turn.event.kind, "Syscall");
        let proc = self.own_proc(turn)?;
        if proc.status == proc_status::SYSCALL {
            Ok(proc)
        } else {
            Err(OrderError::WrongProcState { kind, expected })
        }
    }

    pub(super) fn go_syscall_end_blocked(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let proc = turn.context.proc;
        if proc != NONE && self.own_proc(turn)?.status == proc_status::SYSCALL {
            // It is certain to be lost: that has to be seen first.
            return self.wait(Wait::ProcLeavesSyscall { proc });
        }
        turn.needs(May, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        self.set_own_go(turn, RUNNABLE);
        turn.after_go = NONE;
        // Others may wait for the same.
        self.proc_changed(proc);
        let kind = go_change(turn.context.go, GoState::Syscall, GoState::Runnable);
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn go_destroy_syscall(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(May, Must)?;
        self.own_go_in(turn, SYSCALL, "Syscall")?;
        let (own, proc) = (turn.context.go, turn.context.proc);
        let ended = go_change(own, GoState::Syscall, GoState::NotExist);
        if proc == NONE {
            self.emit(turn, StackId::NONE, ended)?;
        } else {
            // The thread forgets it: who takes it back later cannot say from whom.
            self.own_proc_in_syscall(turn)?.status = proc_status::ABANDONED;
            turn.after_proc = NONE;
            self.proc_changed(proc);
            let stolen = proc_change(proc, ProcState::Running, ProcState::Idle);
            self.emit(turn, StackId::NONE, stolen)?;
            self.emit_more(turn, turn.context, ended);
        }
        self.remove_go(own);
        turn.after_go = NONE;
        Ok(())
    }

    pub(super) fn go_status(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, thread, code) = (turn.argument(0), turn.argument(1), turn.argument(2));
        // The lowest byte counts, as in Go's reader.
        let status = code as u8;
        if status > LAST {
            return Err(OrderError::InvalidGoStatus {
                go: GoId(id),
                status: code,
            }
            .into());
        }
        let fresh = self.fresh_seq();
        let initial = self.is_initial();
        let from = match self.goroutines.get_mut(id) {
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
                GoState::of_status(status)
            }
            None if initial => {
                self.insert_go(id, status);
                GoState::Undetermined
            }
            None => return Err(OrderError::LateGo(GoId(id)).into()),
        };
        match status {
            RUNNING => turn.after_go = id,
            SYSCALL => self.bind_syscall(turn, id, thread)?,
            _ => {}
        }
        let stack = match turn.event.kind {
            EventKind::GoStatusStack => turn.stack(3)?,
            _ => StackId::NONE,
        };
        let (go, to) = (GoId(id), GoState::of_status(status));
        let kind = CompactKind::StateTransition {
            change: StateChange::Go { go, from, to },
            is_status: true,
            reason: StringId::EMPTY,
            stack,
        };
        self.emit(turn, stack, kind)
    }

    /// A goroutine is in a system call on `thread`, which need not be the one that reports it.
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
            turn.after_go = id;
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
