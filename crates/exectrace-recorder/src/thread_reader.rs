//! The records of one thread, as the flush thread reads them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::chunk::Chunk;
use crate::decode::{Cursor, Peek, Scratch};
use crate::input::{Input, SpanKey, Upcoming};
use crate::merge::{Sink, Stream};
use crate::process;
use crate::record::Kind;
use crate::thread::Shared;

/// A thread, and how far it was read.
///
/// Two cursors walk its chunks. The *looking* one goes first, to all that is published; the *taking*
/// one gives records to the model, up to where the other has looked and no further.
#[derive(Debug)]
pub(crate) struct ThreadReader {
    shared: Arc<Shared>,
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
}

#[derive(Debug)]
struct Cursors {
    taking: Cursor,
    looking: Cursor,
}

impl ThreadReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            cursors: None,
            near: 0,
            ended: false,
            has_news: false,
            scratch: Scratch::default(),
            reported: 0,
        }
    }

    /// Records that the thread had to drop so far and that were not reported, also not by this.
    pub(crate) fn take_unreported(&mut self) -> u64 {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let unreported = dropped.saturating_sub(self.reported);
        self.reported += unreported;
        unreported
    }

    /// Looks at all that the thread has published by `now`; `ahead` is told of it with its ticks.
    pub(crate) fn look(&mut self, now: u64, mut ahead: impl FnMut(u64, &Upcoming)) {
        self.near = now;
        // Acquire, and before looking: what an ended thread wrote last is seen then.
        self.ended = self.shared.ended.load(Ordering::Acquire);
        self.has_news = self.look_at_all(now, &mut ahead);
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
                if let Some(seen) = looking.ahead(&peek) {
                    ahead(peek.ticks, &seen);
                }
                if peek.kind == Kind::SpanNew
                    && let Some(whole) = looking.leaf_span(&peek, None)
                {
                    looking.advance_past_leaf(&whole);
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

    /// Gives the chunk back that an ended thread had last.
    pub(crate) fn give_back_last_chunk(&mut self) {
        if let Some(cursors) = self.cursors.take() {
            give_back(cursors.taking.chunk());
        }
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

impl Stream for ThreadReader {
    type Head = Peek;

    #[inline(always)]
    fn head(&mut self) -> Option<(u64, Peek)> {
        let peek = self.cursors.as_mut()?.peek(self.near)?;
        Some((peek.ticks, peek))
    }

    #[inline(always)]
    fn take(&mut self, head: Peek, until: u64, index: usize, sink: &mut impl Sink) {
        let Some(Cursors { taking, looking }) = &mut self.cursors else {
            return;
        };
        let ticks = head.ticks;
        // The most frequent kinds each on a way of their own, on which they stay in registers.
        match head.kind {
            Kind::SpanEnter => sink.apply(ticks, index, Input::SpanEnter(taking.span(&head))),
            Kind::SpanExit => {
                let span = taking.span(&head);
                let input = match taking.is_closed_next(&head, Some(looking)) {
                    true => Input::SpanExitLast(span),
                    false => Input::SpanExit(span),
                };
                sink.apply(ticks, index, input);
            }
            Kind::SpanClose => sink.apply(ticks, index, Input::SpanClose(taking.span(&head))),
            Kind::SpanDrop => sink.apply(ticks, index, Input::SpanDrop(taking.span(&head))),
            Kind::RegionEnd => {
                let began = taking.span(&head).id;
                sink.apply(ticks, index, Input::RegionEnd { began });
            }
            Kind::Lost => {
                let dropped = taking.span(&head).id;
                let records = dropped.saturating_sub(self.reported);
                if records > 0 {
                    self.reported = dropped;
                    sink.apply(ticks, index, Input::Lost { records });
                }
            }
            Kind::SpanNew => {
                let span = taking.read_span(&head, &mut self.scratch);
                if let Some(whole) = taking.leaf_span(&head, Some(looking))
                    && whole.ticks[3] <= until
                    && sink.apply_leaf_span(whole.ticks, index, &span)
                {
                    return taking.advance_past_leaf(&whole);
                }
                sink.apply(ticks, index, Input::SpanNew(span));
            }
            _ => sink.apply(ticks, index, taking.read(&head, &mut self.scratch)),
        }
        taking.advance(&head);
    }

    #[inline(always)]
    fn named(&self, head: Peek) -> Option<SpanKey> {
        self.cursors.as_ref()?.taking.named(&head)
    }

    fn search(&self, span: SpanKey, until: u64) -> Option<usize> {
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
            if peek.kind == Kind::SpanNew && cursor.span(&peek) == span {
                return Some(records);
            }
            cursor.advance(&peek);
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use super::*;
    use crate::input::NewSpan;
    use crate::pool::Pool;
    use crate::record::head;

    /// How the records of a thread were taken: so many at once.
    #[derive(Default)]
    struct Taken(Vec<usize>);

    impl Sink for Taken {
        fn knows(&self, _: SpanKey) -> bool {
            true
        }

        fn apply(&mut self, _: u64, _: usize, _: Input<'_>) {
            self.0.push(1);
        }

        fn apply_leaf_span(&mut self, ticks: [u64; 4], _: usize, _: &NewSpan<'_>) -> bool {
            assert!(ticks.is_sorted());
            self.0.push(4);
            true
        }
    }

    const SPAN: u64 = 77;

    /// The four records of a span's life, from `ticks` on, the third by way of `span source`.
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
        ThreadReader::new(Arc::new(Shared {
            thread: 1,
            name: None,
            first: OnceLock::from(chunk),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }))
    }

    /// Takes what was looked at, up to `until`.
    fn take(reader: &mut ThreadReader, until: u64) -> Vec<usize> {
        let mut taken = Taken::default();
        while let Some((ticks, head)) = reader.head() {
            if ticks > until {
                break;
            }
            reader.take(head, until, 0, &mut taken);
        }
        taken.0
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
        // The third is of another span source.
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
