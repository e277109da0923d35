//! The Layer, and the per-layer filter that comes with it.

use std::sync::Arc;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::layer::{self, Context, Layer};

use crate::callbacks::Callbacks;
use crate::callsites::{self, CallsiteEntry};
use crate::control::Control;

/// The Layer that records, without a filter: it records every span and event that reaches it.
///
/// [`Builder::layer_parts`](crate::Builder::layer_parts) returns it together with its
/// [`RecordFilter`]; [`layer()`](crate::layer()) returns both as one Layer.
///
/// A callback writes one record and does not look up the span. The parent of a contextual span or
/// event is the innermost *recorded* span that its thread has entered.
#[derive(Debug)]
pub struct RecordLayer {
    callbacks: Callbacks,
}

impl RecordLayer {
    pub(crate) fn new(callbacks: Callbacks) -> Self {
        Self { callbacks }
    }
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    fn on_register_dispatch(&self, _: &Dispatch) {
        self.callbacks.control().used.install();
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        callsites::entry(metadata);
        Interest::always()
    }

    #[inline]
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let callsite = callsites::entry(attributes.metadata());
        self.callbacks.new_span(id.into_u64(), attributes, callsite);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, _: Context<'_, S>) {
        // Finding the span's call site would take a look-up in the `Registry`. Comparing the names of the
        // fields does not.
        self.callbacks
            .record(span.into_u64(), values, CallsiteEntry::UNKNOWN);
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, _: Context<'_, S>) {
        self.callbacks
            .follows_from(span.into_u64(), follows.into_u64());
    }

    #[inline]
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.callbacks.event(event);
    }

    #[inline]
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.callbacks.enter(id.into_u64());
        #[cfg(feature = "opentelemetry")]
        self.callbacks.take_trace_id(id.into_u64());
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.callbacks.exit(id.into_u64());
    }

    #[inline]
    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.callbacks.close(id.into_u64());
    }
}

/// The per-layer filter of a [`RecordLayer`]: disables everything while nothing records, and otherwise
/// applies the [`Filter`](crate::Filter).
///
/// The [`Handle`](crate::Handle) swaps the filter as a whole, so no callback takes a lock.
#[derive(Debug)]
pub struct RecordFilter {
    control: Arc<Control>,
}

impl RecordFilter {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }
}

impl<S> layer::Filter<S> for RecordFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.control.is_wanted(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.control.interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.control.max_level())
    }
}
