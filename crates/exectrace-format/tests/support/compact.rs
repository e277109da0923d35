//! That all ways of reading yield the same events.
#![allow(dead_code, reason = "each user takes a part of it")]

use std::fmt::Debug;

use exectrace_format::{
    CompactEvent, EventForm, GoId, ProcId, RangeName, Reader, StackFrame, StackId, StringId,
    Tables, ThreadId, TraceEvent, TraceEventKind,
};

/// Both ways of reading yield the same of any bytes, to the last error.
pub(crate) fn read_both_ways(bytes: &[u8]) {
    let (Ok(mut owned), Ok(mut compact)) = (Reader::new(bytes), Reader::new(bytes)) else {
        return;
    };
    let mut event = CompactEvent::default();
    loop {
        match (owned.next(), compact.next_into(&mut event)) {
            (None, Ok(false)) => return,
            (Some(Ok(owned)), Ok(true)) => {
                assert_eq!(of_owned(&owned), of_compact(&event, compact.tables()));
                assert_eq!(owned, compact.resolve(&event));
                assert!(!owned.to_string().contains('\n'));
                if let TraceEventKind::SideData(record) = &owned.kind {
                    assert_eq!(compact.side_record(), Some(record));
                }
            }
            (Some(Err(owned)), Err(error)) => {
                assert_eq!(owned.to_string(), error.to_string());
            }
            (owned, compact) => panic!("{owned:?} is not {compact:?}, {event:?}"),
        }
    }
}

/// All of an event, for comparison.
#[derive(Debug, PartialEq)]
struct Seen {
    time: i64,
    context: (ThreadId, ProcId, GoId),
    stack: Vec<String>,
    /// The kind, and what is in it beside texts and stacks.
    kind: String,
    texts: Vec<String>,
    kind_stack: Vec<String>,
}

fn of_owned(event: &TraceEvent) -> Seen {
    let stack = |stack: &Option<std::sync::Arc<[StackFrame]>>| {
        let frames = stack.as_deref().unwrap_or_default().iter();
        frames
            .map(|frame| line(frame.pc, &frame.function, &frame.file, frame.line))
            .collect()
    };
    let (kind, texts, kind_stack) = parts(&event.kind);
    Seen {
        time: event.time.0,
        context: (
            event.thread.unwrap_or(ThreadId::NONE),
            event.proc.unwrap_or(ProcId::NONE),
            event.go.unwrap_or(GoId::NONE),
        ),
        stack: stack(&event.stack),
        kind,
        texts: texts.into_iter().map(|text| text.to_string()).collect(),
        kind_stack: kind_stack.map(stack).unwrap_or_default(),
    }
}

fn of_compact(event: &CompactEvent, tables: &Tables) -> Seen {
    let text = |id: &StringId| {
        assert!((id.0 as usize) < tables.strings_len());
        tables.text(*id).to_string()
    };
    let stack = |id: &StackId| {
        assert!((id.0 as usize) < tables.stacks_len());
        let frames = tables.frames(*id);
        frames
            .map(|frame| {
                assert_eq!(frame.function, tables.text(frame.function_id));
                assert_eq!(frame.file, tables.text(frame.file_id));
                line(frame.pc, frame.function, frame.file, frame.line)
            })
            .collect()
    };
    let (kind, texts, kind_stack) = parts(&event.kind);
    Seen {
        time: event.time.0,
        context: (event.thread, event.proc, event.go),
        stack: stack(&event.stack),
        kind,
        texts: texts.into_iter().map(text).collect(),
        kind_stack: kind_stack.map(stack).unwrap_or_default(),
    }
}

fn line(pc: u64, function: &str, file: &str, line: u64) -> String {
    format!("{pc} {function} {file} {line}")
}

/// The kind with what it has beside texts and stacks, then its texts, then its stack.
fn parts<F: EventForm + Debug>(
    kind: &TraceEventKind<F>,
) -> (String, Vec<&F::Text>, Option<&F::Stack>) {
    use TraceEventKind as K;
    let (rest, texts, stack) = match kind {
        K::Label { go, label } => (format!("{go}"), vec![label], None),
        K::RangeBegin { range, scope } | K::RangeActive { range, scope } => {
            (format!("{} {scope:?}", range.name()), reason(range), None)
        }
        K::RangeEnd {
            range,
            scope,
            swept,
        } => (
            format!("{} {scope:?} {swept:?}", range.name()),
            reason(range),
            None,
        ),
        K::TaskBegin { task, parent, name } | K::TaskEnd { task, parent, name } => {
            (format!("{task} {parent}"), vec![name], None)
        }
        K::RegionBegin { task, name } | K::RegionEnd { task, name } => {
            (format!("{task}"), vec![name], None)
        }
        K::Log {
            task,
            category,
            message,
        } => (format!("{task}"), vec![category, message], None),
        K::StateTransition {
            change,
            is_status,
            reason,
            stack,
        } => (format!("{change:?} {is_status}"), vec![reason], Some(stack)),
        K::SideData(_) => (String::new(), vec![], None),
        other => (format!("{other:?}"), vec![], None),
    };
    (format!("{} {rest}", name_of(kind)), texts, stack)
}

fn reason<T>(range: &RangeName<T>) -> Vec<&T> {
    match range {
        RangeName::StopTheWorld(reason) => vec![reason],
        _ => vec![],
    }
}

/// The name of the variant.
fn name_of(kind: &impl Debug) -> String {
    let shown = format!("{kind:?}");
    let name = shown.split([' ', '(', '{']).next();
    name.unwrap_or_default().to_string()
}

/// A file of any bytes yields the same events as the bytes, to the last error.
pub(crate) fn read_from_a_file(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("a file that can be written");
    let (mut of_file, mut of_bytes) = match (Reader::open(file.path()), Reader::new(bytes)) {
        (Ok(of_file), Ok(of_bytes)) => (of_file, of_bytes),
        (of_file, of_bytes) => {
            assert_eq!(of_file.is_ok(), of_bytes.is_ok());
            return;
        }
    };
    let (mut left, mut right) = (CompactEvent::default(), CompactEvent::default());
    loop {
        match (of_file.next_into(&mut left), of_bytes.next_into(&mut right)) {
            (Ok(true), Ok(true)) => {
                assert_eq!(left, right);
                assert_eq!(of_file.side_record(), of_bytes.side_record());
            }
            (Ok(false), Ok(false)) => return,
            (Err(left), Err(right)) => return assert_eq!(left.to_string(), right.to_string()),
            (left, right) => panic!("{left:?} is not {right:?}"),
        }
    }
}
