//! How names and places of a trace are shown.

use crate::{FlowKind, Place};
use exectrace_format::conventions::{THREAD_FILE, UNKNOWN_FILE};

/// A name; what has none is called so.
pub fn name(name: &str) -> String {
    match name {
        "" => "(no name)".to_owned(),
        name => name.to_owned(),
    }
}

/// A reason to wait; statuses have none.
pub fn reason(reason: &str) -> &str {
    match reason {
        "" => "not recorded",
        reason => reason,
    }
}

/// What an operation was doing: a state, and why.
pub fn state(state: &str, why: &str) -> String {
    match state {
        "unknown" => "not seen".to_owned(),
        "waiting" => format!("waiting ({})", reason(why)),
        state => state.to_owned(),
    }
}

/// A counter; those that Go's format knows by a path are called by what they count.
pub fn counter(name: &str) -> &str {
    match name {
        "/sched/gomaxprocs:threads" => "workers at most (GOMAXPROCS)",
        "/memory/classes/heap/objects:bytes" => "heap in use",
        "/gc/heap/goal:bytes" => "heap at which the next collection begins",
        name => name,
    }
}

/// What a flow is, in a word.
pub fn kind(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Task => "task",
        FlowKind::Thread => "thread",
    }
}

/// File and line; empty where the trace does not know them, or where `name` says the same.
pub fn place(place: Option<&Place>, name: &str) -> String {
    // The recorder's words for frames without a file: functions that only symbols name, and the
    // roots of threads.
    let file = |place: &&Place| !matches!(place.file.as_str(), "" | UNKNOWN_FILE | THREAD_FILE);
    match place.filter(file) {
        Some(place) => {
            let place = format!("{}:{}", place.file, place.line);
            if place == name { String::new() } else { place }
        }
        None => String::new(),
    }
}

/// A frame of a stack in one line: function, and its place where that says more.
pub fn frame(frame: &Place) -> String {
    match place(Some(frame), &frame.function).as_str() {
        "" => name(&frame.function),
        place => format!("{} ({place})", name(&frame.function)),
    }
}

/// Where in the program a stack is, in one line. Empty without a stack, and where the stack is but
/// the name of its task.
pub fn where_in_program(stack: &[Place], name: &str) -> String {
    match Place::of_program(stack) {
        Some(at) if at.function != name => frame(&short(at)),
        Some(at) if stack.len() > 1 => place(Some(&short(at)), name),
        _ => String::new(),
    }
}

/// The place with the last two parts of its path, for tables.
fn short(place: &Place) -> Place {
    let mut ends = place.file.rmatch_indices(['/', '\\']).skip(1);
    let begin = ends.next().map_or(0, |(separator, _)| separator + 1);
    Place {
        file: place.file.get(begin..).unwrap_or_default().to_owned(),
        ..place.clone()
    }
}
