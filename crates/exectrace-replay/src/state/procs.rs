//! Procs (workers) and threads.

use exectrace_format::{ProcId, ProcState, ThreadId};

use crate::names::Text;

use super::goroutines::Slot;
use super::index::Index;

/// A proc at an instant: a worker of a runtime, or the slot of another thread that records.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Proc {
    /// Its id.
    pub id: ProcId,
    /// Its name, as the recorder reported it; empty where none is known.
    pub name: Text,
    /// Its state.
    pub state: ProcState,
    /// The thread that holds it, if one does and is known.
    pub holder: Option<ThreadId>,
    /// The goroutine that entered a system call on it last, and may still be in it.
    pub(crate) in_syscall: Option<Slot>,
}

/// All procs of the trace so far.
#[derive(Clone, Debug, Default)]
pub struct Procs {
    all: Vec<Proc>,
    index: Index,
}

impl Procs {
    /// A proc.
    #[inline]
    pub fn get(&self, id: ProcId) -> Option<&Proc> {
        self.all.get(self.index.get(id.0)? as usize)
    }

    /// All of them, in the order in which the trace reports them.
    pub fn all(&self) -> &[Proc] {
        &self.all
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ProcId) -> Option<&mut Proc> {
        let index = self.index.get(id.0)?;
        self.all.get_mut(index as usize)
    }

    pub(crate) fn entry(&mut self, id: ProcId) -> &mut Proc {
        let index = match self.index.get(id.0) {
            Some(index) => index as usize,
            None => {
                let index = self.all.len();
                self.index.insert(id.0, index as u32);
                self.all.push(Proc {
                    id,
                    name: Text::EMPTY,
                    state: ProcState::Undetermined,
                    holder: None,
                    in_syscall: None,
                });
                index
            }
        };
        &mut self.all[index]
    }
}

/// A thread at an instant.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Thread {
    /// Its name, as the recorder reported it; empty where none is known.
    pub name: Text,
    /// The proc that it holds.
    pub proc: Option<ProcId>,
}

/// A proc changes its state, or the trace says again which it has.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProcChange {
    /// The proc.
    pub proc: ProcId,
    /// The state it leaves.
    pub from: ProcState,
    /// The state it enters; the same if nothing changes.
    pub to: ProcState,
    /// The thread on which it happens.
    pub thread: ThreadId,
    /// The goroutine in a system call from which it was taken.
    pub taken_from: Option<Slot>,
}
