//! Traces made of traces: what the commands cut and symbolize leave behind. What is in them is tested where
//! they are written, in exectrace-export.

mod support;

use std::path::Path;

use exectrace_format::{CompactEvent, Reader};

use support::{Traces, answer, run, service};

/// Counts the events that say something of the traced program, and gives the time of the last event.
fn events(path: &Path) -> (usize, i64) {
    let bytes = std::fs::read(path).expect("it was written");
    let mut reader = Reader::new(bytes.as_slice()).expect("a trace");
    let (mut event, mut count) = (CompactEvent::default(), 0);
    while reader.next_into(&mut event).expect("a valid trace") {
        count += usize::from(event.kind.is_of_program());
    }
    (count, event.time.0)
}

#[test]
fn a_cut_is_of_the_time_that_is_asked_for() {
    let traces = Traces::new();
    let (path, cut) = (traces.service(), traces.path("cut"));
    answer([
        "cut".as_ref(),
        path.as_os_str(),
        "--to".as_ref(),
        "135ns".as_ref(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(
        events(&cut),
        (10, 1131),
        "the wait begins at 1130, and a sync follows"
    );
}

#[test]
fn a_time_in_which_nothing_happens_cannot_be_cut() {
    let traces = Traces::new();
    let (path, cut) = (traces.service(), traces.path("cut"));
    let run = run([
        "cut".as_ref(),
        path.as_os_str(),
        "--from".as_ref(),
        "1s".as_ref(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("no events"), "{}", run.stderr);
    assert!(run.stderr.contains("before 1.61"), "{}", run.stderr);
    assert!(!cut.exists());
}

#[test]
fn of_a_damaged_trace_the_good_part_is_kept() {
    let traces = Traces::new();
    let mut bytes = service();
    bytes.extend_from_slice(b"damage");
    let (path, cut) = (traces.put("damaged", &bytes), traces.path("cut"));
    let run = run([
        "cut".as_ref(),
        path.as_os_str(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(run.status, Some(1), "the part is not the whole");
    assert!(run.stderr.contains("is damaged"), "{}", run.stderr);
    assert_eq!(events(&cut).0, 19);
    exectrace_referee::assert_accepted(&cut);
}

#[test]
fn nothing_half_written_is_left_behind() {
    let traces = Traces::new();
    let path = traces.put("no.trace", b"this is no trace at all, is it?");
    let cut = traces.path("cut");
    let run = run([
        "cut".as_ref(),
        path.as_os_str(),
        "-o".as_ref(),
        cut.as_os_str(),
    ]);
    assert_eq!(run.status, Some(1));
    let left = std::fs::read_dir(traces.path(".")).expect("the folder");
    assert_eq!(left.count(), 1, "the input alone");
}

/// The program itself is the stripped program whose trace is symbolised.
#[cfg(target_os = "linux")]
#[test]
fn places_without_names_get_them_from_a_file_with_symbols() {
    use object::{Object, ObjectSymbol};

    let program = env!("CARGO_BIN_EXE_exectrace");
    let bytes = std::fs::read(program).expect("the program");
    let file = object::File::parse(bytes.as_slice()).expect("an executable");
    let main = file.symbols().find(|symbol| symbol.name() == Ok("main"));
    let address = main.expect("it has a main").address();
    let text = include_str!("data/service.trace.txt")
        .replace("app::read", &format!("app+{address:#x}"))
        .replace("src/read.rs", "unknown");
    let traces = Traces::new();
    let (path, named) = (
        traces.put("app.trace", &support::bytes_of(&text)),
        traces.path("named"),
    );
    let run = run([
        "symbolize".as_ref(),
        path.as_os_str(),
        "--binary".as_ref(),
        format!("app={program}").as_ref(),
        "-o".as_ref(),
        named.as_os_str(),
    ]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.starts_with("1 of 1 places"), "{}", run.stdout);
    let profile = answer([
        "profile".as_ref(),
        "--kind=network".as_ref(),
        "--format=folded".as_ref(),
        named.as_os_str(),
    ]);
    assert_eq!(profile, "app::serve;main 1000\n");
    assert_eq!(events(&named), events(&path), "nothing else changes");
    exectrace_referee::assert_accepted(&named);
}
