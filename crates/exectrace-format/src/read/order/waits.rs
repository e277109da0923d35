//! What events wait for, and which changes end such waits.

use super::proc_status::{ABANDONED, IDLE, SYSCALL};
use super::{Hindrance, Order, Outcome};

/// What an event waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Wait {
    /// The goroutine's next number is this and its status that.
    Go { go: u64, seq: u64, status: u8 },
    /// The proc's next number is this, and it is idle.
    IdleProc { proc: u64, seq: u64 },
    /// The proc's next number is this, and it is in a system call.
    SyscallProc { proc: u64, seq: u64 },
    /// The proc is not in a system call (or no longer this thread's).
    ProcLeavesSyscall { proc: u64 },
    /// This thread has no proc.
    NoProc { thread: u64 },
    /// The collector's next number is this.
    Gc { seq: u64 },
}

/// What an event changed that others may wait for.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Change {
    /// Exactly this holds now.
    Holds(Wait),
    /// Another thread's event changed this thread (an index, see [`Order::thread`]).
    Thread(usize),
}

impl Order {
    /// The event of this turn must wait.
    #[cold]
    pub(super) fn wait(&mut self, wait: Wait) -> Outcome {
        self.waits_for = wait;
        Err(Hindrance::Wait)
    }

    /// Notes a change, if somebody may wait for it.
    #[inline]
    pub(super) fn changed(&mut self, change: Change) {
        if self.watched {
            self.changes.push(change);
        }
    }

    /// Notes that a goroutine has a new state or number.
    #[inline(always)]
    pub(super) fn go_changed(&mut self, id: u64) {
        if self.watched {
            self.note_go(id);
        }
    }

    fn note_go(&mut self, id: u64) {
        if let Some(go) = self.goroutines.get_mut(id)
            && go.seq.generation == self.generation
        {
            let (seq, status) = (go.seq.number.wrapping_add(1), go.status);
            self.changes.push(Change::Holds(Wait::Go {
                go: id,
                seq,
                status,
            }));
        }
    }

    /// Notes that a proc has a new state or number.
    #[inline(always)]
    pub(super) fn proc_changed(&mut self, id: u64) {
        if self.watched {
            self.note_proc(id);
        }
    }

    fn note_proc(&mut self, id: u64) {
        let Some(proc) = self.procs.get_mut(id) else {
            return;
        };
        let seq = proc.seq.number.wrapping_add(1);
        let current = proc.seq.generation == self.generation;
        match proc.status {
            IDLE if current => {
                self.changes
                    .push(Change::Holds(Wait::IdleProc { proc: id, seq }));
            }
            SYSCALL | ABANDONED if current => {
                self.changes
                    .push(Change::Holds(Wait::SyscallProc { proc: id, seq }));
            }
            _ => {}
        }
        if proc.status != SYSCALL {
            self.changes
                .push(Change::Holds(Wait::ProcLeavesSyscall { proc: id }));
        }
    }
}
