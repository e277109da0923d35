//! The model with records of the tests' own: no clock, no threads.

mod calls;
mod exact;
mod merged;
mod passed_on;
mod polled;
mod polled_spans;
mod random;
mod schedule;
mod trace_ids;
mod true_spans;

use exectrace_format::{ClockSnapshot, Reader, TraceEvent, TraceEventKind, Version, Writer};

use super::*;
use crate::input::{AsyncKey, CallsiteKey, FieldValues, NewSpan};
use crate::span_source::{CallsiteKind, Parent, TaskRule};
use crate::values::{Value, Values};

/// A model, and the files that are made of it.
pub(super) struct Trial {
    pub(super) model: Model,
    generation: u64,
    began_ns: u64,
    /// Files that were begun, at different times.
    files: Vec<Vec<u8>>,
}

/// Where the trials' own time begins; before it is room for preambles.
pub(super) const START_NS: u64 = 1_000_000;

impl Trial {
    pub(super) fn new() -> Self {
        let mut trial = Self {
            model: Model::new(ThreadId(999), Box::new(describe)),
            generation: 1,
            began_ns: 0,
            files: Vec::new(),
        };
        trial.begin_file(START_NS);
        trial
    }

    pub(super) fn apply(&mut self, time_ns: u64, thread: u32, input: Input<'_>) {
        let index = self.register(time_ns, thread);
        // The kind is only counted.
        self.model.begin_record(time_ns, Kind::Log);
        self.model.handle(index, input);
    }

    /// Applies the records of a span's life at once, if the model will.
    pub(super) fn apply_leaf_span(
        &mut self,
        times: [u64; 4],
        thread: u32,
        new: &NewSpan<'_>,
    ) -> bool {
        let index = self.register(times[0], thread);
        self.model.apply_leaf_span(times, index, new)
    }

    fn register(&mut self, time_ns: u64, thread: u32) -> ThreadIndex {
        // Index 0 is the tracer's.
        let index = ThreadIndex(thread + 1);
        if !self.model.has_thread(index) {
            let name = format!("worker {thread}");
            let id = ThreadId(u64::from(thread) + 100);
            self.model.register_thread(time_ns, index, id, Some(&name));
        }
        index
    }

    /// Ends a group.
    pub(super) fn group(&mut self) {
        let mut group = Vec::new();
        self.model.finish_group(&mut group);
        for file in &mut self.files {
            file.extend_from_slice(&group);
        }
    }

    /// Ends a group and a generation.
    pub(super) fn generation(&mut self, time_ns: u64) {
        self.group();
        self.generation += 1;
        // Later than the one before, as the clocks are that both are given.
        let time_ns = time_ns.max(self.model.time_ns()).max(self.began_ns + 1);
        self.began_ns = time_ns;
        for file in &mut self.files {
            sync(self.generation, time_ns, file);
        }
        self.model.begin_generation(self.generation, time_ns);
    }

    /// Begins another file, with a preamble, and a generation for all.
    pub(super) fn begin_file(&mut self, time_ns: u64) {
        self.group();
        let mut file = Writer::header(Version::Go125).to_vec();
        let mut preamble = Vec::new();
        let about = [("sees", "records".to_owned())];
        let time_ns = time_ns.max(self.model.time_ns());
        let (_, begin_ns) =
            self.model
                .preamble(self.generation, time_ns, &about, None, &mut preamble);
        sync(self.generation, begin_ns, &mut file);
        file.append(&mut preamble);
        self.files.push(file);
        self.generation(time_ns);
    }

    /// The files, each read by the strict reader.
    pub(super) fn read(&mut self) -> Vec<Vec<TraceEvent>> {
        self.group();
        self.files.iter().map(|file| read(file)).collect()
    }

    pub(super) fn files(&self) -> &[Vec<u8>] {
        &self.files
    }
}

fn sync(generation: u64, time_ns: u64, out: &mut Vec<u8>) {
    let clock = ClockSnapshot {
        monotonic_ns: time_ns,
        unix_seconds: 1_700_000_000 + time_ns / 1_000_000_000,
        unix_nanoseconds: (time_ns % 1_000_000_000) as u32,
    };
    Writer::sync_batch(Version::Go125, generation, time_ns, clock, out);
}

