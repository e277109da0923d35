//! What a file says of each span is what a program did, whatever the program: against the program's own
//! account.
//!
//! Programs are those that `tracing` lets one write: a span is in use where one of its handles is, and a
//! future leaves its spans before its poll ends. Within that, spans are entered and left in any order, on
//! threads and in async tasks, by several at once.

use std::collections::BTreeMap;
use std::panic::Location;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::runtime::AsyncTaskKind;

/// From one record to the next: room for all events of a record, so that each time names its record.
const STEP_NS: u64 = 10_000;
const THREADS: u32 = 3;
const TASKS: u64 = 4;

/// What a thread does next. An index chooses among what is possible then.
#[derive(Clone, Debug)]
enum Does {
    New(Option<Index>),
    /// All four records of a leaf span.
    Leaf,
    Enter(Index),
    Exit(Index),
    /// Leaves a span and drops a handle of it, with no record of this thread between.
    ExitAndDrop(Index),
    Clone(Index),
    Drop(Index),
    Poll(u64),
    /// Leaves all spans, beginning with any, and ends the poll; or the task as well.
    EndPoll(usize, bool),
    /// A task ends that nobody polls.
    Abort(u64),
    Group,
    Generation,
}

fn steps() -> impl Strategy<Value = Vec<(u32, Does)>> {
    let index = any::<Index>;
    let does = prop_oneof![
        4 => proptest::option::of(index()).prop_map(Does::New),
        1 => Just(Does::Leaf),
        10 => index().prop_map(Does::Enter),
        6 => index().prop_map(Does::Exit),
        3 => index().prop_map(Does::ExitAndDrop),
        2 => index().prop_map(Does::Clone),
        3 => index().prop_map(Does::Drop),
        6 => (1..=TASKS).prop_map(Does::Poll),
        5 => (any::<usize>(), proptest::bool::weighted(0.1)).prop_map(|(from, ends)| Does::EndPoll(from, ends)),
        1 => (1..=TASKS).prop_map(Does::Abort),
        1 => Just(Does::Group),
        1 => Just(Does::Generation),
    ];
    proptest::collection::vec((0..THREADS, does), 0..120)
}

/// The account of a span. Times are in steps.
#[derive(Clone, Debug, Default)]
struct Lived {
    parent: Option<usize>,
    first: Option<u64>,
    left: u64,
    closed: Option<u64>,
    /// The record after that in which it was left closed it.
    closed_where_left: bool,
    busy: u64,
    entries: u64,
    handles: u32,
    children: u32,
}

/// A span in which a flow is, since when. If the flow was in it already, there is no time.
#[derive(Clone, Copy, Debug)]
struct Inside {
    span: usize,
    since: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    /// Of the thread's own flow.
    inside: Vec<Inside>,
    polls: Option<u64>,
    /// Of the task.
    inside_poll: Vec<Inside>,
    /// The span of which the thread drops a handle next.
    drops: Option<usize>,
}

impl Thread {
    fn inside_mut(&mut self) -> &mut Vec<Inside> {
        match self.polls {
            Some(_) => &mut self.inside_poll,
            None => &mut self.inside,
        }
    }

    /// The current span, as `tracing` has it: of the thread, whatever it polls.
    fn current(&self) -> Option<usize> {
        let mut inside = self
            .inside_poll
            .iter()
            .rev()
            .chain(self.inside.iter().rev());
        Some(inside.find(|inside| inside.since.is_some())?.span)
    }
}

struct Program {
    trial: Trial,
    step: u64,
    threads: [Thread; THREADS as usize],
    spans: Vec<Lived>,
}

impl Program {
    fn new() -> Self {
        let mut program = Self {
            trial: Trial::new(),
            step: 0,
            threads: Default::default(),
            spans: Vec::new(),
        };
        for number in 1..=TASKS {
            program.spawns(0, number);
        }
        program
    }

