//! Names that the program makes at run time, for records that hold a name by its address.

use crate::enabled::lock;
use crate::fields::{FloorBoundary, MAX_TEXT_BYTES};
use crate::process;

/// Most names that are kept: with the longest, 16 MiB, which are never given back.
const MAX_NAMES: usize = 1 << 14;

/// What a name past the limit becomes.
const OTHER: &str = "(other names)";

/// A name for [`Task`](crate::Task), [`region`](crate::region) or a log's category that is not known
/// when the program is compiled: the kind of a job, the name of a plug-in.
///
/// ```
/// use exectrace_recorder::{Task, name};
///
/// for job in ["resize", "crop"].map(String::from) {
///     let task = Task::new(name(&job));
///     task.log("size", "17 bytes");
/// }
/// ```
///
/// Equal names are the same string. Each is kept for the life of the process, so names should be few:
/// what differs from one operation to the next belongs in a log. The first 16,384 are kept, truncated at
/// [`MAX_TEXT_BYTES`]; every later one is `(other names)`.
///
/// Takes a lock and looks the name up, some 50 ns, also while nothing records; the first time it
/// allocates. Where that matters, call it once and keep what it returns.
#[must_use]
pub fn name(text: &str) -> &'static str {
    let text = &text[..text.floor_boundary(MAX_TEXT_BYTES)];
    let mut names = lock(&process::current().names);
    if let Some(known) = names.get(text) {
        return known;
    }
    if names.len() >= MAX_NAMES {
        return OTHER;
    }
    let kept: &'static str = Box::leak(text.into());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_string_and_names_past_the_limit_are_one_name() {
        let made = String::from("made at run time");
        assert!(std::ptr::eq(name(&made), name("made at run time")));
        let long = "é".repeat(MAX_TEXT_BYTES);
        assert_eq!(name(&long), "é".repeat(MAX_TEXT_BYTES / 2));
        for number in 0..MAX_NAMES {
            let _ = name(&number.to_string());
        }
        assert_eq!(name("one too many"), OTHER);
        assert_eq!(name("0"), "0");
    }
}
