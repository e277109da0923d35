//! Ids of distributed traces: which user task has which, in which files.

use super::*;
use crate::values::{ValueType, value_header};

const T: u64 = START_NS;

/// The fields of a record, with one value of the field `trace_id`.
struct OneField(Vec<u8>);

impl OneField {
    fn new(kind: ValueType, bytes: &[u8]) -> Self {
        let mut field = value_header(kind, 3, bytes.len()).to_le_bytes().to_vec();
        field.extend_from_slice(bytes);
        field.resize(field.len().next_multiple_of(8), 0);
        Self(field)
    }

    fn text(text: &str) -> Self {
        Self::new(ValueType::Text, text.as_bytes())
    }

    fn values(&self) -> FieldValues<'_> {
        FieldValues {
            values: Values::of(&self.0),
            truncated: false,
        }
    }
}

/// Logs of a category: the task they are of, by its name, and their messages.
fn logs(events: &[TraceEvent], wanted: &str) -> Vec<(String, String)> {
    let mut names: FxHashMap<TaskId, String> = FxHashMap::default();
    let mut logs = Vec::new();
    for event in events {
        match &event.kind {
            TraceEventKind::TaskBegin { task, name, .. } => {
                names.insert(*task, name.to_string());
            }
            TraceEventKind::Log {
                task,
                category,
                message,
            } if **category == *wanted => {
                let name = names.get(task).cloned().unwrap_or_default();
                logs.push((name, message.to_string()));
            }
            _ => {}
        }
    }
    logs
}

fn record(id: u64, field: &OneField) -> Input<'_> {
    Input::SpanRecord {
        span: span(id),
        fields: field.values(),
    }
}

const HEADER: &str = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn an_id_in_a_field_of_a_span_is_a_log_of_its_user_task_in_one_form() {
    let mut trial = Trial::new();
    let t = &mut trial;
    let (header, number) = (OneField::text(HEADER), 0x2a_u64.to_le_bytes());
    let number = OneField::new(ValueType::U64, &number);
    // At its making, or later; a leaf span, too; of a child, for the user task that it belongs to.
    let mut made = new_span(1, 0, Parent::Root);
    made.fields = header.values();
    t.apply(T + 100, 0, Input::SpanNew(made));
    t.apply(T + 200, 0, new(2, 1, Parent::Explicit(1)));
    t.apply(T + 300, 0, record(2, &number));
    let mut leaf = new_span(3, 2, Parent::Root);
    leaf.fields = header.values();
    assert!(t.apply_leaf_span([T + 400, T + 500, T + 600, T + 700], 0, &leaf));
    let expected = [
        ("serve", ID),
        ("serve", "0000000000000000000000000000002a"),
        ("query", ID),
    ];
    let events = &trial.read()[0];
    let expected = expected.map(|(name, id)| (name.to_owned(), id.to_owned()));
    assert_eq!(logs(events, "trace_id"), expected);
    // The field is still shown as the program wrote it.
    assert_eq!(
        logs(events, "query"),
        [("query".to_owned(), format!("trace_id=\"{HEADER}\""))]
    );
}

#[test]
fn what_is_no_id_or_hidden_or_known_or_of_no_user_task_is_no_log() {
    let mut trial = Trial::new();
    let t = &mut trial;
    let id = OneField::text(ID);
    let mut made = new_span(1, 0, Parent::Root);
    made.fields = id.values();
    t.apply(T + 100, 0, Input::SpanNew(made));
    let others = [
        OneField::text("4bf92f"),
        OneField::new(ValueType::Redacted, &[]),
        OneField::new(ValueType::U64, &0_u64.to_le_bytes()),
        OneField::text(ID),
    ];
    for other in &others {
        t.apply(T + 200, 0, record(1, other));
    }
    // A child of a span that is not known.
    let mut orphan = new_span(3, 2, Parent::Current(77));
    orphan.fields = id.values();
    t.apply(T + 300, 0, Input::SpanNew(orphan));
    let events = &trial.read()[0];
    assert_eq!(
        logs(events, "trace_id"),
        [("serve".to_owned(), ID.to_owned())]
    );
    assert_eq!(logs(events, "query").len(), 1, "the orphan was there");
}

#[test]
fn a_file_that_begins_later_has_the_first_id_of_each_open_user_task() {
    let mut trial = Trial::new();
    let t = &mut trial;
    let (first, second) = (OneField::text(HEADER), OneField::text(&"a".repeat(32)));
    for (span, name) in [(1, 0), (2, 1)] {
        t.apply(T + 100, 0, new(span, name, Parent::Root));
        t.apply(T + 200, 0, record(span, &first));
        t.apply(T + 300, 0, record(span, &second));
    }
    t.apply(T + 400, 0, Input::SpanClose(span(2)));
    t.begin_file(T + 1_000);
    let files = trial.read();
    assert_eq!(logs(&files[0], "trace_id").len(), 4);
    assert_eq!(
        logs(&files[1], "trace_id"),
        [("serve".to_owned(), ID.to_owned())]
    );
}
