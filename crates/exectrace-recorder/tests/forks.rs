//! Children of a process that records: it is the parent's recordings that go on, and the child can
//! have its own. The test program runs itself as the parent.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{count_regions, read};
use exectrace_recorder::{
    Callsite, CallsiteKind, Parent, Recording, RecordingOptions, Runtime, SinkError, SpanSource,
    TaskRule, is_enabled, region,
};

/// Set in the parent to what its child is to do.
const ROLE: &str = "EXECTRACE_TEST_ROLE";
const FOLDER: &str = "EXECTRACE_TEST_FOLDER";

/// A child that hangs is ended by a signal, which is no success. It is as long as no busy machine takes.
const PATIENCE_SECONDS: u32 = 120;
/// An exit that waited for a flush thread would take longer.
const EXIT_PATIENCE_SECONDS: u32 = 4;

/// Children that are forked while other threads use all there is.
const FORKS_UNDER_LOAD: usize = 300;
/// Of those, one in so many writes a file.
const FILES: usize = 60;

/// Runs `in_child` in a forked child, which ends with it, and waits for that.
#[track_caller]
fn fork(in_child: impl FnOnce()) {
    fork_with(PATIENCE_SECONDS, in_child);
}

#[track_caller]
fn fork_with(patience_seconds: u32, in_child: impl FnOnce()) {
    // SAFETY: the child runs `in_child` and never returns from here.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child when it takes too long.
        unsafe { libc::alarm(patience_seconds) };
        let is_well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(in_child)).is_ok();
        // SAFETY: ends the child, with nothing run at its exit.
        unsafe { libc::_exit(if is_well { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is writable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child's status");
}

fn is_forked(recording: Recording) -> bool {
    assert!(recording.is_of_parent());
    let stopped = recording.stop();
    matches!(stopped, Err(error) if matches!(error.error(), SinkError::Forked))
}

/// Records in a child, into a file of its own.
fn record_in_child(path: &Path) {
    record(exectrace_recorder::start(path).unwrap());
}

/// Records on a thread that `std` has not started: in a forked child one of those may wait for ever for a lock of
/// `std`'s that a thread of the parent held.
fn on_another_thread() {
    extern "C" fn run(_: *mut libc::c_void) -> *mut libc::c_void {
        drop(region("of the child"));
        std::ptr::null_mut()
    }
    let (null, mut thread) = (std::ptr::null_mut(), std::mem::MaybeUninit::uninit());
    // SAFETY: `thread` is writable, and `run` takes any argument.
    let status = unsafe { libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), run, null) };
    assert_eq!(status, 0);
    // SAFETY: it was written, as there was no error.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: nobody else joins it.
    let status = unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
    assert_eq!(status, 0);
}

fn record(recording: Recording) {
    assert!(is_enabled() && !recording.is_of_parent());
    drop(region("of the child"));
    on_another_thread();
    let report = recording.stop().unwrap();
    assert_eq!(report.records_dropped, 0);
    assert!(!is_enabled());
}

/// Not a test by itself: what the processes of the tests below run.
#[test]
fn the_parent() {
    let (Ok(role), Ok(folder)) = (std::env::var(ROLE), std::env::var(FOLDER)) else {
        return;
    };
    let folder = Path::new(&folder);
    let recording = exectrace_recorder::start(folder.join("parent.trace")).unwrap();
    drop(region("of the parent"));
    if role == "load" {
        return under_load(folder, recording);
    }
    // The child has its own copy of what is left in here.
    let mut recording = Some(recording);
    let open = region("of the parent");
    let patience_seconds = match role.as_str() {
        "exits" => EXIT_PATIENCE_SECONDS,
        _ => PATIENCE_SECONDS,
    };
    fork_with(patience_seconds, || {
        assert!(!is_enabled());
        drop(region("lost"));
        drop(open);
        match role.as_str() {
            // SAFETY: ends the child as a return from its `main` would.
            "exits" => unsafe { libc::exit(0) },
            "stops" => assert!(is_forked(recording.take().unwrap())),
            "drops" => drop(recording.take()),
            "starts" => {
                record_in_child(&folder.join("child.trace"));
                assert!(is_forked(recording.take().unwrap()));
            }
            "exits while it records" => {
                let own = exectrace_recorder::start(folder.join("child.trace")).unwrap();
                drop(region("of the child"));
                drop(region("of the child"));
                std::mem::forget(own);
                // SAFETY: as above.
                unsafe { libc::exit(0) };
            }
            "forks in the middle of a record" => {
                exectrace_recorder::log_args("lost", format_args!("{}", Forking(folder)));
            }
            _ => panic!("no such role"),
        }
    });
    exectrace_recorder::log_args("fork", format_args!("{}", Forking(folder)));
    drop(region("of the parent"));
    recording.unwrap().stop().unwrap();
}

