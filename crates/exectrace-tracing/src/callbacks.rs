//! What the Layer and the Subscriber do in each callback of `tracing`: write a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_recorder::{Parent, SpanSource, TooManySpanSources, on_enabled_change};
use tracing_core::span::{Attributes, Record};
use tracing_core::{Event, Metadata};

use crate::callsites::{self, CallsiteEntry};
use crate::control::Control;
use crate::filters::NamedFilter;
use crate::visitor::FieldVisitor;
use crate::{interest, stack, tokio};

/// The callbacks of one Layer or one Subscriber.
#[derive(Debug)]
pub(crate) struct Callbacks {
    /// `None` if there were too many sources when this one was made. Then nothing is recorded, and the
    /// handle reports why.
    source: Option<SpanSource<Metadata<'static>>>,
    /// Identifies this Layer or Subscriber in the threads' stacks of entered spans. Never reused, unlike the
    /// number of the recorder's source.
    number: u64,
    control: Arc<Control>,
    _named_filter: NamedFilter,
}

impl Callbacks {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        callsites::mark_hidden(&control.redaction);
        on_enabled_change(interest::rebuild);
        #[cfg(feature = "opentelemetry")]
        on_enabled_change(crate::opentelemetry::forget_reported);
        let describing = Arc::clone(&control);
        let source = SpanSource::register(move |metadata| describing.describe(metadata));
        Self {
            source: source.ok(),
            // Relaxed: only uniqueness matters.
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            _named_filter: NamedFilter::new(Arc::clone(&control)),
            control,
        }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Why nothing is recorded, if that is so.
    pub(crate) fn failure(&self) -> Option<TooManySpanSources> {
        self.source.is_none().then_some(TooManySpanSources)
    }

    #[inline]
    pub(crate) fn new_span(&self, span: u64, attributes: &Attributes<'_>, callsite: CallsiteEntry) {
        let Some(source) = &self.source else { return };
        let metadata = attributes.metadata();
        let parent = if attributes.is_contextual() {
            self.contextual_parent()
        } else {
            explicit_parent(attributes.parent().map(|parent| parent.into_u64()))
        };
        if metadata.fields().is_empty() {
            source.new_span_without_fields(span, metadata, parent);
        } else {
            source.new_span(span, metadata, parent, |fields| {
                attributes.record(&mut FieldVisitor::new(
                    fields,
                    callsite.hidden,
                    &self.control,
                ));
            });
        }
    }

    #[inline]
    pub(crate) fn event(&self, event: &Event<'_>) {
        let Some(source) = &self.source else { return };
        let metadata = event.metadata();
        let callsite = callsites::entry(metadata);
        if callsite.reports_wakes {
            return self.wake(event);
        }
        let parent = if event.is_contextual() {
            self.contextual_parent()
        } else {
            explicit_parent(event.parent().map(|parent| parent.into_u64()))
        };
        source.event(metadata, parent, |fields| {
            event.record(&mut FieldVisitor::new(
                fields,
                callsite.hidden,
                &self.control,
            ));
        });
    }

    /// An event of Tokio's about the waker of an async task.
    #[inline(never)]
    fn wake(&self, event: &Event<'_>) {
        if let (Some(source), Some(span)) = (&self.source, tokio::woken_span(event)) {
            source.woken(span);
        }
    }

    /// Records values for fields of a span. `callsite` is the span's.
    #[inline]
    pub(crate) fn record(&self, span: u64, values: &Record<'_>, callsite: CallsiteEntry) {
        let Some(source) = &self.source else { return };
        source.record(span, |fields| {
            values.record(&mut FieldVisitor::new(
                fields,
                callsite.hidden,
                &self.control,
            ));
        });
    }

    /// The distributed trace of OpenTelemetry's current context is that of a span which the thread has just entered.
    #[cfg(feature = "opentelemetry")]
    #[inline]
    pub(crate) fn take_trace_id(&self, span: u64) {
        if let Some(source) = &self.source
            && let Some(id) = crate::opentelemetry::new_trace_id(self.number, span)
        {
            source.trace_id(span, id);
        }
    }

    #[inline]
    pub(crate) fn follows_from(&self, span: u64, followed: u64) {
        if let Some(source) = &self.source {
            source.follows_from(span, followed);
        }
    }

    #[inline]
    pub(crate) fn enter(&self, span: u64) {
        // The rare case is one tail call. A call in the middle would make the common case save registers.
        if stack::push_shallow(self.number, span) {
            if let Some(source) = &self.source {
                source.enter(span);
            }
        } else {
            self.enter_slowly(span);
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly(&self, span: u64) {
        stack::push_deep(self.number, span);
        if let Some(source) = &self.source {
            source.enter(span);
        }
    }

    #[inline]
    pub(crate) fn exit(&self, span: u64) {
        if stack::pop_top(self.number, span) {
            if let Some(source) = &self.source {
                source.exit(span);
            }
        } else {
            self.exit_slowly(span);
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_slowly(&self, span: u64) {
        stack::remove(self.number, span);
        if let Some(source) = &self.source {
            source.exit(span);
        }
    }

    #[inline]
    pub(crate) fn close(&self, span: u64) {
        if let Some(source) = &self.source {
            source.close(span);
        }
    }

    #[inline]
    pub(crate) fn clone_handle(&self, span: u64) {
        if let Some(source) = &self.source {
            source.clone_handle(span);
        }
    }

    #[inline]
    pub(crate) fn drop_handle(&self, span: u64) {
        if let Some(source) = &self.source {
            source.drop_handle(span);
        }
    }

    /// The innermost span of this Layer or Subscriber that the calling thread has entered, or 0.
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