    fn records(&mut self, thread: u32, input: Input<'static>) {
        self.step += 1;
        let now_ns = START_NS + self.step * STEP_NS;
        self.trial.apply(now_ns, thread, input);
    }

    fn spawns(&mut self, thread: u32, number: u64) {
        let spawn = Input::AsyncSpawn {
            task: task(number),
            kind: AsyncTaskKind::Future,
            place: Location::caller(),
            name: None,
        };
        self.records(thread, spawn);
    }

    fn is_polled(&self, number: u64) -> bool {
        let mut threads = self.threads.iter();
        threads.any(|thread| thread.polls == Some(number))
    }

    fn thread(&mut self, thread: u32) -> &mut Thread {
        &mut self.threads[thread as usize]
    }

    /// One of the spans that can be used: there is a handle that nobody is dropping.
    fn usable(&self, index: Index) -> Option<usize> {
        let all = 0..self.spans.len();
        let usable = all.filter(|&span| self.spare_handles(span) > 0 || self.uses(span) > 0);
        let usable: Vec<_> = usable.collect();
        (!usable.is_empty()).then(|| usable[index.index(usable.len())])
    }

    /// Handles of a span that are not needed where it is entered, and not being dropped.
    fn spare_handles(&self, span: usize) -> u32 {
        let threads = self.threads.iter();
        let dropping = threads.filter(|thread| thread.drops == Some(span)).count();
        self.spans[span].handles - dropping as u32 - u32::from(self.uses(span) > 0)
    }

    /// How often a span is entered and not left.
    fn uses(&self, span: usize) -> usize {
        let threads = self.threads.iter();
        let inside = threads.flat_map(|thread| thread.inside.iter().chain(&thread.inside_poll));
        inside.filter(|inside| inside.span == span).count()
    }

    fn makes(&mut self, thread: u32, parent: Parent, of: Option<usize>) -> usize {
        let span = self.spans.len();
        self.records(thread, new(id(span), span as u64 % 4, parent));
        if let Some(parent) = of {
            self.spans[parent].children += 1;
        }
        self.spans.push(Lived {
            parent: of,
            handles: 1,
            ..Lived::default()
        });
        span
    }

    fn enters(&mut self, thread: u32, of: usize) {
        self.records(thread, Input::SpanEnter(span(id(of))));
        let step = self.step;
        let inside = self.thread(thread).inside_mut();
        let is_inside = inside.iter().any(|inside| inside.span == of);
        let since = (!is_inside).then_some(step);
        inside.push(Inside { span: of, since });
        if !is_inside {
            self.spans[of].first.get_or_insert(step);
            self.spans[of].entries += 1;
        }
    }

    /// Leaves the span that was entered last of those that are the one at this place.
    fn exits(&mut self, thread: u32, place: usize, drops: bool) -> usize {
        let inside = self.thread(thread).inside_mut();
        let of = inside[place].span;
        let last = inside.iter().rposition(|inside| inside.span == of);
        let since = inside.remove(last.unwrap()).since;
        let key = span(id(of));
        let exit = match drops {
            true => Input::SpanExitLast(key),
            false => Input::SpanExit(key),
        };
        self.records(thread, exit);
        if let Some(since) = since {
            self.spans[of].busy += self.step - since;
            self.spans[of].left = self.step;
        }
        of
    }

    fn drops(&mut self, thread: u32, of: usize, where_left: bool) {
        self.records(thread, Input::SpanDrop(span(id(of))));
        self.spans[of].handles -= 1;
        let mut unused = Some(of);
        while let Some(span) = unused {
            let step = self.step;
            let lived = &mut self.spans[span];
            if lived.handles > 0 || lived.children > 0 {
                return;
            }
            lived.closed = Some(step);
            lived.closed_where_left = where_left && span == of;
            unused = lived.parent;
            if let Some(parent) = unused {
                self.spans[parent].children -= 1;
            }
        }
    }