/// Forks while it is formatted, in the middle of a record.
struct Forking<'a>(&'a Path);

impl std::fmt::Display for Forking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("before the fork ")?;
        let path = self.0.join("grandchild.trace");
        fork(|| {
            let recording = exectrace_recorder::start(&path).unwrap();
            // Still in the middle of the parent's record: lost.
            drop(region("lost"));
            recording.stop().unwrap();
        });
        f.write_str("and after it")
    }
}

/// Forks while other threads hold each lock that the tracer has, now and then.
fn under_load(folder: &Path, recording: Recording) {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    static SITE: u8 = 0;
    fn keep_doing(f: impl Fn() + Send + 'static) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            while !IS_OVER.load(Ordering::Relaxed) {
                f();
                thread::yield_now();
            }
        })
    }
    let threads = [
        keep_doing(|| {
            let other = RecordingOptions::new().start_writer(std::io::sink());
            drop(region("of the parent"));
            other.unwrap().stop().unwrap();
        }),
        keep_doing(|| {
            let source = SpanSource::register(|_: &'static u8| Callsite {
                name: "load",
                target: "load",
                level: "INFO",
                module: None,
                file: None,
                line: None,
                fields: Vec::new(),
                trace_id_fields: Vec::new(),
                kind: CallsiteKind::Span,
                task: TaskRule::Roots,
            });
            let source = source.unwrap();
            source.new_span_without_fields(1, &SITE, Parent::Root);
            source.close(1);
        }),
        keep_doing(|| {
            exectrace_recorder::note("load");
            exectrace_recorder::set_capability("load", "much");
            exectrace_recorder::on_enabled_change(|| ());
            let _ = Runtime::register("load");
        }),
        keep_doing(|| drop(thread::spawn(|| drop(region("of the parent"))).join())),
    ];
    let mut recording = Some(recording);
    for number in 0..FORKS_UNDER_LOAD {
        fork(|| {
            drop(region("lost"));
            if number % FILES == 0 {
                record_in_child(&folder.join(format!("child-{number}.trace")));
            } else {
                record(
                    RecordingOptions::new()
                        .start_writer(std::io::sink())
                        .unwrap(),
                );
            }
            assert!(is_forked(recording.take().unwrap()));
        });
    }
    IS_OVER.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    recording.unwrap().stop().unwrap();
}

/// Runs a parent; judges its trace and those of its children.
fn run(role: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_parent", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let mut children = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        exectrace_referee::assert_accepted(&path);
        let events = read(&fs::read(&path).unwrap());
        let (parents, childs) = ("of the parent", "of the child");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match name.split(['.', '-']).next().unwrap() {
            "parent" => {
                assert!(count_regions(&events, parents) >= 3);
                assert_eq!(count_regions(&events, childs), 0);
            }
            "child" => {
                assert_eq!(count_regions(&events, childs), 2);
                assert_eq!(count_regions(&events, parents), 0);
                children += 1;
            }
            _ => {}
        }
        assert_eq!(count_regions(&events, "lost"), 0, "{name}");
    }
    children
}

#[test]
fn a_forked_child_that_exits_does_so_at_once() {
    assert_eq!(run("exits"), 0);
}

#[test]
fn a_forked_child_is_refused_to_stop_the_recordings_of_its_parent() {
    assert_eq!(run("stops"), 0);
}

#[test]
fn a_forked_child_can_drop_the_recordings_of_its_parent() {
    assert_eq!(run("drops"), 0);
}

#[test]
fn a_forked_child_can_record_into_a_file_of_its_own() {
    assert_eq!(run("starts"), 1);
}

#[test]
fn what_a_forked_child_records_is_written_when_it_exits() {
    assert_eq!(run("exits while it records"), 1);
}

#[test]
fn a_child_that_is_forked_in_the_middle_of_a_record_loses_that_record() {
    assert_eq!(run("forks in the middle of a record"), 0);
}

#[test]
fn children_that_are_forked_while_others_hold_locks_never_hang() {
    assert_eq!(run("load"), FORKS_UNDER_LOAD / FILES);
}
