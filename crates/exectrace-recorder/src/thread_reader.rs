//! The records of one thread, as the flush thread reads them.

use std::sync::atomic::Ordering;

use exectrace_format::ThreadId;

use crate::calls::{self, CALLS, Call, Sum};
use crate::chunk::Chunk;
use crate::cpu::SampledThread;
use crate::decode::{Cursor, Peek, Scratch};
use crate::heap_sums::HeapSum;
use crate::input::{Called, NewSpan, SpanKey, Upcoming};
use crate::kinds::Kind;
use crate::model::{LeafRecords, Model, ThreadIndex};
use crate::park_counts::Look;
use crate::process;
use crate::thread::{self, ThreadShared};

/// A thread, and how far it was read.
///
/// Two cursors walk its chunks. The *looking* one goes first, to all that is published; the *taking*
/// one gives records to the model, up to where the other has looked and no further.
#[derive(Debug)]
pub(crate) struct ThreadReader {
    /// The model's name for the thread.
    index: ThreadIndex,
    shared: &'static ThreadShared,
    /// `None` until the thread has its first chunk.
    cursors: Option<Cursors>,
    /// The moment of the last look, near which all records lie.
    near: u64,
    /// The thread had ended when it was last looked at, so all it wrote was seen.
    ended: bool,
    /// The last look found records.
    has_news: bool,
    scratch: Scratch,
    /// Records that the thread had to drop and that need not be reported any more.
    reported: u64,
    /// What was taken of the sums of its calls; nothing as long as there were none.
    sums: SumsTaken,
    /// What was taken of what it allocated.
    heap: HeapSum,
    /// The call that the thread was in before the last look, and the last one that the model was given.
    open_call: Option<(u64, Call)>,
    given_call: u64,
}

/// How much was taken of each sum.
#[derive(Debug, Default)]
struct SumsTaken(Vec<Sum>);

impl SumsTaken {
    /// By how much the sum has grown since it was taken last, also by this.
    fn take(&mut self, call: Call, sum: Sum) -> Sum {
        if self.0.is_empty() {
            if sum == Sum::default() {
                return sum;
            }
            self.0.resize(CALLS, Sum::default());
        }
        let taken = &mut self.0[call as usize];
        let grown = Sum {
            calls: sum.calls.saturating_sub(taken.calls),
            ticks: sum.ticks.saturating_sub(taken.ticks),
        };
        taken.calls = taken.calls.max(sum.calls);
        taken.ticks = taken.ticks.max(sum.ticks);
        grown
    }
}

#[derive(Debug)]
struct Cursors {
    taking: Cursor,
    looking: Cursor,
}

impl ThreadReader {
    pub(crate) fn new(index: ThreadIndex, shared: &'static ThreadShared) -> Self {
        Self {
            index,
            shared,
            cursors: None,
            near: 0,
            ended: false,
            has_news: false,
            scratch: Scratch::default(),
            reported: 0,
            sums: SumsTaken::default(),
            heap: HeapSum::default(),
            open_call: None,
            given_call: 0,
        }
    }

    pub(crate) fn index(&self) -> ThreadIndex {
        self.index
    }

    pub(crate) fn id(&self) -> ThreadId {
        ThreadId(self.shared.thread())
    }

    /// What the thread found counted of itself where it parks, since the last call.
    pub(crate) fn take_looks(&self, words: &mut Vec<u64>, f: impl FnMut(Look)) {
        self.shared.park_counts.take(words, f);
    }

    /// What the thread has for its CPU samples.
    #[cfg_attr(not(cpu_samples), allow(dead_code, reason = "for CPU samples"))]
    pub(crate) fn sampled(&self) -> &SampledThread {
        &self.shared.sampled
    }

    /// Records that the thread had to drop so far and that were not reported, also not by this.
    pub(crate) fn take_unreported(&mut self) -> u64 {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let unreported = dropped.saturating_sub(self.reported);
        self.reported += unreported;
        unreported
    }

    /// Looks at all that the thread has published by `now`; `ahead` is given what is to be known early of each
    /// record, with its ticks.
    pub(crate) fn look(&mut self, now: u64, mut ahead: impl FnMut(u64, &Upcoming)) {
        self.near = now;
        // Acquire, and before looking: what an ended thread wrote last is seen then.
        self.ended = self.shared.ended.load(Ordering::Acquire) || self.is_gone_without_a_word();
        // Before looking too: if the call ends meanwhile, its record is seen.
        self.open_call = self.shared.calls.open();
        self.has_news = self.look_at_all(now, &mut ahead);
    }

    fn is_gone_without_a_word(&self) -> bool {
        self.shared.is_unguarded() && thread::is_gone(self.shared.thread())
    }

