//! Legal programs seen through clocks that disagree and buffers that are published late.

use std::collections::VecDeque;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::chunk::Chunk;
use crate::clock::{ClockSample, Conversion};
use crate::cpu::PendingSamples;
use crate::flush::apply::apply_records;
use crate::kinds::Kind;
use crate::pool::Pool;
use crate::record::head;
use crate::thread::ThreadShared;
use crate::thread_reader::ThreadReader;

/// A record, and the true time at which it is published.
#[derive(Debug)]
struct Record {
    published: u64,
    words: Vec<u64>,
}

/// A thread that writes its records when their time has come.
struct Producer {
    chunk: &'static Chunk,
    unpublished: VecDeque<Record>,
    shared: &'static ThreadShared,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| Pool::with_memory(0).expect("a megabyte"))
}

impl Producer {
    fn new(thread: u64) -> Self {
        // All records of a program fit one chunk.
        let chunk = pool().take().expect("a chunk");
        let shared = ThreadShared::of_test(thread + 100, chunk);
        Self {
            chunk,
            unpublished: VecDeque::new(),
            shared,
        }
    }

    fn publish(&mut self, now: u64) {
        while let Some(record) = self.unpublished.front()
            && record.published <= now
        {
            let at = self.chunk.position();
            self.chunk.store(at, &record.words);
            self.chunk.publish(at + record.words.len());
            self.unpublished.pop_front();
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        pool().give_back(self.chunk);
    }
}

/// One life of a span: made on one thread, handed on, and used there while the maker lets it go.
#[derive(Clone, Debug)]
struct Life {
    maker: usize,
    user: usize,
    /// Between one step of the life and the next.
    pause_ns: u64,
    child: bool,
}

const THREADS: usize = 3;

fn lives() -> impl Strategy<Value = Vec<Life>> {
    let life = (0..THREADS, 0..THREADS, 0..300_u64, any::<bool>());
    let life = life.prop_map(|(maker, user, pause_ns, child)| Life {
        maker,
        user,
        pause_ns,
        child,
    });
    proptest::collection::vec(life, 1..60)
}

/// The clock of each thread: how far it is ahead, and how late it publishes.
fn clocks() -> impl Strategy<Value = [(u64, u64); THREADS]> {
    proptest::array::uniform3((0..1_500_u64, 0..9_000_000_u64))
}

/// Writes the records of all lives, one life after the other, as the threads' clocks show them.
fn program(lives: &[Life], clocks: &[(u64, u64); THREADS]) -> Vec<Producer> {
    let mut producers: Vec<_> = (0..THREADS as u64).map(Producer::new).collect();
    let mut now = START_NS;
    let mut id = 0;
    for life in lives {
        id += 2;
        let (one, two) = (id, id + 1);
        let mut steps = vec![
            (life.maker, Kind::SpanNew, vec![one, 0, 0, 0]),
            (life.user, Kind::SpanEnter, vec![one]),
            (life.user, Kind::SpanClone, vec![one]),
            (life.maker, Kind::SpanDrop, vec![one]),
        ];
        if life.child {
            let (parent, how) = Parent::Explicit(one).words();
            steps.extend([
                (life.maker, Kind::SpanNew, vec![two, 1, parent, how]),
                (life.user, Kind::SpanEnter, vec![two]),
                (life.user, Kind::SpanExit, vec![two]),
                (life.user, Kind::SpanDrop, vec![two]),
            ]);
        }
        steps.extend([
            (life.user, Kind::SpanExit, vec![one]),
            (life.user, Kind::SpanDrop, vec![one]),
        ]);
        for (thread, kind, operands) in steps {
            now += 1 + life.pause_ns;
            let (ahead, late) = clocks[thread];
            let mut words = vec![head(kind, 1, now + ahead)];
            words.extend(operands);
            let published = now + late;
            let record = Record { published, words };
            producers[thread].unpublished.push_back(record);
        }
    }
    producers
}

/// Reads the buffers every ten milliseconds and applies what is older than the reading before.
fn run(mut producers: Vec<Producer>) -> Trial {
    const PASS_NS: u64 = 10_000_000;
    let mut trial = Trial::new();
    // A tick is a nanosecond.
    let conversion = Conversion::starting_at(ClockSample { ticks: 0, ns: 0 });
    let shared = producers.iter().map(|producer| producer.shared);
    // Index 0 is the tracer's.
    let readers = shared.zip(1..);
    let readers = readers.map(|(shared, index)| ThreadReader::new(ThreadIndex(index), shared));
    let mut readers: Vec<_> = readers.collect();
    let mut watermark = START_NS;
    let has_more = |readers: &mut Vec<ThreadReader>| {
        let mut readers = readers.iter_mut();
        readers.any(|reader| reader.peek().is_some())
    };
    while has_more(&mut readers)
        || producers
            .iter()
            .any(|producer| !producer.unpublished.is_empty())
    {
        let now = watermark + PASS_NS;
        for (producer, reader) in producers.iter_mut().zip(&mut readers) {
            producer.publish(now);
            let thread = reader.index();
            reader.look(now, |ticks, upcoming| {
                trial.model.look_ahead(|_| ticks, thread, upcoming);
            });
        }
        let samples = &mut PendingSamples::default();
        apply_records(
            &mut readers,
            samples,
            watermark,
            &conversion,
            &mut trial.model,
        );
        trial.group();
        watermark = now;
    }
    trial
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn clocks_that_disagree_and_late_buffers_lose_and_invent_nothing(
        lives in lives(),
        clocks in clocks(),
    ) {
        let mut trial = run(program(&lives, &clocks));
        let events = trial.read().remove(0);
        let children = lives.iter().filter(|life| life.child).count();
        prop_assert_eq!(tasks(&events).len(), lives.len());
        prop_assert_eq!(regions(&events).len(), lives.len() + children);
        prop_assert_eq!(trial.model.counts().inferred, 0);
        prop_assert_eq!(trial.model.clones_ahead.len(), 0);
        let of_children = events.iter().filter(|event| matches!(
            &event.kind,
            TraceEventKind::RegionBegin { name, task } if &**name == "parse" && *task >= TaskId(FIRST_TASK)
        ));
        prop_assert_eq!(of_children.count(), children);
    }
}
