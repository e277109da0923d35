//! What the tracer says of itself at the begin of each trace: what it can see and what not.

use crate::calls;
use crate::control::note_about;
use crate::span_source::numbers;
use crate::table::Table;

/// What was said beside the defaults: by key, in the order in which keys came.
static CAPABILITIES: Table<Vec<(&'static str, Said)>> = Table::new();

/// A value, or what gives it whenever it is wanted.
#[derive(Clone)]
enum Said {
    Value(String),
    By(fn() -> String),
}

impl Said {
    fn value(&self) -> String {
        match self {
            Self::Value(value) => value.clone(),
            Self::By(value) => value(),
        }
    }
}

/// Says something about what this build can see, for readers of its traces.
///
/// A later value replaces an earlier one under the same key. It is written as a log of the user task
/// `exectrace` and in the side data.
pub fn set_capability(key: &'static str, value: impl Into<String>) {
    say(key, Said::Value(value.into()));
}

/// As [`set_capability`], for what can change: `value` is called when a recording starts, and when the first
/// source of spans is opened.
pub fn set_capability_by(key: &'static str, value: fn() -> String) {
    say(key, Said::By(value));
}

/// Whether each of `texts` stands in the name of some symbol of this program: what is linked into it. `None` if the
/// program was stripped of its symbols, or is of a kind that is not read.
///
/// Reads the names of all symbols: some milliseconds in a large program.
#[must_use]
pub fn symbols_contain(texts: &[&str]) -> Option<Vec<bool>> {
    crate::resolve::symbols_contain(texts)
}

fn say(key: &'static str, said: Said) {
    note_about(key, &said.value());
    CAPABILITIES.change(|capabilities| {
        let said = said.clone();
        match capabilities.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = said,
            None => capabilities.push((key, said)),
        }
    });
}

/// Whether a source of spans was opened since the process began, by a Layer or Subscriber.
#[must_use]
pub fn has_span_sources() -> bool {
    numbers::was_any_registered()
}

/// The first source of spans was opened: what was said may have changed.
pub(crate) fn first_source_registered() {
    for (key, said) in CAPABILITIES.read().iter() {
        if matches!(said, Said::By(_)) {
            note_about(key, &said.value());
        }
    }
}

/// Key and value of all there is to say.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let version = format!("exectrace {}", env!("CARGO_PKG_VERSION"));
    let mut about = vec![
        ("version", version),
        ("sees", "annotations, spans, events, threads".to_owned()),
    ];
    let capabilities = CAPABILITIES.read();
    about.extend(capabilities.iter().map(|(key, said)| (*key, said.value())));
    about.extend(calls::capabilities());
    about
}
