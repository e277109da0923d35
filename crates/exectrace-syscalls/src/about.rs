//! What traces say of the calls that this build sees.

use exectrace_format::conventions::{SYSCALLS, SYSCALLS_NOT_SEEN};

/// What else makes system calls, with what is in the name of some symbol of a program that has it.
const OTHERS: [(&str, &str); 2] = [("rustix", "6rustix"), ("io_uring", "io_uring")];

/// May be called before `main`.
pub(crate) fn announce() {
    exectrace_recorder::calls::announce(|| {
        vec![(SYSCALLS, seen()), (SYSCALLS_NOT_SEEN, not_seen())]
    });
}

fn seen() -> String {
    let functions = crate::entry_points().count();
    if is_static() {
        format!("yes, by {functions} functions; static program")
    } else if is_in_front() {
        format!("yes, by {functions} functions")
    } else {
        "no: the functions are in a shared library, and the C library comes first; link them into the program".to_owned()
    }
}

fn is_static() -> bool {
    cfg!(target_feature = "crt-static")
}

#[cfg(not(target_feature = "crt-static"))]
fn is_in_front() -> bool {
    crate::entry_points().all(|point| crate::next::is_in_front(point.next))
}

#[cfg(target_feature = "crt-static")]
fn is_in_front() -> bool {
    true
}

/// The executable stays what it is, so its symbols are read once.
fn not_seen() -> String {
    use std::sync::OnceLock;

    static NOT_SEEN: OnceLock<String> = OnceLock::new();
    NOT_SEEN.get_or_init(find_not_seen).clone()
}

fn find_not_seen() -> String {
    let found = exectrace_recorder::symbols_contain(&OTHERS.map(|(_, text)| text));
    let mut text = "calls inside the C library, inline system calls, vDSO, page faults".to_owned();
    for (number, (name, _)) in OTHERS.iter().enumerate() {
        let is_linked = found.as_ref().and_then(|found| found.get(number));
        text.push_str("; ");
        text.push_str(name);
        text.push_str(match is_linked {
            Some(true) => ": linked",
            Some(false) => ": no symbol of it",
            None => ": unknown, as the program has no symbols",
        });
    }
    text
}
