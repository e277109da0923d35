//! The Subscriber, which writes records without a `Registry`.
//!
//! It has no table of spans. What it must know about a span is encoded in the span's id:
//!
//! ```text
//! 63           48 47                                  0
//! +--------------+-------------------------------------+
//! |  call site   |               serial                |
//! +--------------+-------------------------------------+
//! ```
//!
//! The serial is unique in the process; each thread takes serials from a block of its own. The handles of a
//! span are counted by the flush thread, from the records of clones and drops. So `try_close` does not know
//! whether it drops the last handle, and returns `false`.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Dispatch, Event, Interest, LevelFilter, Metadata};

use crate::callbacks::Callbacks;
use crate::callsites::{self, CallsiteEntry};

/// A `tracing` subscriber for programs whose spans and events are recorded and go nowhere else.
///
/// A span costs some 50 ns, a quarter of what it costs with [`layer()`](crate::layer()) on a `Registry`.
/// `tracing` works as usual: explicit and contextual parents, `Span::current()` and `in_current_span`, cloned
/// handles, spans that move between threads, and several `with_default` scopes at once.
///
/// # It is a fast path without layers above it
///
/// A span of this subscriber never reports that it has closed: `try_close` returns `false`, and the `on_close`
/// of a layer above is not called. To count the handles of each span where it is dropped would double
/// what a span costs. An `EnvFilter` above it filters correctly, but if it has directives for spans
/// (`[request{id=7}]=debug`) it keeps a table of the spans that match, which then only grows. Use
/// [`layer()`](crate::layer()) on a `Registry` with such directives, and with all layers that rely on
/// `on_close` or need a `Registry`.
///
/// Made by [`subscriber()`](crate::subscriber()) or a [`Builder`](crate::Builder).
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
    callbacks: Callbacks,
}

const SERIAL_BITS: u32 = 48;
const SERIAL_MASK: u64 = (1 << SERIAL_BITS) - 1;

/// How many serials a thread takes at once, with one write to a shared counter.
const SERIAL_BLOCK: u64 = 1 << 12;

thread_local! {
    /// The serial given out last. A multiple of the block size if the block is used up.
    static SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// Returns a number that no other call returns; never 0.
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
fn callsite_number(span: u64) -> u32 {
    (span >> SERIAL_BITS) as u32
}

impl Subscriber {
    pub(crate) fn new(callbacks: Callbacks) -> Self {
        Self { callbacks }
    }
}

impl tracing_core::Subscriber for Subscriber {
    fn on_register_dispatch(&self, _: &Dispatch) {
        self.callbacks.control().used.install();
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        callsites::entry(metadata);
        self.callbacks.control().interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.callbacks.control().is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.callbacks.control().max_level())
    }

    #[inline]
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let callsite = callsites::entry(attributes.metadata());
        let span = u64::from(callsite.number) << SERIAL_BITS | next_serial();
        self.callbacks.new_span(span, attributes, callsite);
        Id::from_u64(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let span = span.into_u64();
        let metadata = callsites::metadata(callsite_number(span));
        let callsite = metadata.map_or(CallsiteEntry::UNKNOWN, callsites::entry);
        self.callbacks.record(span, values, callsite);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.callbacks
            .follows_from(span.into_u64(), follows.into_u64());
    }

    #[inline]
    fn event(&self, event: &Event<'_>) {
        self.callbacks.event(event);
    }

    #[inline]
    fn enter(&self, span: &Id) {
        self.callbacks.enter(span.into_u64());
    }

    #[inline]
    fn exit(&self, span: &Id) {
        self.callbacks.exit(span.into_u64());
    }

    #[inline]
    fn clone_span(&self, span: &Id) -> Id {
        self.callbacks.clone_handle(span.into_u64());
        span.clone()
    }

    #[inline]
    fn try_close(&self, span: Id) -> bool {
        self.callbacks.drop_handle(span.into_u64());
        // Only the flush thread knows whether this was the last handle.
        false
    }

    fn current_span(&self) -> Current {
        let span = self.callbacks.current();
        match callsites::metadata(callsite_number(span)) {
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
