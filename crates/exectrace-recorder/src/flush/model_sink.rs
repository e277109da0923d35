//! The model as the merge sees it: it takes records with their ticks and a thread's place.

use exectrace_format::ThreadId;

use crate::clock::{Conversion, Segment};
use crate::input::{Input, NewSpan, SpanKey};
use crate::merge::Sink;
use crate::model::{Model, ThreadIndex};

/// Who a reader's thread is.
#[derive(Debug)]
pub(super) struct Identity {
    /// The model's name for it.
    pub(super) index: ThreadIndex,
    pub(super) id: ThreadId,
    pub(super) name: Option<Box<str>>,
}

/// The model as the merge sees it.
pub(super) struct ModelSink<'a> {
    pub(super) model: &'a mut Model,
    pub(super) conversion: &'a Conversion,
    /// Where the last record lay: the next one nearly always does as well.
    pub(super) segment: Segment,
    pub(super) identities: &'a [Identity],
}

impl Sink for ModelSink<'_> {
    #[inline]
    fn knows(&self, span: SpanKey) -> bool {
        self.model.knows(span)
    }

    #[inline(always)]
    fn apply(&mut self, ticks: u64, index: usize, input: Input<'_>) {
        let time_ns = self.time_ns(ticks);
        let thread = self.identities[index].index;
        if !self.model.has_thread(thread) {
            self.register(time_ns, index);
        }
        self.model.apply(time_ns, thread, input);
    }

    #[inline(always)]
    fn apply_leaf_span(&mut self, ticks: [u64; 4], index: usize, new: &NewSpan<'_>) -> bool {
        let [made, entered, left, closed] = ticks;
        let times_ns = [
            self.time_ns(made),
            self.time_ns(entered),
            self.time_ns(left),
            self.time_ns(closed),
        ];
        let thread = self.identities[index].index;
        self.model.has_thread(thread) && self.model.apply_leaf_span(times_ns, thread, new)
    }
}

impl ModelSink<'_> {
    #[inline(always)]
    fn time_ns(&mut self, ticks: u64) -> u64 {
        if !self.segment.has(ticks) {
            self.segment = self.conversion.segment_of(ticks);
        }
        self.segment.to_ns(ticks)
    }

    #[cold]
    fn register(&mut self, time_ns: u64, index: usize) {
        let Identity { index, id, name } = &self.identities[index];
        self.model
            .register_thread(time_ns, *index, *id, name.as_deref());
    }
}
