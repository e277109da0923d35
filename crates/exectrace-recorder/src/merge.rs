//! Merging the records of all threads into the order in which the model takes them.
//!
//! The order is each thread's own, plus causes before effects, then time. Counters that are read out
//! of order differ by up to a microsecond or so between threads, so a thread may seem to enter a span
//! just before another made it. When a record names a span that the model does not know, the other
//! threads' next records are searched for its making, over a stretch of time longer than any such
//! difference; if it is there, that thread goes first, up to the making. If not, the span is older
//! than the recording or its making was lost, and the model infers what it needs.
//!
//! A thread that lost the processor between its clock and its store is late: the cut has passed.
//! Its records keep their place in the thread's order and move up to the cut.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::input::{Input, NewSpan, SpanKey};

/// How far ahead in time a span's making is searched for, in ticks of any clock in use (30 µs of a
/// 3 GHz counter, 100 µs of nanoseconds): many times what counters were seen to disagree by.
const SEARCH_TICKS: u64 = 100_000;

/// How many threads may wait for each other's records in a row. Real chains are as long as the
/// threads that pass something on within a microsecond.
const LONGEST_CHAIN: usize = 16;

/// The records of one thread, in its own order.
pub(crate) trait Stream {
    /// What is known of a record without reading all of it.
    type Head: Copy;

    /// The next record, if there is one, and its ticks.
    fn head(&mut self) -> Option<(u64, Self::Head)>;

    /// Gives the next record, of which `head` was told, to the sink as one of thread `index`, and
    /// steps over it; and over those that follow up to `until`, if the sink takes them with it.
    fn take(&mut self, head: Self::Head, until: u64, index: usize, sink: &mut impl Sink);

    /// The span that the next record names, if it should come after that span's making.
    fn named(&self, head: Self::Head) -> Option<SpanKey>;

    /// Ticks of the next record, if there is one.
    fn peek_ticks(&mut self) -> Option<u64> {
        self.head().map(|(ticks, _)| ticks)
    }

    /// How many records from here on, none later than `until` ticks, include the making of `span`.
    fn search(&self, span: SpanKey, until: u64) -> Option<usize>;
}

/// What takes the merged records.
pub(crate) trait Sink {
    /// Whether the span can be found, so that its making need not be searched.
    fn knows(&self, span: SpanKey) -> bool;

    /// Takes the next record of thread `index`.
    fn apply(&mut self, ticks: u64, index: usize, input: Input<'_>);

    /// Takes the next four records of thread `index`, which are a span's whole life, or none of them
    /// if it returns `false`.
    fn apply_leaf_span(&mut self, ticks: [u64; 4], index: usize, new: &NewSpan<'_>) -> bool;
}

/// Gives all records up to `cut` ticks to the sink, in order.
pub(crate) fn merge<S: Stream>(streams: &mut [S], cut: u64, sink: &mut impl Sink) {
    let mut heads: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::with_capacity(streams.len());
    for (index, stream) in streams.iter_mut().enumerate() {
        heads.extend(next_head(stream, index, cut));
    }
    while let Some(Reverse((ticks, index))) = heads.pop() {
        // A thread whose records were brought forward stands elsewhere now.
        if streams[index].peek_ticks() == Some(ticks) {
            // This thread goes on until another's record is older.
            let until = heads.peek().map_or(cut, |Reverse((ticks, _))| *ticks);
            run(streams, index, until.min(cut), sink);
        }
        heads.extend(next_head(&mut streams[index], index, cut));
    }
}

fn next_head<S: Stream>(stream: &mut S, index: usize, cut: u64) -> Option<Reverse<(u64, usize)>> {
    let ticks = stream.peek_ticks()?;
    (ticks <= cut).then_some(Reverse((ticks, index)))
}

/// Takes a thread's records up to `until`.
fn run<S: Stream>(streams: &mut [S], index: usize, until: u64, sink: &mut impl Sink) {
    let mut waiting = Vec::new();
    while let Some((ticks, head)) = streams[index].head() {
        if ticks > until {
            return;
        }
        take_one(streams, index, (ticks, head), until, &mut waiting, sink);
    }
}

/// Takes a thread's next record, after the making of the span that it names.
///
/// `waiting` are the threads whose next record waits for this one.
///
/// Inlined, so that the head stays in registers: through memory it cost a tenth of the flush thread.
#[inline(always)]
fn take_one<S: Stream>(
    streams: &mut [S],
    index: usize,
    (ticks, head): (u64, S::Head),
    until: u64,
    waiting: &mut Vec<usize>,
    sink: &mut impl Sink,
) {
    if let Some(span) = streams[index].named(head)
        && !sink.knows(span)
        && waiting.len() < LONGEST_CHAIN
    {
        waiting.push(index);
        bring_forward(streams, span, ticks + SEARCH_TICKS, waiting, sink);
        waiting.pop();
    }
    streams[index].take(head, until, index, sink);
}

/// [`take_one`], where it is called from within itself.
#[inline(never)]
fn take_brought<S: Stream>(
    streams: &mut [S],
    index: usize,
    head: (u64, S::Head),
    waiting: &mut Vec<usize>,
    sink: &mut impl Sink,
) {
    // Those after this record were not asked for, whatever their time.
    take_one(streams, index, head, 0, waiting, sink);
}

/// If a thread that does not wait itself makes `span` soon, takes its records up to the making.
#[cold]
fn bring_forward<S: Stream>(
    streams: &mut [S],
    span: SpanKey,
    until: u64,
    waiting: &mut Vec<usize>,
    sink: &mut impl Sink,
) {
    for index in 0..streams.len() {
        if waiting.contains(&index) {
            continue;
        }
        if let Some(records) = streams[index].search(span, until) {
            for _ in 0..records {
                let Some(head) = streams[index].head() else {
                    return;
                };
                take_brought(streams, index, head, waiting, sink);
            }
            return;
        }
    }
}
