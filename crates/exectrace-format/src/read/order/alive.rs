//! What the rules keep of threads, goroutines and procs: how it is found, made, bound and forgotten.

use crate::ids::{GoId, ProcId};

use super::super::order_error::OrderError;
use super::names::KeptNameId;
use super::{ENTRY_BYTES, ITEM_BYTES, KnownGo, KnownProc, KnownThread, NONE, Order, Turn};

impl Order {
    /// The index of a thread, for [`advance`](Self::advance); stays the same for good.
    pub(in super::super) fn thread(&mut self, id: u64) -> usize {
        *self.thread_index.entry(id).or_insert_with(|| {
            self.state_bytes += ENTRY_BYTES;
            self.threads.push(KnownThread {
                id,
                proc: NONE,
                go: NONE,
                holder_slot: 0,
                known: false,
            });
            self.threads.len() - 1
        })
    }

    /// Binds a thread to a proc, or to [`NONE`].
    pub(super) fn bind(&mut self, thread: usize, proc: u64) {
        let (before, slot) = (self.threads[thread].proc, self.threads[thread].holder_slot);
        if before == proc {
            return;
        }
        // A file may have a proc with the number that means none, which nobody can hold.
        if let Some(left) = self.procs.get_mut(before).filter(|_| before != NONE) {
            left.holders.swap_remove(slot);
            if let Some(&moved) = left.holders.get(slot) {
                self.threads[moved].holder_slot = slot;
            }
        }
        if let Some(taken) = self.procs.get_mut(proc).filter(|_| proc != NONE) {
            self.threads[thread].holder_slot = taken.holders.len();
            taken.holders.push(thread);
        }
        self.threads[thread].proc = proc;
    }

    /// The goroutine on the thread of this turn, which must have one that exists.
    #[inline]
    #[expect(
        clippy::unnecessary_lazy_evaluations,
        reason = "an error that is made at each call is dropped at each call: 22 instructions an event"
    )]
    pub(super) fn own_go(&mut self, turn: &Turn<'_>) -> Result<&mut KnownGo, OrderError> {
        let (kind, go) = (turn.event.kind, turn.context.go);
        self.goroutines
            .get_mut(go)
            .ok_or_else(|| OrderError::NoSuchGo { kind, go: GoId(go) })
    }

    /// The proc of the thread of this turn, which must have one that exists.
    #[inline]
    #[expect(
        clippy::unnecessary_lazy_evaluations,
        reason = "an error that is made at each call is dropped at each call: 22 instructions an event"
    )]
    pub(super) fn own_proc(&mut self, turn: &Turn<'_>) -> Result<&mut KnownProc, OrderError> {
        let (kind, proc) = (turn.event.kind, turn.context.proc);
        self.procs
            .get_mut(proc)
            .ok_or_else(|| OrderError::NoSuchProc {
                kind,
                proc: ProcId(proc),
            })
    }

    pub(super) fn insert_go(&mut self, id: u64, status: u8) {
        let go = KnownGo {
            status,
            seq: self.fresh_seq(),
            ranges: Vec::new(),
            regions: Vec::new(),
        };
        self.goroutines.insert(id, go);
        self.state_bytes += ENTRY_BYTES;
        self.go_changed(id);
    }

    pub(super) fn remove_go(&mut self, id: u64) {
        if let Some(go) = self.goroutines.remove(id) {
            self.state_bytes -= ENTRY_BYTES + go.ranges.len() as u64 * ITEM_BYTES;
            for (_, name) in go.regions {
                self.state_bytes -= self.region_bytes(name);
                self.names.release(name);
            }
            for name in go.ranges.iter().filter_map(|range| range.name) {
                self.names.release(name);
            }
        }
    }

    /// What an open region costs.
    pub(super) fn region_bytes(&self, name: KeptNameId) -> u64 {
        ITEM_BYTES + self.names.text_bytes(name)
    }
}
