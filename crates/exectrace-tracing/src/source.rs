//! What the Layer and the Subscriber have in common: records of `tracing`'s spans and events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_recorder::{Parent, SpanSource, TooManySpanSources, on_enabled_change};
use tracing_core::span::{Attributes, Record};
use tracing_core::{Event, Metadata};

use crate::callsites::{self, Site};
use crate::control::Control;
use crate::filters::Named;
use crate::visitor::FieldVisitor;
use crate::{interest, stack, tokio};

/// A source of spans and events: one Layer or one Subscriber.
#[derive(Debug)]
pub(crate) struct Source {
    /// `None` when there were too many: then nothing is recorded, and the handle says so.
    door: Option<SpanSource<Metadata<'static>>>,
    /// Its number in the threads' stacks. Not used again, unlike a door's.
    number: u64,
    control: Arc<Control>,
    _named: Named,
}

impl Source {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        callsites::mark(&control.redaction);
        on_enabled_change(interest::rebuild);
        let describing = Arc::clone(&control);
        let door = SpanSource::register(move |metadata| describing.describe(metadata));
        Self {
            door: door.ok(),
            // Relaxed: only uniqueness matters.
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            _named: Named::new(Arc::clone(&control)),
            control,
        }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Why it records nothing, if so.
    pub(crate) fn failure(&self) -> Option<TooManySpanSources> {
        self.door.is_none().then_some(TooManySpanSources)
    }

    #[inline]
    pub(crate) fn new_span(&self, span: u64, attributes: &Attributes<'_>, site: Site) {
        let Some(door) = &self.door else { return };
        let metadata = attributes.metadata();
        let parent = if attributes.is_contextual() {
            self.contextual_parent()
        } else {
            explicit_parent(attributes.parent().map(|parent| parent.into_u64()))
        };
        if metadata.fields().is_empty() {
            door.new_span_without_fields(span, metadata, parent);
        } else {
            door.new_span(span, metadata, parent, |fields| {
                attributes.record(&mut FieldVisitor::new(fields, site.named, &self.control));
            });
        }
    }

    #[inline]
    pub(crate) fn event(&self, event: &Event<'_>) {
        let Some(door) = &self.door else { return };
        let metadata = event.metadata();
        let site = callsites::site(metadata);
        if site.wakes {
            return self.wake(event);
        }
        let parent = if event.is_contextual() {
            self.contextual_parent()
        } else {
            explicit_parent(event.parent().map(|parent| parent.into_u64()))
        };
        door.event(metadata, parent, |fields| {
            event.record(&mut FieldVisitor::new(fields, site.named, &self.control));
        });
    }

    /// Tokio says something of a task's waker.
    #[inline(never)]
    fn wake(&self, event: &Event<'_>) {
        if let (Some(door), Some(span)) = (&self.door, tokio::woken(event)) {
            door.woken(span);
        }
    }

    /// Values of a span's fields became known. `site` is the span's.
    #[inline]
    pub(crate) fn record(&self, span: u64, values: &Record<'_>, site: Site) {
        let Some(door) = &self.door else { return };
        door.record(span, |fields| {
            values.record(&mut FieldVisitor::new(fields, site.named, &self.control));
        });
    }

    #[inline]
    pub(crate) fn follows_from(&self, span: u64, followed: u64) {
        if let Some(door) = &self.door {
            door.follows_from(span, followed);
        }
    }

    #[inline]
    pub(crate) fn enter(&self, span: u64) {
        // What is rare goes all by one call at the end: a call in between would have the registers
        // saved each time.
        if stack::push_shallow(self.number, span) {
            if let Some(door) = &self.door {
                door.enter(span);
            }
        } else {
            self.enter_slowly(span);
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly(&self, span: u64) {
        stack::push_deep(self.number, span);
        if let Some(door) = &self.door {
            door.enter(span);
        }
    }

    #[inline]
    pub(crate) fn exit(&self, span: u64) {
        if stack::pop_top(self.number, span) {
            if let Some(door) = &self.door {
                door.exit(span);
            }
        } else {
            self.exit_slowly(span);
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_slowly(&self, span: u64) {
        stack::remove(self.number, span);
        if let Some(door) = &self.door {
            door.exit(span);
        }
    }

    #[inline]
    pub(crate) fn close(&self, span: u64) {
        if let Some(door) = &self.door {
            door.close(span);
        }
    }

    #[inline]
    pub(crate) fn clone_handle(&self, span: u64) {
        if let Some(door) = &self.door {
            door.clone_handle(span);
        }
    }

    #[inline]
    pub(crate) fn drop_handle(&self, span: u64) {
        if let Some(door) = &self.door {
            door.drop_handle(span);
        }
    }

    /// The span of this source that the calling thread is in, or 0.
    #[inline]
    pub(crate) fn current(&self) -> u64 {
        stack::current(self.number)
    }

    #[inline]
    fn contextual_parent(&self) -> Parent {
        Parent::Current(self.current())
    }
}

#[inline]
fn explicit_parent(span: Option<u64>) -> Parent {
    match span {
        Some(span) => Parent::Explicit(span),
        None => Parent::Root,
    }
}
