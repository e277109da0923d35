//! What ours is compared with: the least that any recorder must do.
//!
//! - [`store`], the floor: the clock and two words into a block of the thread's own, and the block's
//!   published length. No macro, no subscriber, and nobody who reads.
//! - [`RecordOnly`], the least that a `tracing` subscriber can do: a record for each callback, and the
//!   values of fields read through a visitor. It knows no parents, counts no handles, and overwrites
//!   its one block over and over, so that its memory stays in the nearest cache.
//! - [`DoNothing`], a Layer and a per-layer filter that do nothing, on the `Registry`.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use exectrace_recorder::ticks;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Filter, Layer};

/// Words of a block: 16 KiB, as in the recorder.
const BLOCK_WORDS: usize = 2048;

struct Block {
    published: AtomicUsize,
    words: [AtomicU64; BLOCK_WORDS],
}

thread_local! {
    static BLOCK: Block = const {
        Block {
            published: AtomicUsize::new(0),
            words: [const { AtomicU64::new(0) }; BLOCK_WORDS],
        }
    };
}

/// Stores a record of two words and publishes it.
#[inline(always)]
fn store_words(first: u64, second: u64) {
    BLOCK.with(|block| {
        let mut at = block.published.load(Ordering::Relaxed);
        if at + 2 > BLOCK_WORDS {
            at = 0;
        }
        if let Some([one, two]) = block.words.get(at..at + 2) {
            one.store(first, Ordering::Relaxed);
            two.store(second, Ordering::Relaxed);
        }
        block.published.store(at + 2, Ordering::Release);
    });
}

/// The floor: reads the clock and stores a record of 16 bytes.
#[inline(always)]
pub(crate) fn store(kind: u64, operand: u64) {
    store_words(ticks() << 16 | kind, operand);
}

/// A subscriber that only stores records.
#[derive(Debug)]
pub struct RecordOnly;

thread_local! {
    static NEXT_SPAN: Cell<u64> = const { Cell::new(1) };
}

impl tracing::Subscriber for RecordOnly {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    #[inline]
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let span = NEXT_SPAN.get();
        NEXT_SPAN.set(span + 1);
        store(1, span);
        attributes.record(&mut StoreValues);
        Id::from_u64(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        store(2, span.into_u64());
        values.record(&mut StoreValues);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    #[inline]
    fn event(&self, event: &Event<'_>) {
        store(3, std::ptr::from_ref(event.metadata()).addr() as u64);
        event.record(&mut StoreValues);
    }

    #[inline]
    fn enter(&self, span: &Id) {
        store(4, span.into_u64());
    }

    #[inline]
    fn exit(&self, span: &Id) {
        store(5, span.into_u64());
    }

    #[inline]
    fn try_close(&self, span: Id) -> bool {
        store(6, span.into_u64());
        true
    }
}

/// Stores each value it visits as a record of 16 bytes; of a text, its bytes in as many as it takes.
struct StoreValues;

impl StoreValues {
    fn text(text: &str) {
        store_words(16, text.len() as u64);
        let mut words = text.as_bytes().chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        while let Some(word) = words.next() {
            store_words(word, words.next().unwrap_or(0));
        }
    }
}

impl Visit for StoreValues {
    fn record_u64(&mut self, field: &Field, value: u64) {
        store_words(field.index() as u64, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        store_words(field.index() as u64, value.cast_unsigned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        store_words(field.index() as u64, u64::from(value));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        Self::text(value);
    }

    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        // A formatting that fails is the value's own; what it wrote is stored.
        let _ = write!(StoreText, "{value:?}");
    }
}

struct StoreText;

impl fmt::Write for StoreText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        StoreValues::text(text);
        Ok(())
    }
}

/// A Layer, or a per-layer filter, that does nothing.
#[derive(Debug)]
pub struct DoNothing;

impl<S: tracing::Subscriber> Layer<S> for DoNothing {}

impl<S> Filter<S> for DoNothing {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }
}