    fn leaf(&mut self, thread: u32) {
        let times = [1, 2, 3, 4].map(|step| START_NS + (self.step + step) * STEP_NS);
        let of = self.thread(thread).current();
        let parent = Parent::Current(of.map_or(0, id));
        let number = self.spans.len();
        let made = new_span(id(number), number as u64 % 4, parent);
        if self.trial.apply_leaf_span(times, thread, &made) {
            self.spans.push(Lived {
                parent: of,
                first: Some(self.step + 2),
                left: self.step + 3,
                closed: Some(self.step + 4),
                closed_where_left: true,
                busy: 1,
                entries: 1,
                ..Lived::default()
            });
            self.step += 4;
            return;
        }
        let span = self.makes(thread, parent, of);
        self.enters(thread, span);
        let place = self.thread(thread).inside_mut().len() - 1;
        self.exits(thread, place, true);
        self.drops(thread, span, true);
    }

    fn ends_poll(&mut self, thread: u32, from: usize, ends: bool) {
        let Some(number) = self.thread(thread).polls else {
            return;
        };
        loop {
            let inside = self.thread(thread).inside_poll.len();
            if inside == 0 {
                break;
            }
            self.exits(thread, from % inside, false);
        }
        let end = match ends {
            true => Input::AsyncEnd(task(number)),
            false => Input::PollEnd {
                task: task(number),
                stack: 0,
            },
        };
        self.records(thread, end);
        self.thread(thread).polls = None;
        if ends {
            // Another task takes its place.
            self.spawns(thread, number);
        }
    }

    fn does(&mut self, thread: u32, does: &Does) {
        if let Some(span) = self.thread(thread).drops.take() {
            self.drops(thread, span, true);
        }
        let inside = self.thread(thread).inside_mut().len();
        match *does {
            Does::New(parent) => {
                let current = self.thread(thread).current();
                let explicit = parent.and_then(|parent| self.usable(parent));
                let kind = match (explicit, current) {
                    (Some(parent), _) => Parent::Explicit(id(parent)),
                    (None, Some(current)) => Parent::Current(id(current)),
                    (None, None) => Parent::Root,
                };
                self.makes(thread, kind, explicit.or(current));
            }
            Does::Leaf => self.leaf(thread),
            Does::Enter(index) => {
                if let Some(span) = self.usable(index) {
                    self.enters(thread, span);
                }
            }
            Does::Exit(index) if inside > 0 => {
                self.exits(thread, index.index(inside), false);
            }
            Does::ExitAndDrop(index) if inside > 0 => {
                let place = index.index(inside);
                let span = self.thread(thread).inside_mut()[place].span;
                let uses = self.uses(span);
                if uses == 1 || self.spare_handles(span) > 0 {
                    self.exits(thread, place, true);
                    self.thread(thread).drops = Some(span);
                }
            }
            Does::Clone(index) => {
                if let Some(of) = self.usable(index) {
                    self.records(thread, Input::SpanClone(span(id(of))));
                    self.spans[of].handles += 1;
                }
            }
            Does::Drop(index) => {
                let usable = self.usable(index);
                if let Some(span) = usable.filter(|&span| self.spare_handles(span) > 0) {
                    self.drops(thread, span, false);
                }
            }
            Does::Poll(number) => {
                if !self.is_polled(number) && self.thread(thread).polls.is_none() {
                    self.records(thread, Input::PollBegin(task(number)));
                    self.thread(thread).polls = Some(number);
                }
            }
            Does::Abort(number) if !self.is_polled(number) => {
                self.records(thread, Input::AsyncEnd(task(number)));
                self.spawns(thread, number);
            }
            Does::EndPoll(from, ends) => self.ends_poll(thread, from, ends),
            Does::Group => self.trial.group(),
            Does::Generation => self
                .trial
                .generation(START_NS + self.step * STEP_NS + STEP_NS / 2),
            Does::Exit(_) | Does::ExitAndDrop(_) | Does::Abort(_) => {}
        }
    }

