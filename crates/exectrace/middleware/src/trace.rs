//! A trace, as the tables of the program `exectrace` see it and as Go's reader does.

use std::collections::HashMap;

use exectrace_analysis::{Analysis, Options, RegionInstance};
use exectrace_format::conventions::{CONCURRENT_SPAN, PART_OF_SPAN};
use exectrace_format::{GoId, Reader, SideRecord, SpanRecord, TaskId, TraceEvent, TraceEventKind};

/// Far more spans of one name than any program here makes.
const MANY: usize = 100_000;

/// A region, as Go's reader sees it.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) go: GoId,
    pub(crate) begin: i64,
    pub(crate) end: i64,
    /// The begins of the regions around it, outermost first.
    pub(crate) around: Vec<i64>,
    /// Its end is marked: it is only a part of a span.
    pub(crate) is_part: bool,
}

/// A user task, as Go's reader sees it.
#[derive(Clone, Debug)]
pub(crate) struct UserTask {
    pub(crate) name: String,
    pub(crate) parent: TaskId,
    pub(crate) begin: i64,
    pub(crate) end: Option<i64>,
    /// It exists only to carry a span.
    pub(crate) is_carrier: bool,
}

/// What is in a trace that Go's reader accepts.
#[derive(Debug)]
pub struct Trace {
    /// When the trace begins.
    pub(crate) begin: i64,
    /// Spans by name, in the order of their first entries, as the analysis has them.
    pub(crate) spans: HashMap<String, Vec<RegionInstance>>,
    /// Regions that have ended.
    pub(crate) regions: Vec<Region>,
    pub(crate) tasks: HashMap<TaskId, UserTask>,
    pub(crate) records: Vec<SpanRecord>,
}

impl Trace {
    /// Reads a trace.
    ///
    /// # Panics
    ///
    /// If it is not a whole and valid one, or has a region without an end.
    pub fn read(bytes: &[u8]) -> Self {
        exectrace_referee::assert_bytes_accepted(bytes);
        let mut trace = Self {
            begin: 0,
            spans: spans(bytes),
            regions: Vec::new(),
            tasks: HashMap::new(),
            records: Vec::new(),
        };
        let mut open: HashMap<GoId, Vec<i64>> = HashMap::new();
        for event in Reader::new(bytes).expect("a header") {
            let event = event.expect("a valid trace");
            if trace.begin == 0 {
                trace.begin = event.time.0;
            }
            trace.take(&event, &mut open);
        }
        assert!(open.values().all(Vec::is_empty), "open regions: {open:?}");
        trace
    }

    fn take(&mut self, event: &TraceEvent, open: &mut HashMap<GoId, Vec<i64>>) {
        let has_root = |function: &str| {
            let root = event.stack.as_ref().and_then(|stack| stack.last());
            root.is_some_and(|root| &*root.function == function)
        };
        let time = event.time.0;
        match &event.kind {
            TraceEventKind::RegionBegin { .. } => {
                let go = event.go.expect("regions have a flow");
                open.entry(go).or_default().push(time);
            }
            TraceEventKind::RegionEnd { name, .. } => {
                let go = event.go.expect("regions have a flow");
                let open = open.entry(go).or_default();
                let begin = open.pop();
                self.regions.push(Region {
                    name: name.to_string(),
                    go,
                    begin: begin.expect("a region that began"),
                    end: time,
                    around: open.clone(),
                    is_part: has_root(PART_OF_SPAN),
                });
            }
            TraceEventKind::TaskBegin { task, parent, name } => {
                let begun = UserTask {
                    name: name.to_string(),
                    parent: *parent,
                    begin: time,
                    end: None,
                    is_carrier: has_root(CONCURRENT_SPAN),
                };
                self.tasks.insert(*task, begun);
            }
            TraceEventKind::TaskEnd { task, .. } => {
                let ended = self.tasks.get_mut(task).expect("a task that began");
                ended.end = Some(time);
            }
            TraceEventKind::SideData(SideRecord::Span(record)) => {
                self.records.push(record.clone());
            }
            _ => {}
        }
    }

    /// The number of spans of this name in the tables.
    pub fn count(&self, name: &str) -> usize {
        self.spans.get(name).map_or(0, Vec::len)
    }

    /// The number of user tasks of this name that are operations of their own.
    pub fn tasks(&self, name: &str) -> usize {
        let of_name = self.tasks.values().filter(|task| task.name == name);
        of_name.filter(|task| !task.is_carrier).count()
    }
}

fn spans(bytes: &[u8]) -> HashMap<String, Vec<RegionInstance>> {
    let options = Options {
        top: MANY,
        ..Options::all()
    };
    let analysis = Analysis::read(&mut Reader::new(bytes).expect("a header"), &options);
    let kinds = analysis.regions.expect("asked for").kinds;
    let mut spans: HashMap<_, Vec<_>> = HashMap::new();
    for kind in kinds {
        assert_eq!(kind.slowest.len() as u64, kind.count, "{}", kind.name);
        spans.entry(kind.name).or_default().extend(kind.slowest);
    }
    for spans in spans.values_mut() {
        spans.sort_unstable_by_key(|span| span.begin_ns);
    }
    spans
}
