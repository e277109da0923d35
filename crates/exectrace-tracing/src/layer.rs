//! The Layer, in its two forms: behind a per-layer filter of its own, and alone on a `Registry`.

use std::sync::Arc;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Interest, LevelFilter, Metadata, Subscriber};
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::{self, Context, Layer};

use crate::callsites::{self, Site};
use crate::control::Control;
use crate::source::Source;

/// What [`layer`](crate::layer()) returns: the Layer behind its filter.
pub type FilteredLayer<S> = Filtered<RecordLayer, RecordFilter, S>;

/// The Layer that records, without a filter: it takes whatever reaches it.
///
/// Comes with its [`RecordFilter`] from [`Builder::layer_parts`](crate::Builder::layer_parts), or
/// both in one from [`layer`](crate::layer()).
///
/// A callback writes one record and looks no span up. The parent of a contextual span or event is
/// the innermost *recorded* span that its thread is in.
#[derive(Debug)]
pub struct RecordLayer {
    source: Source,
}

impl RecordLayer {
    pub(crate) fn new(source: Source) -> Self {
        Self { source }
    }
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        callsites::site(metadata);
        Interest::always()
    }

    #[inline]
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let site = callsites::site(attributes.metadata());
        self.source.new_span(id.into_u64(), attributes, site);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, _: Context<'_, S>) {
        // To know the span's call site would take a look-up; to look at the fields' names does not.
        self.source.record(span.into_u64(), values, Site::UNKNOWN);
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, _: Context<'_, S>) {
        self.source
            .follows_from(span.into_u64(), follows.into_u64());
    }

    #[inline]
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.source.event(event);
    }

    #[inline]
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.source.enter(id.into_u64());
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.source.exit(id.into_u64());
    }

    #[inline]
    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.source.close(id.into_u64());
    }
}

/// The per-layer filter of a [`RecordLayer`]: nothing while nothing records, else what its
/// [`Filter`](crate::Filter) says.
///
/// Its settings are one value that the [`Handle`](crate::Handle) swaps: no callback takes a lock.
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

/// The Layer for a `Registry` with no other: see [`layer_unfiltered`](crate::layer_unfiltered).
#[derive(Debug)]
pub struct UnfilteredLayer {
    inner: RecordLayer,
}

impl UnfilteredLayer {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            inner: RecordLayer::new(source),
        }
    }

    fn control(&self) -> &Control {
        self.inner.source.control()
    }
}

impl<S: Subscriber> Layer<S> for UnfilteredLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        callsites::site(metadata);
        self.control().interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.control().is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.control().max_level())
    }

    #[inline]
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.inner.on_new_span(attributes, id, context);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.inner.on_record(span, values, context);
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, context);
    }

    #[inline]
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.inner.on_event(event, context);
    }

    #[inline]
    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_enter(id, context);
    }

    #[inline]
    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_exit(id, context);
    }

    #[inline]
    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.inner.on_close(id, context);
    }
}