    /// Ends all polls, leaves all spans, drops all handles, and ends all tasks and threads.
    fn ends(&mut self) {
        for thread in 0..THREADS {
            if let Some(span) = self.thread(thread).drops.take() {
                self.drops(thread, span, true);
            }
            self.ends_poll(thread, 0, true);
            while !self.thread(thread).inside.is_empty() {
                self.exits(thread, 0, false);
            }
        }
        for span in 0..self.spans.len() {
            while self.spans[span].handles > 0 {
                self.drops(0, span, false);
            }
        }
        for number in 1..=TASKS {
            self.records(0, Input::AsyncEnd(task(number)));
        }
        for thread in 0..THREADS {
            self.records(thread, Input::ThreadEnd);
        }
    }

    /// The first entry of the nearest ancestor that had been entered when the span closed.
    fn parent_of(&self, span: usize) -> Option<u64> {
        let parent = |&span: &usize| self.spans[span].parent;
        let ancestors = std::iter::successors(parent(&span), parent);
        let mut firsts = ancestors.filter_map(|ancestor| self.spans[ancestor].first);
        firsts.find(|&first| Some(first) < self.spans[span].closed)
    }
}

/// The id of a span, by its number.
fn id(number: usize) -> u64 {
    number as u64 + 1
}

/// A span as a file has it, in steps, by its first entry: name, end, busy time and entries; and what
/// only a record says, the first entry of its parent, if it has one.
type InFile = BTreeMap<u64, (String, u64, u64, u64, Option<Option<u64>>)>;

fn in_file(events: &[TraceEvent]) -> InFile {
    let step = |ns: u64| (ns - START_NS) / STEP_NS;
    let whole = whole_regions(events).into_iter().map(|(name, begin, end)| {
        let (begin, end) = (step(begin), step(end));
        (begin, (name, end, end - begin, 1, None))
    });
    let recorded = records(events).into_iter().map(|span| {
        assert_eq!(span.busy_ns % STEP_NS, 0);
        let parent = (span.parent_ns > 0).then(|| step(span.parent_ns));
        let name = span.name.to_string();
        let end = step(span.end_ns);
        let span_in_file = (
            name,
            end,
            span.busy_ns / STEP_NS,
            span.entries,
            Some(parent),
        );
        (step(span.first_ns), span_in_file)
    });
    let mut all = BTreeMap::new();
    for (first, span) in whole.chain(recorded) {
        assert!(all.insert(first, span).is_none(), "two spans at {first}");
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_file_has_each_span_as_the_program_did(steps in steps()) {
        const NAMES: [&str; 4] = ["serve", "parse", "query", "reply"];
        let mut program = Program::new();
        for (thread, does) in &steps {
            program.does(*thread, does);
        }
        program.ends();
        let events = program.trial.read().remove(0);
        let is_begin =
            |event: &&TraceEvent| matches!(event.kind, TraceEventKind::RegionBegin { .. });
        prop_assert_eq!(
            regions(&events).len(),
            events.iter().filter(is_begin).count(),
            "each region has an end"
        );
        let mut in_file = in_file(&events);
        for (number, lived) in program.spans.iter().enumerate() {
            let Some(first) = lived.first else {
                continue;
            };
            let found = in_file.remove(&first);
            prop_assert!(found.is_some(), "span {} is in the file: {:?}", number, lived);
            let (name, end, busy, entries, parent) = found.unwrap();
            prop_assert_eq!(name, NAMES[number % 4]);
            prop_assert_eq!((busy, entries), (lived.busy, lived.entries), "{:?}", lived);
            match parent {
                Some(parent) => {
                    prop_assert_eq!(Some(end), lived.closed);
                    prop_assert_eq!(parent, program.parent_of(number));
                }
                None => {
                    prop_assert!(lived.closed_where_left, "{:?}", lived);
                    prop_assert_eq!(end, lived.left);
                }
            }
        }
        prop_assert!(in_file.is_empty(), "the program did not: {:?}", in_file);
    }
}
