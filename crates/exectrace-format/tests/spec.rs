//! `SPEC.md` says of events and side records what the code says.

use exectrace_format::{EventKind, SideRecord};

const SPEC: &str = include_str!("../SPEC.md");

/// The rows of the table with this head, as they must be and as they are.
fn compare(head: &str, expected: &[String]) {
    let table = SPEC
        .split_once(head)
        .unwrap_or_else(|| panic!("no table with the head {head}"))
        .1;
    let rows: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row, expected);
    }
    assert_eq!(
        rows.len(),
        expected.len(),
        "the table should be\n{}",
        expected.join("\n")
    );
}

#[test]
fn the_table_of_events_is_that_of_the_code() {
    let row = |kind: &EventKind| {
        let arguments: Vec<String> = kind
            .arguments()
            .iter()
            .map(|argument| format!("{}: {}", argument.name, argument.ty.name()))
            .collect();
        let arguments = if arguments.is_empty() {
            "–".to_string()
        } else {
            arguments.join(", ")
        };
        let (id, name) = (kind.id(), kind.name());
        format!(
            "| {id} | {name} | {arguments} | {} | {} |",
            kind.since().number(),
            kind.meaning()
        )
    };
    let expected: Vec<String> = EventKind::ALL.iter().map(row).collect();
    compare("| id | name | arguments | since | meaning |", &expected);
}

#[test]
fn the_table_of_side_records_is_that_of_the_code() {
    let row = |(kind, name, fields): &(u64, &str, &str)| format!("| {kind} | {name} | {fields} |");
    let expected: Vec<String> = SideRecord::KINDS.iter().map(row).collect();
    compare("| kind | name | fields |", &expected);
}

#[test]
fn the_conventions_of_recorder_and_readers_are_those_of_the_code() {
    use exectrace_format::conventions::*;
    for text in [
        WAKE_NOT_SEEN,
        POLLED_BEFORE,
        ENDED_WITHOUT_RUNNING,
        TASK_FROM_BEFORE,
        PART_OF_SPAN,
        CONCURRENT_SPAN,
        THREAD_FILE,
        UNKNOWN_FILE,
        TRACER_NAME,
        BACKGROUND_NAME,
        WOKEN_BY_DRIVER,
        WOKEN_BY_TIMER,
        WOKEN_BY_SOURCE,
        WOKEN_BY_TASK,
        WOKEN_BY_THREAD,
        WOKEN_BY_BLOCKING,
        UNKNOWN_WAIT,
        THREADS_CPU,
        SYSCALLS,
        SYSCALLS_NOT_SEEN,
        HEAP,
        CPU,
        KERNEL,
        KERNEL_SWITCHES,
        KERNEL_USAGE,
        PROCESS,
        PROCESS_CGROUP,
        PROCESS_PRESSURE,
        PROCESS_SOCKETS,
    ] {
        assert!(SPEC.contains(&format!("`{text}`")), "{text}");
    }
}

#[test]
fn the_table_of_counters_is_that_of_the_code() {
    use exectrace_format::conventions::SystemCounter;
    let row = |counter: &SystemCounter| {
        let sum = if counter.is_sum { "yes" } else { "no" };
        let name = counter.name.trim_end();
        format!(
            "| `{name}` | {} | {sum} | {} |",
            counter.unit.name(),
            counter.meaning
        )
    };
    let expected: Vec<String> = SystemCounter::ALL.iter().map(row).collect();
    compare("| counter | unit | only grows | what it is |", &expected);
}
