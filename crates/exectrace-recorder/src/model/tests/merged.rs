//! Legal programs seen through clocks that disagree and buffers that are published late.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::merge::{Sink, Stream, merge};

/// A record with the time its thread's clock showed, and the true time at which it can be read.
#[derive(Debug)]
struct Record {
    ticks: u64,
    published: u64,
    input: Input<'static>,
}

/// The records of one thread, of which some are published.
#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Record>,
    published: usize,
}

impl Queue {
    fn next(&self) -> Option<&Record> {
        self.records.front().filter(|_| self.published > 0)
    }

    /// Publishes what can be read by now; tells of clones.
    fn look(&mut self, now: u64, mut clone: impl FnMut(SpanKey)) {
        let unread = self.records.iter().skip(self.published);
        for record in unread.take_while(|record| record.published <= now) {
            self.published += 1;
            if let Input::SpanClone(span) = record.input {
                clone(span);
            }
        }
    }
}

impl Queue {
    /// The next four published records, if they are a span's whole life up to `until`.
    fn leaf_span(&self, until: u64) -> Option<(NewSpan<'static>, [u64; 4])> {
        let next: Vec<_> = self.records.iter().take(self.published.min(4)).collect();
        let [new, enter, exit, drop] = next[..] else {
            return None;
        };
        let Input::SpanNew(made) = new.input else {
            return None;
        };
        let rest = [enter.input, exit.input, drop.input];
        let is_whole = matches!(
            rest,
            [Input::SpanEnter(a), Input::SpanExit(b), Input::SpanDrop(c) | Input::SpanClose(c)]
                if [a, b, c] == [made.span; 3]
        );
        let times = [new, enter, exit, drop].map(|record| record.ticks);
        (is_whole && drop.ticks <= until).then_some((made, times))
    }
}

impl Stream for Queue {
    type Head = Input<'static>;

    fn head(&mut self) -> Option<(u64, Self::Head)> {
        let next = self.next()?;
        Some((next.ticks, next.input))
    }

    fn take(&mut self, head: Self::Head, until: u64, index: usize, sink: &mut impl Sink) {
        if let Some((new, times)) = self.leaf_span(until)
            && sink.apply_leaf_span(times, index, &new)
        {
            self.records.drain(..times.len());
            self.published -= times.len();
            return;
        }
        let ticks = self.records.pop_front().map_or(0, |record| record.ticks);
        self.published -= 1;
        sink.apply(ticks, index, head);
    }

    fn named(&self, head: Self::Head) -> Option<SpanKey> {
        match head {
            Input::SpanEnter(span) | Input::SpanDrop(span) | Input::SpanClose(span) => Some(span),
            Input::SpanNew(NewSpan {
                parent: Parent::Explicit(id) | Parent::Current(id),
                ..
            }) if id != 0 => Some(span(id)),
            _ => None,
        }
    }

    fn search(&self, wanted: SpanKey, until: u64) -> Option<usize> {
        let published = self.records.iter().take(self.published);
        let near = published.take_while(|record| record.ticks <= until);
        let mut near = near.map(|record| record.input);
        near.position(|input| matches!(input, Input::SpanNew(new) if new.span == wanted))
            .map(|position| position + 1)
    }
}

impl Sink for Trial {
    fn knows(&self, span: SpanKey) -> bool {
        self.model.knows(span)
    }

    fn apply(&mut self, ticks: u64, index: usize, input: Input<'_>) {
        Trial::apply(self, ticks, index as u32, input);
    }

    fn apply_leaf_span(&mut self, ticks: [u64; 4], index: usize, new: &NewSpan<'_>) -> bool {
        Trial::apply_leaf_span(self, ticks, index as u32, new)
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
fn program(lives: &[Life], clocks: &[(u64, u64); THREADS]) -> Vec<Queue> {
    let mut queues: Vec<Queue> = (0..THREADS).map(|_| Queue::default()).collect();
    let mut now = START_NS;
    let mut id = 0;
    for life in lives {
        id += 2;
        let (one, two) = (span(id), span(id + 1));
        let mut steps = vec![
            (life.maker, new(id, 0, Parent::Root)),
            (life.user, Input::SpanEnter(one)),
            (life.user, Input::SpanClone(one)),
            (life.maker, Input::SpanDrop(one)),
        ];
        if life.child {
            steps.extend([
                (life.maker, new(id + 1, 1, Parent::Explicit(id))),
                (life.user, Input::SpanEnter(two)),
                (life.user, Input::SpanExit(two)),
                (life.user, Input::SpanDrop(two)),
            ]);
        }
        steps.extend([
            (life.user, Input::SpanExit(one)),
            (life.user, Input::SpanDrop(one)),
        ]);
        for (thread, input) in steps {
            now += 1 + life.pause_ns;
            let (ahead, late) = clocks[thread];
            queues[thread].records.push_back(Record {
                ticks: now + ahead,
                published: now + late,
                input,
            });
        }
    }
    queues
}

/// Reads the queues every ten milliseconds and applies what is older than the reading before.
fn play(queues: &mut [Queue]) -> Trial {
    const PASS_NS: u64 = 10_000_000;
    let mut trial = Trial::new();
    let mut cut = START_NS;
    while queues.iter().any(|queue| !queue.records.is_empty()) {
        let now = cut + PASS_NS;
        for queue in queues.iter_mut() {
            queue.look(now, |span| {
                trial
                    .model
                    .look_ahead(|| now, ThreadIndex(1), &Upcoming::Clone(span));
            });
        }
        merge(queues, cut, &mut trial);
        trial.group();
        cut = now;
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
        let mut queues = program(&lives, &clocks);
        let mut trial = play(&mut queues);
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
