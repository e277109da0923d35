//! What the tracer says of itself at the begin of each trace: what it can see and what not.

use crate::control::note_about;
use crate::table::Table;

/// What was said beside the defaults: by key, in the order in which keys came.
static CAPABILITIES: Table<Vec<(&'static str, String)>> = Table::new();

/// Says something about what this build can see, for readers of its traces.
///
/// A later value replaces an earlier one under the same key. It is told as a log of the user task
/// `exectrace` and in the side data.
pub fn set_capability(key: &'static str, value: impl Into<String>) {
    let value = value.into();
    note_about(key, &value);
    CAPABILITIES.change(|capabilities| {
        let value = value.clone();
        match capabilities.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => capabilities.push((key, value)),
        }
    });
}

/// Key and value of all there is to say.
pub(crate) fn about() -> Vec<(&'static str, String)> {
    let version = format!("exectrace {}", env!("CARGO_PKG_VERSION"));
    let mut about = vec![
        ("version", version),
        ("sees", "annotations, spans, events, threads".to_owned()),
    ];
    about.extend(CAPABILITIES.read().iter().cloned());
    about
}