    /// The call that the thread was in before the last look, if it began by `until` ticks and was not given
    /// before.
    pub(crate) fn take_open_call(&mut self, until: u64) -> Option<(u64, Call)> {
        let until = until.saturating_sub(calls::ticks_of_open_calls());
        let (began, call) = self.open_call.filter(|(began, _)| *began <= until)?;
        let is_new = std::mem::replace(&mut self.given_call, began) != began;
        is_new.then_some((began, call))
    }

    /// The call that was given, if the thread is not in it any more: its end comes by its record, if it has one.
    pub(crate) fn take_ended_call(&mut self) -> Option<u64> {
        let is_over = self
            .open_call
            .is_none_or(|(began, _)| began != self.given_call);
        let given = std::mem::take(&mut self.given_call);
        if !is_over {
            self.given_call = given;
        }
        (is_over && given != 0).then_some(given)
    }

    /// The call that the thread was in when it ended, as it was cancelled there, if that was not given before.
    pub(crate) fn take_last_call(&mut self) -> Option<Call> {
        let (began, call) = self.shared.calls.open()?;
        let is_new = std::mem::replace(&mut self.given_call, began) != began;
        is_new.then_some(call)
    }

    /// Gives `f` the sums of calls that have grown, if all records of the thread were taken: then what was counted
    /// belongs to what it does now.
    pub(crate) fn take_sums(&mut self, mut f: impl FnMut(Call, Sum)) {
        let sums = Call::ALL
            .iter()
            .map(|&call| (call, self.shared.calls.sum(call)));
        let sums: Vec<_> = sums.filter(|(_, sum)| *sum != Sum::default()).collect();
        if sums.is_empty() || self.has_more() {
            return;
        }
        for (call, sum) in sums {
            let grown = self.sums.take(call, sum);
            if grown.calls > 0 {
                f(call, grown);
            }
        }
    }

    /// What the thread has allocated since that was taken, if all its records were: then it belongs to what the
    /// thread does now.
    pub(crate) fn take_heap_sum(&mut self) -> Option<HeapSum> {
        // Before looking for records: what it has counted after a record is not seen without that.
        let sum = self.shared.heap.get();
        if sum == self.heap || self.has_more() {
            return None;
        }
        Some(self.heap.take(sum))
    }

    /// Whether the thread has published records that were not taken.
    fn has_more(&mut self) -> bool {
        let near = self.near;
        self.cursors.as_mut().is_some_and(|cursors| {
            cursors.peek(near).is_some() || cursors.looking.peek(near).is_some()
        })
    }

    /// Makes the thread known to the model, if it is not.
    pub(crate) fn make_known(&self, time_ns: u64, model: &mut Model) {
        if !model.has_thread(self.index) {
            let name = self.shared.name();
            model.register_thread(time_ns, self.index, self.id(), name.as_deref());
        }
    }

    /// Whether the last look found records that those before had not.
    pub(crate) fn has_news(&self) -> bool {
        self.has_news
    }

    /// Whether the thread has come to its end, or may have: asked now, not at the last look.
    pub(crate) fn has_said_it_ends(&self) -> bool {
        // Acquire: what is looked at before this is of the living thread if it has not.
        self.shared.ended.load(Ordering::Acquire)
    }

    fn look_at_all(&mut self, now: u64, ahead: &mut impl FnMut(u64, &Upcoming)) -> bool {
        let mut has_news = false;
        let Some(cursors) = self.open() else {
            return false;
        };
        loop {
            let looking = &mut cursors.looking;
            while let Some(peek) = looking.peek(now) {
                has_news = true;
                if let Some(upcoming) = looking.record(&peek).upcoming() {
                    ahead(peek.ticks, &upcoming);
                }
                if let Some(leaf) = LeafRecords::at(looking, &peek, None) {
                    looking.advance_words(leaf.words);
                } else {
                    looking.advance(&peek);
                }
            }
            if looking.leave_chunk().is_none() {
                return has_news;
            }
        }
    }

    fn open(&mut self) -> Option<&mut Cursors> {
        if self.cursors.is_none() {
            let start = Cursor::at_start_of(self.shared.first.get()?);
            self.cursors = Some(Cursors {
                taking: start,
                looking: start,
            });
        }
        self.cursors.as_mut()
    }

    /// Leaves out all that was published.
    pub(crate) fn skip(&mut self) {
        self.look(self.near, |_, _| ());
        self.take_unreported();
        for &call in Call::ALL {
            self.sums.take(call, self.shared.calls.sum(call));
        }
        self.heap.take(self.shared.heap.get());
        self.take_looks(&mut Vec::new(), |_| ());
        self.given_call = 0;
        if let Some(cursors) = &mut self.cursors {
            while let Some(peek) = cursors.peek(self.near) {
                cursors.taking.advance(&peek);
            }
        }
    }

