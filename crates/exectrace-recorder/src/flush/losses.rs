//! What is missing in the trace for other reasons than full buffers.

use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_format::LeftOut;

use crate::model::Model;
use crate::thread_buffer::{LOST_ELSEWHERE, LOST_IN_FORMATTING};

/// How much of it was reported in the trace, by cause. The recordings' own reports count the same, so
/// that both agree.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    pub(super) untracked: u64,
    pub(super) unformatted: u64,
    pub(super) nested: u64,
}

impl Losses {
    /// Nothing is to be reported of what was lost until now.
    pub(super) fn from_now_on() -> Self {
        // A new model has left nothing out.
        Self {
            untracked: 0,
            unformatted: count(&LOST_IN_FORMATTING),
            nested: count(&LOST_ELSEWHERE),
        }
    }

    /// Writes what was lost since the last call, after all that the model has seen.
    pub(super) fn report(&mut self, model: &mut Model) {
        let now = Self {
            untracked: model.counts().untracked,
            ..Self::from_now_on()
        };
        let causes = [
            (LeftOut::TableFull, now.untracked - self.untracked),
            (LeftOut::Unformatted, now.unformatted - self.unformatted),
            (LeftOut::Nested, now.nested - self.nested),
        ];
        for (cause, count) in causes {
            model.left_out(cause, count);
        }
        *self = now;
    }
}

fn count(counter: &AtomicU64) -> u64 {
    // Relaxed: a record that is lost meanwhile is reported the next time.
    counter.load(Ordering::Relaxed)
}
