//! Spans that were made while an earlier recording ran, and may live on.
//!
//! While nothing records, no record says which of them end. So such a span is in a recording only once a
//! record names it: it is entered, or something is made in it. Then it is taken in, with its ancestors:
//! under its name, and as a user task if it was one. That user task begins there, which is marked as
//! concluded.

use exectrace_format::Inferred;
use rustc_hash::FxHashMap;

use super::entering::MAX_ANCESTORS;
use super::names::Leaf;
use super::spans::{Span, SpanSlot};
use super::threads::ThreadIndex;
use super::{BACKGROUND_TASK, Model};
use crate::input::{CallsiteKey, NewSpan, SpanKey};
use crate::span_source::Parent;

/// At most so many are kept, those of the last recording first; others are unknown where they are named.
const MAX_EARLIER: usize = 1 << 16;

/// How a span was made.
#[derive(Clone, Copy, Debug)]
struct Made {
    site: CallsiteKey,
    parent: Option<SpanKey>,
    is_task: bool,
    /// Handles that there were when the recording ended.
    handles: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    spans: FxHashMap<SpanKey, Made>,
}

impl Earlier {
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether the making of a span concerns one of these.
    #[inline]
    pub(super) fn is_named_by(&self, new: &NewSpan<'_>) -> bool {
        let source = new.span.source;
        !self.is_empty()
            && match new.parent {
                Parent::Explicit(id) | Parent::Current(id)
                    if self.spans.contains_key(&SpanKey { id, source }) =>
                {
                    true
                }
                _ => self.spans.contains_key(&new.span),
            }
    }

    /// The span is made, or all its handles are gone.
    pub(super) fn forget(&mut self, key: SpanKey) {
        self.spans.remove(&key);
    }

    /// Handles were made or dropped.
    pub(super) fn handles(&mut self, key: SpanKey, more: i64) {
        if let Some(made) = self.spans.get_mut(&key) {
            made.handles += more;
            if made.handles <= 0 {
                self.forget(key);
            }
        }
    }

    /// Records were lost: a registry may have given the id of any to a span whose making was among them.
    pub(super) fn forget_all(&mut self) {
        self.spans.clear();
    }

    pub(super) fn source_closed(&mut self, source: u16) {
        self.spans.retain(|key, _| key.source != source);
    }
}

impl Model {
    /// Adds what an earlier model knew.
    pub(crate) fn with_earlier(mut self, earlier: Earlier) -> Self {
        self.earlier = earlier;
        self
    }

    /// What the model of the next recording should know.
    pub(crate) fn into_earlier(self) -> Earlier {
        let key_of = |slot: SpanSlot| self.spans.get(slot).map(|span| span.key);
        let live = self.spans.live().filter(|(_, span)| !span.hidden);
        let live = live.filter_map(|(_, span)| {
            let made = Made {
                site: self.sites.get(span.site).key?,
                parent: span.parent_span.and_then(key_of),
                is_task: span.is_task,
                handles: span.handles,
            };
            Some((span.key, made))
        });
        let mut spans: FxHashMap<_, _> = live.take(MAX_EARLIER).collect();
        for (key, made) in self.earlier.spans {
            if spans.len() >= MAX_EARLIER {
                break;
            }
            spans.insert(key, made);
        }
        Earlier { spans }
    }

    /// Takes in the parent that a record names, if it was made earlier.
    #[inline]
    pub(super) fn recall_parent(&mut self, thread: ThreadIndex, source: u16, parent: Parent) {
        if self.earlier.is_empty() {
            return;
        }
        if let Parent::Explicit(id) | Parent::Current(id) = parent {
            self.recall(thread, SpanKey { id, source });
        }
    }

    /// Takes in a span that was made earlier, after its ancestors.
    #[cold]
    pub(super) fn recall(&mut self, thread: ThreadIndex, key: SpanKey) -> Option<SpanSlot> {
        let mut line = Vec::new();
        let mut next = Some(key);
        while let Some(key) = next.filter(|_| line.len() < MAX_ANCESTORS)
            && let Some(made) = self.earlier.spans.remove(&key)
        {
            next = made.parent;
            line.push((key, made));
        }
        if line.is_empty() {
            return None;
        }
        self.run(thread);
        let known = next.and_then(|key| self.spans.find_in_table(key));
        let outermost_first = line.into_iter().rev();
        outermost_first.fold(known, |parent, (key, made)| {
            self.take_in(thread, key, made, parent)
        })
    }

    fn take_in(
        &mut self,
        thread: ThreadIndex,
        key: SpanKey,
        made: Made,
        parent: Option<SpanSlot>,
    ) -> Option<SpanSlot> {
        let site = self.sites.id_of(made.site, &mut self.machine.names);
        let parent_span = parent.and_then(|slot| self.spans.get(slot));
        let parent_span = parent_span.filter(|span| !span.closed);
        let mut span = Span::new(key, site);
        span.parent_span = parent.filter(|_| parent_span.is_some());
        span.task = parent_span.map_or(BACKGROUND_TASK, |parent| parent.task);
        span.handles = made.handles;
        span.began_ns = self.machine.emitter.time_ns();
        span.named = self.machine.emitter.generation();
        span.losses = self.losses;
        span.adopted = true;
        if made.is_task {
            span.is_task = true;
            span.parent = match parent_span {
                Some(parent) => parent.task,
                None => exectrace_format::TaskId::BACKGROUND,
            };
            span.task = self.new_task();
        }
        let (task, of, parent_span) = (span.task, span.parent, span.parent_span);
        let Some(slot) = self.spans.insert(span) else {
            self.counts.untracked += 1;
            return None;
        };
        if let Some(parent) = parent_span.and_then(|slot| self.spans.get_mut(slot)) {
            parent.children += 1;
        }
        if made.is_task {
            let site = self.sites.get(site);
            let (name, place) = (site.name, Leaf::Place(site.frame));
            self.write_task_begin(thread, task, of, name, place);
            self.infer(Inferred::TaskBegin, task.0);
        }
        Some(slot)
    }
}
