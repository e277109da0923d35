//! Which distributed trace OpenTelemetry's current context is a part of.
//!
//! The layer of `tracing-opentelemetry` attaches a span's context to the thread while the span is entered. So
//! whoever comes after that layer finds the id in the thread's current context, with no look-up of the span and no
//! lock. It does not start the span of OpenTelemetry either, after which its parent could not be set any more.
//!
//! A future's span is entered at each poll. What a thread has reported last is in a small table of its own, so that
//! most spans are reported once for each thread. The recorder's model leaves out what it knows already.

use std::cell::Cell;
use std::num::NonZeroU128;
use std::sync::atomic::{AtomicU32, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

/// How many spans a thread remembers to have reported. More are reported again.
const SLOTS: usize = 64;

/// A span that was reported: the number of the Layer, the span's id, the id of the distributed trace.
type Reported = (u64, u64, u128);

/// What a thread has reported.
struct Table {
    slots: [Cell<Reported>; SLOTS],
    /// The state of [`RECORDINGS`] for which the slots hold.
    recordings: Cell<u32>,
}

impl Drop for Table {
    /// It has a destructor, so that it is known to be gone. It is made after the thread's context, and so gone before.
    fn drop(&mut self) {}
}

thread_local! {
    static REPORTED: Table = {
        current();
        Table {
            slots: [const { Cell::new((0, 0, 0)) }; SLOTS],
            recordings: Cell::new(0),
        }
    };
}

/// Counted up whenever recording begins or ends: a new recording knows nothing of what was reported before.
static RECORDINGS: AtomicU32 = AtomicU32::new(1);

/// Recording has begun or ended.
pub(crate) fn forget_reported() {
    // Relaxed: a thread that sees it late reports its spans late.
    RECORDINGS.fetch_add(1, Ordering::Relaxed);
}

/// The id in the current context, unless the thread has reported it of this span of the Layer with this number.
#[inline]
pub(crate) fn new_trace_id(layer: u64, span: u64) -> Option<NonZeroU128> {
    // Where the table is gone, the context may be as well.
    REPORTED
        .try_with(|table| table.new_trace_id(layer, span))
        .ok()
        .flatten()
}

fn current() -> Option<NonZeroU128> {
    Context::map_current(|context| {
        let id = context.span().span_context().trace_id();
        NonZeroU128::new(u128::from_be_bytes(id.to_bytes()))
    })
}

impl Table {
    fn new_trace_id(&self, layer: u64, span: u64) -> Option<NonZeroU128> {
        let id = current()?;
        let recordings = RECORDINGS.load(Ordering::Relaxed);
        if self.recordings.replace(recordings) != recordings {
            self.slots.iter().for_each(|slot| slot.set((0, 0, 0)));
        }
        let place =
            (span ^ layer).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2());
        let reported = (layer, span, id.get());
        let is_known = self.slots[place as usize].replace(reported) == reported;
        (!is_known).then_some(id)
    }
}