    /// Whether the thread has ended and all its records were taken.
    pub(crate) fn is_finished(&mut self) -> bool {
        let near = self.near;
        self.ended
            && self
                .cursors
                .as_mut()
                .is_none_or(|cursors| cursors.peek(near).is_none())
    }

    /// Gives the chunk back that an ended thread had last, and its description, ready for another.
    pub(crate) fn give_back(mut self) -> &'static ThreadShared {
        if let Some(cursors) = self.cursors.take() {
            give_back(cursors.taking.chunk());
        }
        self.shared.reset();
        self.shared
    }
}

impl Cursors {
    /// The next record that was looked at. Gives chunks back that were read to their end.
    #[inline(always)]
    fn peek(&mut self, near: u64) -> Option<Peek> {
        loop {
            if self.taking.has_reached(&self.looking) {
                return None;
            }
            if let Some(peek) = self.taking.peek(near) {
                return Some(peek);
            }
            give_back(self.taking.leave_chunk()?);
        }
    }
}

fn give_back(chunk: &'static Chunk) {
    if let Some(pool) = process::existing().and_then(|process| process.pool.get()) {
        pool.give_back(chunk);
    }
}

/// The next record.
impl ThreadReader {
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<Peek> {
        self.cursors.as_mut()?.peek(self.near)
    }

    /// The span whose making should come before the next record.
    #[inline(always)]
    pub(crate) fn named(&self, peek: &Peek) -> Option<SpanKey> {
        self.cursors.as_ref()?.taking.record(peek).named_span()
    }

    /// The next record, which was peeked at.
    #[inline(always)]
    pub(crate) fn next_record<'a>(&'a mut self, peek: &'a Peek) -> Option<NextRecord<'a>> {
        Some(NextRecord {
            peek,
            cursors: self.cursors.as_mut()?,
            scratch: &mut self.scratch,
            reported: &mut self.reported,
            sums: &mut self.sums,
            heap: &mut self.heap,
        })
    }

    /// How many records from here on, none later than `until` ticks, include the making of `span`.
    pub(crate) fn search(&self, span: SpanKey, until: u64) -> Option<usize> {
        let cursors = self.cursors.as_ref()?;
        let mut cursor = cursors.taking;
        let mut records = 0;
        while !cursor.has_reached(&cursors.looking) {
            let Some(peek) = cursor.peek(self.near) else {
                // The chunk left is given back when the taking cursor leaves it.
                cursor.leave_chunk()?;
                continue;
            };
            if peek.ticks > until {
                return None;
            }
            records += 1;
            if peek.kind == Kind::SpanNew && cursor.record(&peek).span(1) == span {
                return Some(records);
            }
            cursor.advance(&peek);
        }
        None
    }
}

/// The next record of a thread, which is to be stepped over.
#[derive(Debug)]
pub(crate) struct NextRecord<'a> {
    peek: &'a Peek,
    cursors: &'a mut Cursors,
    scratch: &'a mut Scratch,
    reported: &'a mut u64,
    sums: &'a mut SumsTaken,
    heap: &'a mut HeapSum,
}