#[track_caller]
pub(super) fn read(file: &[u8]) -> Vec<TraceEvent> {
    let reader = Reader::new(file).expect("a header");
    reader
        .map(|event| event.unwrap_or_else(|error| panic!("the file is broken: {error}")))
        .collect()
}

/// Call sites of the trials: the address is the number of the site.
fn describe(site: CallsiteKey) -> Option<crate::Callsite> {
    const NAMES: [&str; 4] = ["serve", "parse", "query", "reply"];
    Some(crate::Callsite {
        name: NAMES[site.address as usize % NAMES.len()],
        target: "trial",
        level: "INFO",
        module: Some("trial::module"),
        file: Some("trial.rs"),
        line: Some(site.address as u32 + 1),
        fields: vec!["message", "size", "exectrace.task", "trace_id"],
        trace_id_fields: vec![3],
        kind: if site.address < 4 {
            CallsiteKind::Span
        } else {
            CallsiteKind::Event
        },
        task: TaskRule::Roots,
    })
}

pub(super) fn span(id: u64) -> SpanKey {
    SpanKey { id, source: 1 }
}

pub(super) fn site(address: u64) -> CallsiteKey {
    CallsiteKey { address, source: 1 }
}

pub(super) fn no_fields() -> FieldValues<'static> {
    FieldValues {
        values: Values::of(&[]),
        truncated: false,
    }
}

pub(super) fn new_span(id: u64, name: u64, parent: Parent) -> NewSpan<'static> {
    NewSpan {
        span: span(id),
        site: site(name),
        parent,
        fields: no_fields(),
    }
}

pub(super) fn new(id: u64, name: u64, parent: Parent) -> Input<'static> {
    Input::SpanNew(new_span(id, name, parent))
}

pub(super) fn task(number: u64) -> AsyncKey {
    AsyncKey {
        task: number,
        runtime: 1,
    }
}

/// Regions of a file that have an end: name, begin and end, in the order of their ends.
pub(super) fn regions(events: &[TraceEvent]) -> Vec<(String, u64, u64)> {
    let mut open: FxHashMap<_, Vec<u64>> = FxHashMap::default();
    let mut ended = Vec::new();
    for event in events {
        match &event.kind {
            TraceEventKind::RegionBegin { .. } => {
                open.entry(event.go).or_default().push(ns(event));
            }
            TraceEventKind::RegionEnd { name, .. } => {
                let begin = open.get_mut(&event.go).and_then(Vec::pop);
                ended.push((name.to_string(), begin.expect("a begin"), ns(event)));
            }
            _ => {}
        }
    }
    ended
}

/// User tasks of the program that have an end: name, parent's name, begin and end.
pub(super) fn tasks(events: &[TraceEvent]) -> Vec<(String, String, u64, u64)> {
    let mut open = FxHashMap::default();
    let mut names: FxHashMap<TaskId, String> = FxHashMap::default();
    let mut ended = Vec::new();
    for event in events {
        match &event.kind {
            TraceEventKind::TaskBegin { task, parent, name } => {
                let parent = names.get(parent).cloned().unwrap_or_default();
                names.insert(*task, name.to_string());
                open.insert(*task, (parent, ns(event)));
            }
            TraceEventKind::TaskEnd { task, .. } => {
                let (parent, begin) = open.remove(task).expect("a begin");
                ended.push((names[task].clone(), parent, begin, ns(event)));
            }
            _ => {}
        }
    }
    ended
}

/// Regions that are whole spans: name, begin and end.
pub(super) fn whole_regions(events: &[TraceEvent]) -> Vec<(String, u64, u64)> {
    let is_part = |end: u64| {
        let is_marked = |event: &TraceEvent| event.stack.is_some() && ns(event) == end;
        events.iter().any(is_marked)
    };
    let regions = regions(events).into_iter();
    regions.filter(|&(_, _, end)| !is_part(end)).collect()
}

/// The records of spans that closed.
pub(super) fn records(events: &[TraceEvent]) -> Vec<exectrace_format::SpanRecord> {
    let records = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::SideData(SideRecord::Span(span)) => Some(span.clone()),
        _ => None,
    });
    records.collect()
}

pub(super) fn ns(event: &TraceEvent) -> u64 {
    event.time.0.cast_unsigned()
}
