//! How names and places of a trace are called in tables.

use exectrace_analysis::Place;

/// A name; what has none is called so.
pub(crate) fn name(name: &str) -> String {
    match name {
        "" => "(no name)".to_owned(),
        name => name.to_owned(),
    }
}

/// As [`name`], for text that is no cell of a table.
pub(crate) fn printable_name(text: &str) -> String {
    super::printable(&name(text)).into_owned()
}

/// A reason to wait; statuses tell none.
pub(crate) fn reason(reason: &str) -> &str {
    match reason {
        "" => "not told",
        reason => reason,
    }
}

/// File and line; empty where the trace does not know them, or where `name` says the same.
pub(crate) fn place(place: Option<&Place>, name: &str) -> String {
    // The recorder's words for frames without a file: functions that only symbols name, and the
    // roots of threads.
    let file = |place: &&Place| !matches!(place.file.as_str(), "" | "unknown" | "thread");
    match place.filter(file) {
        Some(place) => {
            let place = format!("{}:{}", place.file, place.line);
            if place == name { String::new() } else { place }
        }
        None => String::new(),
    }
}

/// A frame of a stack in one line: function, and its place where that says more.
pub(crate) fn frame(frame: &Place) -> String {
    match place(Some(frame), &frame.function).as_str() {
        "" => name(&frame.function),
        place => format!("{} ({place})", name(&frame.function)),
    }
}

/// The place of a stack that says most: its leaf. Empty without a stack.
pub(crate) fn leaf(stack: &[Place], name: &str) -> String {
    match stack.first() {
        Some(leaf) if leaf.function != name => frame(leaf),
        _ => String::new(),
    }
}