impl NextRecord<'_> {
    /// The span that it is of, or whatever number stands behind its head.
    #[inline(always)]
    pub(crate) fn span(&self) -> SpanKey {
        self.cursors.taking.record(self.peek).span(1)
    }

    /// Decodes it for the model.
    #[inline(always)]
    pub(crate) fn handle(&mut self, model: &mut Model, thread: ThreadIndex) {
        let record = self.cursors.taking.record(self.peek);
        record.handle(self.scratch, model, thread);
    }

    /// The making of a span, which it is.
    #[inline(always)]
    pub(crate) fn new_span(&mut self) -> NewSpan<'_> {
        self.cursors.taking.record(self.peek).new_span(self.scratch)
    }

    /// Whether the record after it, an exit from a span, closes the span or drops a handle.
    #[inline(always)]
    pub(crate) fn is_closed_next(&self) -> bool {
        let Cursors { taking, looking } = &self.cursors;
        taking.is_closed_next(self.peek, Some(looking))
    }

    /// It and the three records after it, if they are those of a leaf span, up to `until` ticks.
    #[inline(always)]
    pub(crate) fn leaf_span(&self, until: u64) -> Option<LeafRecords> {
        let Cursors { taking, looking } = &self.cursors;
        let leaf = LeafRecords::at(taking, self.peek, Some(looking))?;
        (leaf.ticks[3] <= until).then_some(leaf)
    }

    /// What its thread has allocated since that was taken, as it says.
    pub(crate) fn take_heap_sum(&mut self) -> HeapSum {
        let sum = self.cursors.taking.record(self.peek).heap_sum();
        self.heap.take(sum)
    }

    /// How many records its thread has lost, as it says, that were not reported before.
    pub(crate) fn take_newly_lost(&mut self) -> u64 {
        let lost = self.span().id;
        let records = lost.saturating_sub(*self.reported);
        *self.reported += records;
        records
    }

    /// The call that it is of, which took so long.
    pub(crate) fn call(&self, took_ns: u64) -> Called {
        self.cursors.taking.record(self.peek).call(took_ns)
    }

    /// How many ticks that call took.
    pub(crate) fn call_ticks(&self) -> u64 {
        self.cursors.taking.word(1)
    }

    /// The call of which it has a sum, and by how much that has grown since it was taken last.
    pub(crate) fn take_sum(&mut self) -> (u16, Sum) {
        let record = self.cursors.taking.record(self.peek);
        let number = record.source();
        let sum = Sum {
            calls: record.word(1),
            ticks: record.word(2),
        };
        let call = Call::of_number(u64::from(number));
        (
            number,
            call.map(|call| self.sums.take(call, sum))
                .unwrap_or_default(),
        )
    }

    #[inline(always)]
    pub(crate) fn advance(self) {
        self.cursors.taking.advance(self.peek);
    }

    #[inline(always)]
    pub(crate) fn advance_past_leaf(self, leaf: &LeafRecords) {
        self.cursors.taking.advance_words(leaf.words);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::record::head;

    const SPAN: u64 = 77;

    /// The four records of a span's life, from `ticks` on, the third of `source`.
    fn life(ticks: u64, source: u16) -> Vec<Vec<u64>> {
        let about = |kind, source, after| vec![head(kind, source, ticks + after), SPAN];
        vec![
            vec![head(Kind::SpanNew, 1, ticks), SPAN, 0, 0, 0],
            about(Kind::SpanEnter, 1, 1),
            about(Kind::SpanExit, source, 2),
            about(Kind::SpanDrop, 1, 3),
        ]
    }

    fn write(chunk: &Chunk, records: &[Vec<u64>]) {
        for record in records {
            let at = chunk.position();
            chunk.store(at, record);
            chunk.publish(at + record.len());
        }
    }

    fn reader_of(chunk: &'static Chunk) -> ThreadReader {
        ThreadReader::new(ThreadIndex(1), ThreadShared::of_test(1, chunk))
    }

    /// How the records that were looked at, up to `until`, are taken: so many at once.
    fn take(reader: &mut ThreadReader, until: u64) -> Vec<usize> {
        let mut taken = Vec::new();
        while let Some(peek) = reader.peek().filter(|peek| peek.ticks <= until) {
            let record = reader.next_record(&peek).expect("a record");
            let leaf = record.leaf_span(until);
            match leaf {
                Some(leaf) => {
                    assert!(leaf.ticks.is_sorted());
                    taken.push(4);
                    record.advance_past_leaf(&leaf);
                }
                None => {
                    taken.push(1);
                    record.advance();
                }
            }
        }
        taken
    }

    #[test]
    fn a_spans_four_records_are_one_only_if_all_were_looked_at_in_one_chunk_of_one_source_in_time()
    {
        let pool = Pool::with_memory(0).expect("a megabyte");
        let next_chunk = || pool.take().expect("a chunk");

        let chunk = next_chunk();
        let mut reader = reader_of(chunk);
        write(chunk, &life(10, 1));
        reader.look(100, |_, _| ());
        assert_eq!(take(&mut reader, 100), [4]);
        // The third is of another source.
        write(chunk, &life(20, 2));
        reader.look(100, |_, _| ());
        assert_eq!(take(&mut reader, 100), [1, 1, 1, 1]);
        // Others have records between the third and the fourth.
        write(chunk, &life(30, 1));
        reader.look(100, |_, _| ());
        assert_eq!(take(&mut reader, 32), [1, 1, 1]);
        assert_eq!(take(&mut reader, 100), [1]);
        // The fourth was published after the look.
        write(chunk, &life(40, 1)[..3]);
        reader.look(100, |_, _| ());
        write(chunk, &life(40, 1)[3..]);
        assert_eq!(take(&mut reader, 100), [1, 1, 1]);
        reader.look(100, |_, _| ());
        assert_eq!(take(&mut reader, 100), [1]);
        // The fourth stands in the next chunk.
        write(chunk, &life(50, 1)[..3]);
        let second = next_chunk();
        chunk.seal(second);
        write(second, &life(50, 1)[3..]);
        reader.look(100, |_, _| ());
        assert_eq!(take(&mut reader, 100), [1, 1, 1, 1]);
    }
}
