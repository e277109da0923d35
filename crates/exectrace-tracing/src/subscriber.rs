//! The Subscriber: `tracing` into records, with no `Registry` in between.
//!
//! It keeps no table of spans. All that it must answer about a span is in the span's id:
//!
//! ```text
//! 63           48 47                                  0
//! +--------------+-------------------------------------+
//! |  call site   |               serial                |
//! +--------------+-------------------------------------+
//! ```
//!
//! The serial is unique in the process, from a block that each thread takes for itself. How many
//! handles a span has is counted where its records are read.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Interest, LevelFilter, Metadata};

use crate::callsites::{self, Site};
use crate::source::Source;

/// A `tracing` subscriber that records, for programs whose spans and events go nowhere else.
///
/// A span costs some 50 ns, where one on a `Registry` costs some 300 before any layer sees it. In
/// exchange there are no other layers: to print events as well, use [`layer`](crate::layer()).
///
/// Everything of `tracing` works: explicit and contextual parents, `Span::current()` and
/// `in_current_span`, cloned handles, spans that move between threads, and `with_default` scopes,
/// also several of them at once. Layers that need no `Registry`, such as `EnvFilter`, can be put
/// above it. An `EnvFilter` directive that looks at *field values* of spans keeps a table of them,
/// and is not told when a span of this subscriber ends, as only the flush thread knows that: its
/// table grows. Use [`layer`](crate::layer()) with such directives.
///
/// Made by [`subscriber`](crate::subscriber()) or a [`Builder`](crate::Builder).
///
/// ```
/// let (subscriber, handle) = exectrace_tracing::subscriber();
/// tracing::subscriber::with_default(subscriber, || {
///     let folder = tempfile::tempdir()?;
///     handle.start(folder.path().join("trace.out"))?;
///     tracing::info_span!("request").in_scope(|| tracing::info!("hello"));
///     let report = handle.stop()?;
///     assert!(report.bytes > 0);
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Subscriber {
    source: Source,
}

const SERIAL_BITS: u32 = 48;
const SERIAL_MASK: u64 = (1 << SERIAL_BITS) - 1;

/// Serials that a thread takes at once: one shared write for so many spans.
const SERIAL_BLOCK: u64 = 1 << 12;

thread_local! {
    /// The serial given out last; a multiple of the block size if the block is used up.
    static SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// A number that no other call gets, never 0.
#[inline]
fn next_serial() -> u64 {
    SERIAL.with(|last| {
        let mut serial = last.get() + 1;
        if serial % SERIAL_BLOCK == 1 {
            serial = first_of_new_block();
        }
        last.set(serial);
        serial & SERIAL_MASK
    })
}

#[cold]
fn first_of_new_block() -> u64 {
    static BLOCKS: AtomicU64 = AtomicU64::new(0);
    // Relaxed: only uniqueness matters.
    BLOCKS.fetch_add(1, Ordering::Relaxed) * SERIAL_BLOCK + 1
}

/// The number of the call site that made the span.
fn site_number(span: u64) -> u32 {
    (span >> SERIAL_BITS) as u32
}

impl Subscriber {
    pub(crate) fn new(source: Source) -> Self {
        Self { source }
    }
}

impl tracing_core::Subscriber for Subscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        callsites::site(metadata);
        self.source.control().interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.source.control().is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.source.control().max_level())
    }

    #[inline]
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let site = callsites::site(attributes.metadata());
        let span = u64::from(site.number) << SERIAL_BITS | next_serial();
        self.source.new_span(span, attributes, site);
        Id::from_u64(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let span = span.into_u64();
        let metadata = callsites::metadata(site_number(span));
        let site = metadata.map_or(Site::UNKNOWN, callsites::site);
        self.source.record(span, values, site);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.source
            .follows_from(span.into_u64(), follows.into_u64());
    }

    #[inline]
    fn event(&self, event: &Event<'_>) {
        self.source.event(event);
    }

    #[inline]
    fn enter(&self, span: &Id) {
        self.source.enter(span.into_u64());
    }

    #[inline]
    fn exit(&self, span: &Id) {
        self.source.exit(span.into_u64());
    }

    #[inline]
    fn clone_span(&self, span: &Id) -> Id {
        self.source.clone_handle(span.into_u64());
        span.clone()
    }

    #[inline]
    fn try_close(&self, span: Id) -> bool {
        self.source.drop_handle(span.into_u64());
        // Whether it was the last is not known here.
        false
    }

    fn current_span(&self) -> Current {
        let span = self.source.current();
        match callsites::metadata(site_number(span)) {
            Some(metadata) => Current::new(Id::from_u64(span), metadata),
            None => Current::none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_unique_over_blocks_and_threads() {
        let take = || -> Vec<u64> { (0..3 * SERIAL_BLOCK).map(|_| next_serial()).collect() };
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(take)).collect();
            let serials = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap());
            serials.collect::<Vec<_>>()
        });
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len() as u64, 9 * SERIAL_BLOCK);
        assert!(all[0] > 0);
    }
}
