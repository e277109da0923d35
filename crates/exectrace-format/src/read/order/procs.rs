//! The rules of procs.

use crate::ids::{ProcId, StackId, ThreadId};

use super::super::order_error::OrderError;
use super::super::state::ProcState;
use super::proc_status::{ABANDONED, IDLE, LAST, RUNNING, SYSCALL};
use super::{
    Change, Context, ENTRY_BYTES, KnownProc, KnownThread, May, Must, MustNot, NONE, Order, Outcome,
    Turn, Wait, proc_change, status_of_proc,
};

impl Order {
    pub(super) fn proc_start(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq) = (turn.argument(0), turn.argument(1));
        if turn.context.proc != NONE {
            return self.wait(Wait::NoProc {
                thread: turn.context.thread,
            });
        }
        let generation = self.generation;
        match self.procs.get_mut(id) {
            Some(proc) if proc.status == IDLE && proc.seq.is_next(generation, seq) => {
                turn.needs(MustNot, May)?;
                proc.status = RUNNING;
                proc.seq.number = seq;
            }
            _ => return self.wait(Wait::IdleProc { proc: id, seq }),
        }
        turn.after_proc = id;
        self.proc_changed(id);
        let kind = proc_change(id, ProcState::Idle, ProcState::Running);
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn proc_stop(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let kind = turn.event.kind;
        let proc = self.own_proc(turn)?;
        if proc.status != RUNNING && proc.status != SYSCALL {
            let expected = "Running or Syscall";
            return Err(OrderError::WrongProcState { kind, expected }.into());
        }
        turn.needs(Must, May)?;
        proc.status = IDLE;
        turn.after_proc = NONE;
        self.proc_changed(turn.context.proc);
        let kind = proc_change(turn.context.proc, ProcState::Running, ProcState::Idle);
        self.emit(turn, StackId::NONE, kind)
    }

    pub(super) fn proc_steal(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, seq, victim) = (turn.argument(0), turn.argument(1), turn.argument(2));
        let generation = self.generation;
        let stolen = match self.procs.get_mut(id) {
            Some(proc)
                if matches!(proc.status, SYSCALL | ABANDONED)
                    && proc.seq.is_next(generation, seq) =>
            {
                proc
            }
            _ => return self.wait(Wait::SyscallProc { proc: id, seq }),
        };
        turn.needs(May, May)?;
        let before = stolen.status;
        stolen.status = IDLE;
        stolen.seq.number = seq;
        // Whose proc it was is not known if it was abandoned.
        if before == SYSCALL {
            self.take_from(turn, id, victim)?;
        }
        self.proc_changed(id);
        let kind = proc_change(id, ProcState::of_status(before), ProcState::Idle);
        self.emit(turn, StackId::NONE, kind)
    }

    /// Ends the victim's hold on a proc.
    fn take_from(&mut self, turn: &mut Turn<'_>, id: u64, victim: u64) -> Result<(), OrderError> {
        let wrong = |found: u64| OrderError::StolenOther {
            proc: ProcId(id),
            thread: ThreadId(victim),
            found: ProcId(found),
        };
        if victim == turn.context.thread {
            if turn.context.proc != id {
                return Err(wrong(turn.context.proc));
            }
            turn.after_proc = NONE;
            return Ok(());
        }
        let known = self
            .thread_index
            .get(&victim)
            .filter(|&&index| self.threads[index].known);
        let &index = known.ok_or(OrderError::StolenFromNobody(ThreadId(victim)))?;
        if self.threads[index].proc != id {
            return Err(wrong(self.threads[index].proc));
        }
        self.bind(index, NONE);
        self.changed(Change::Thread(index));
        Ok(())
    }

    pub(super) fn proc_status(&mut self, turn: &mut Turn<'_>) -> Outcome {
        let (id, code) = (turn.argument(0), turn.argument(1));
        // Go's reader looks at the lowest byte first and then fails by the whole.
        if code > u64::from(LAST) {
            let proc = ProcId(id);
            return Err(OrderError::InvalidProcStatus { proc, status: code }.into());
        }
        let status = code as u8;
        let fresh = self.fresh_seq();
        let mut to = ProcState::of_status(status);
        let from = match self.procs.get_mut(id) {
            Some(proc) => {
                let lost = status == ABANDONED && proc.status == SYSCALL;
                if !lost && proc.status != status {
                    let (proc, old) = (ProcId(id), proc.status);
                    return Err(OrderError::InconsistentProc {
                        proc,
                        old,
                        new: status,
                    }
                    .into());
                }
                proc.seq = fresh;
                let before = ProcState::of_status(proc.status);
                if lost {
                    // Another thread reports it; the thread that holds it is still known here.
                    let &holder = proc
                        .holders
                        .last()
                        .ok_or(OrderError::LostProc(ProcId(id)))?;
                    let KnownThread { id: thread, go, .. } = self.threads[holder];
                    turn.context = Context {
                        thread,
                        proc: id,
                        go,
                    };
                    to = before;
                }
                before
            }
            None => {
                let proc = KnownProc {
                    status,
                    seq: fresh,
                    ranges: Vec::new(),
                    holders: Vec::new(),
                };
                self.procs.insert(id, proc);
                self.state_bytes += ENTRY_BYTES;
                if self.is_initial() {
                    ProcState::Undetermined
                } else {
                    ProcState::NotExist
                }
            }
        };
        if status == RUNNING || status == SYSCALL {
            turn.after_proc = id;
        }
        self.proc_changed(id);
        self.emit(turn, StackId::NONE, status_of_proc(id, from, to))
    }
}
