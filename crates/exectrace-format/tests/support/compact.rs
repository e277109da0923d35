//! What the two ways of reading tell of the same event, for comparison.

use exectrace_format::{
    CompactEvent, CompactKind, GoId, ProcId, RangeName, Reader, StackId, StringId, Tables,
    ThreadId, TraceEvent, TraceEventKind,
};

/// Both ways of reading tell the same of any bytes, to the last error.
pub(crate) fn read_both_ways(bytes: &[u8]) {
    let (Ok(mut owned), Ok(mut compact)) = (Reader::new(bytes), Reader::new(bytes)) else {
        return;
    };
    loop {
        let (owned, event) = (owned.next(), compact.next_compact().transpose());
        match (&owned, &event) {
            (None, None) => return,
            (Some(Ok(owned)), Some(Ok(event))) => {
                assert_eq!(of_owned(owned), of_compact(event, compact.tables()));
                if let TraceEventKind::SideData(record) = &owned.kind {
                    assert_eq!(compact.side_record(), Some(record));
                }
            }
            (Some(Err(owned)), Some(Err(error))) => {
                assert_eq!(owned.to_string(), error.to_string());
            }
            _ => panic!("{owned:?} is not {event:?}"),
        }
    }
}

/// Everything of an event but what kind it is, which is compared by its name.
#[derive(Debug, PartialEq)]
struct Told {
    kind: String,
    time: i64,
    context: (ThreadId, ProcId, GoId),
    texts: Vec<String>,
    stacks: Vec<Vec<String>>,
    /// What is in it beside texts and stacks.
    rest: String,
}

fn of_owned(event: &TraceEvent) -> Told {
    use TraceEventKind as K;
    let (texts, rest): (Vec<&str>, String) = match &event.kind {
        K::Metric { name, value } => (vec![name], format!("{value}")),
        K::Label { go, label } => (vec![label], format!("{go}")),
        K::RangeBegin { name, scope } | K::RangeActive { name, scope } => {
            (vec![name], format!("{scope:?}"))
        }
        K::RangeEnd { name, scope, swept } => (vec![name], format!("{scope:?} {swept:?}")),
        K::TaskBegin { task, parent, name } | K::TaskEnd { task, parent, name } => {
            (vec![name], format!("{task} {parent}"))
        }
        K::RegionBegin { task, name } | K::RegionEnd { task, name } => {
            (vec![name], format!("{task}"))
        }
        K::Log {
            task,
            category,
            message,
        } => (vec![category, message], format!("{task}")),
        K::StateTransition { change, reason, .. } => (vec![reason], format!("{change:?}")),
        K::SideData(_) => (vec![], String::new()),
        other => (vec![], format!("{other:?}")),
    };
    let mut stacks = vec![event.stack.as_deref()];
    if let K::StateTransition { stack, .. } = &event.kind {
        stacks.push(stack.as_deref());
    }
    let stacks = stacks.into_iter().map(|stack| {
        let frames = stack.unwrap_or_default().iter();
        frames
            .map(|frame| {
                format!(
                    "{} {} {} {}",
                    frame.pc, frame.function, frame.file, frame.line
                )
            })
            .collect()
    });
    Told {
        kind: name_of(&event.kind),
        time: event.time.0,
        context: (
            event.thread.unwrap_or(ThreadId::NONE),
            event.proc.unwrap_or(ProcId::NONE),
            event.go.unwrap_or(GoId::NONE),
        ),
        texts: texts.into_iter().map(str::to_string).collect(),
        stacks: stacks.collect(),
        rest,
    }
}

fn of_compact(event: &CompactEvent, tables: &Tables) -> Told {
    use CompactKind as K;
    let text = |id: StringId| {
        assert!((id.0 as usize) < tables.strings_len());
        tables.text(id).to_string()
    };
    let range = |range: RangeName| match range {
        RangeName::StopTheWorld(reason) => format!("{} ({})", range.name(), text(reason)),
        _ => range.name().to_string(),
    };
    let (texts, rest) = match event.kind {
        K::Metric { metric, value } => (vec![metric.name().to_string()], format!("{value}")),
        K::Label { go, label } => (vec![text(label)], format!("{go}")),
        K::RangeBegin { range: name, scope } | K::RangeActive { range: name, scope } => {
            (vec![range(name)], format!("{scope:?}"))
        }
        K::RangeEnd {
            range: name,
            scope,
            swept,
        } => (vec![range(name)], format!("{scope:?} {swept:?}")),
        K::TaskBegin { task, parent, name } | K::TaskEnd { task, parent, name } => {
            (vec![text(name)], format!("{task} {parent}"))
        }
        K::RegionBegin { task, name } | K::RegionEnd { task, name } => {
            (vec![text(name)], format!("{task}"))
        }
        K::Log {
            task,
            category,
            message,
        } => (vec![text(category), text(message)], format!("{task}")),
        K::StateTransition { change, reason, .. } => (vec![text(reason)], format!("{change:?}")),
        K::SideData => (vec![], String::new()),
        other => (vec![], format!("{other:?}")),
    };
    let mut stacks = vec![event.stack];
    if let K::StateTransition { stack, .. } = event.kind {
        stacks.push(stack);
    }
    let stacks = stacks.into_iter().map(|stack: StackId| {
        assert!((stack.0 as usize) < tables.stacks_len());
        let frames = tables.frames(stack);
        frames
            .map(|frame| {
                assert_eq!(frame.function, tables.text(frame.function_id));
                assert_eq!(frame.file, tables.text(frame.file_id));
                format!(
                    "{} {} {} {}",
                    frame.pc, frame.function, frame.file, frame.line
                )
            })
            .collect()
    });
    Told {
        kind: name_of(&event.kind),
        time: event.time.0,
        context: (event.thread, event.proc, event.go),
        texts,
        stacks: stacks.collect(),
        rest,
    }
}

/// The name of the variant.
fn name_of(kind: &impl std::fmt::Debug) -> String {
    let shown = format!("{kind:?}");
    shown
        .split([' ', '(', '{'])
        .next()
        .unwrap_or_default()
        .to_string()
}
