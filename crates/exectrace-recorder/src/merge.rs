//! Merging the records of all threads into the order in which the model takes them.
//!
//! The order is each thread's own, plus causes before effects, then time. Counters that are read out
//! of order differ by up to a microsecond or so between threads, so a thread may seem to enter a span
//! just before another made it. When a record names a span that the model does not know, the other
//! threads' next records are searched for its making, over a span of time longer than any such
//! difference; if it is there, that thread goes first, up to the making. If not, the span is older
//! than the recording or its making was lost, and the model infers what it needs.
//!
//! A thread that lost the processor between its clock and its store is late: the watermark has passed
//! its record. Its records keep their place in the thread's order and are taken at the next watermark.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::input::SpanKey;
use crate::model::ThreadIndex;
use crate::thread_reader::ThreadReader;

/// How far ahead in time a span's making is searched for, in ticks of any clock in use (30 µs of a
/// 3 GHz counter, 100 µs of nanoseconds): many times what counters were seen to disagree by.
const SEARCH_TICKS: u64 = 100_000;

/// How many threads may wait for each other's records in a row. Real chains are as long as the
/// threads that pass something on within a microsecond.
const LONGEST_CHAIN: usize = 16;

/// Yields the records of all threads up to a watermark, as runs of records of one thread.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    readers: &'a mut [ThreadReader],
    /// In ticks.
    watermark: u64,
    /// Threads by the ticks of their next records, but for the one whose run was yielded last.
    next_by_ticks: BinaryHeap<Reverse<(u64, usize)>>,
    current: Option<usize>,
    /// Runs that wait for the one above them, innermost last.
    waiting: Vec<Run>,
}

/// Records of one thread that come next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The thread.
    pub(crate) index: usize,
    /// The ticks of its last record.
    pub(crate) until: u64,
    /// How many records at most.
    pub(crate) records: usize,
    /// The making of the span that the first record names was searched for.
    pub(crate) is_searched: bool,
}

impl Run {
    /// Whether the run was brought forward for another thread's sake: then no record belongs to it that was
    /// not asked for.
    pub(crate) fn is_brought_forward(&self) -> bool {
        self.records != usize::MAX
    }
}

impl<'a> Merge<'a> {
    /// Begins to merge what the readers have looked at.
    pub(crate) fn new(readers: &'a mut [ThreadReader], watermark: u64) -> Self {
        let mut merge = Self {
            next_by_ticks: BinaryHeap::with_capacity(readers.len()),
            readers,
            watermark,
            current: None,
            waiting: Vec::new(),
        };
        for index in 0..merge.readers.len() {
            merge.queue(index);
        }
        merge
    }

    pub(crate) fn reader(&mut self, index: usize) -> &mut ThreadReader {
        &mut self.readers[index]
    }

    /// The reader of a thread.
    #[cold]
    pub(crate) fn reader_of(&self, thread: ThreadIndex) -> Option<&ThreadReader> {
        self.readers.iter().find(|reader| reader.index() == thread)
    }

    /// The next run, of records up to `end` ticks, which is at most the watermark; `None` if no thread has such.
    /// The run before was taken to its end, or [waits](Self::wait).
    pub(crate) fn next_run(&mut self, end: u64) -> Option<Run> {
        if let Some(run) = self.waiting.pop() {
            return Some(run);
        }
        if let Some(current) = self.current.take() {
            self.queue(current);
        }
        loop {
            let Reverse((ticks, index)) = *self.next_by_ticks.peek()?;
            if ticks > end {
                return None;
            }
            self.next_by_ticks.pop();
            let peek = self.readers[index].peek();
            if peek.is_some_and(|peek| peek.ticks == ticks) {
                // This thread goes on until another's record is older.
                let next = self.next_by_ticks.peek();
                let until = next.map_or(end, |Reverse((ticks, _))| *ticks);
                self.current = Some(index);
                return Some(Run {
                    index,
                    until: until.min(end),
                    records: usize::MAX,
                    is_searched: false,
                });
            }
            // Its records were brought forward, so it stands elsewhere now.
            self.queue(index);
        }
    }

    /// Adds a thread to those that wait for their turn, if it has a record up to the watermark.
    fn queue(&mut self, index: usize) {
        if let Some(peek) = self.readers[index].peek()
            && peek.ticks <= self.watermark
        {
            self.next_by_ticks.push(Reverse((peek.ticks, index)));
        }
    }

    /// Has a run wait, whose next record, at these ticks, names a span that is not known. If a thread that does
    /// not wait itself makes the span soon, its records up to the making are the next run.
    #[cold]
    pub(crate) fn wait(&mut self, run: Run, ticks: u64, span: SpanKey) {
        let may_search = self.waiting.len() < LONGEST_CHAIN;
        self.waiting.push(Run {
            is_searched: true,
            ..run
        });
        if may_search {
            let maker = self.run_up_to_making(span, ticks + SEARCH_TICKS);
            self.waiting.extend(maker);
        }
    }

    fn run_up_to_making(&self, span: SpanKey, until: u64) -> Option<Run> {
        let waits = |index: usize| self.waiting.iter().any(|run| run.index == index);
        let mut others = (0..self.readers.len()).filter(|&index| !waits(index));
        others.find_map(|index| {
            Some(Run {
                index,
                until: u64::MAX,
                records: self.readers[index].search(span, until)?,
                is_searched: false,
            })
        })
    }
}
