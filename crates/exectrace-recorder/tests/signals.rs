//! Signal handlers that record, in the middle of whatever the thread does.
#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use common::{count_regions, messages, read, turn};
use exectrace_recorder::{
    Callsite, CallsiteKind, Parent, Report, SpanSource, Task, TaskRule, log_args, region,
};

/// Signals that interrupt a recording thread.
const SIGNALS: u64 = 10_000;
/// How often the thread records after each, so that the trace stays small.
const ROUNDS: u64 = 5;

static SITE: u8 = 0;
static SOURCE: OnceLock<SpanSource<u8>> = OnceLock::new();

/// What the handlers have recorded, or tried to.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// Records that each handler writes.
const RECORDS_OF_A_HANDLER: u64 = 6;

thread_local! {
    /// Whether the handler records on this thread: it has recorded before.
    static IS_READY: Cell<bool> = const { Cell::new(false) };
}

extern "C" fn handle(_: libc::c_int) {
    if !IS_READY.get() {
        return;
    }
    HANDLED.fetch_add(1, Ordering::Relaxed);
    exectrace_recorder::log("handler", "an event");
    drop(region("of a handler"));
    if let Some(source) = SOURCE.get() {
        source.enter(1);
        source.event(&SITE, Parent::Current(1), |fields| {
            fields.u64(0, 7);
            fields.str(1, "longer than a word");
        });
        source.exit(1);
    }
}

fn install() {
    SOURCE.get_or_init(|| {
        let describe = |_: &'static u8| Callsite {
            name: "signal",
            target: "signals",
            level: "INFO",
            module: None,
            file: None,
            line: None,
            fields: vec!["number", "message"],
            trace_id_fields: Vec::new(),
            kind: CallsiteKind::Event,
            task: TaskRule::Roots,
        };
        SpanSource::register(describe).unwrap()
    });
    // SAFETY: zero is a valid value of every field.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler only records, on threads that have recorded before.
    let installed = unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) };
    assert_eq!(installed, 0);
}

/// Calls `work` again and again, while signals interrupt it. Returns how often.
fn interrupted(work: impl Fn(u64) + Sync) -> u64 {
    let is_over = AtomicBool::new(false);
    let enough = HANDLED.load(Ordering::Relaxed) + SIGNALS;
    thread::scope(|scope| {
        let (work, is_over) = (&work, &is_over);
        let (send, name) = std::sync::mpsc::channel();
        let recorder = scope.spawn(move || {
            drop(region("first"));
            // SAFETY: names the calling thread.
            let name_here = unsafe { libc::pthread_self() };
            IS_READY.set(true);
            send.send(name_here).unwrap();
            let (mut rounds, mut left, mut handled) = (0, 0, 0);
            while !is_over.load(Ordering::Relaxed) {
                if left > 0 {
                    work(rounds);
                    rounds += 1;
                    left -= 1;
                }
                if handled != HANDLED.load(Ordering::Relaxed) {
                    handled = HANDLED.load(Ordering::Relaxed);
                    left = ROUNDS;
                }
            }
            IS_READY.set(false);
            rounds
        });
        let name = name.recv().unwrap();
        let mut handled = HANDLED.load(Ordering::Relaxed);
        while handled < enough {
            // SAFETY: the thread has not ended: it waits for `is_over`.
            unsafe { libc::pthread_kill(name, libc::SIGUSR1) };
            // The next one comes at once, when the thread records again.
            while HANDLED.load(Ordering::Relaxed) == handled {
                std::hint::spin_loop();
            }
            handled = HANDLED.load(Ordering::Relaxed);
        }
        is_over.store(true, Ordering::Relaxed);
        recorder.join().unwrap()
    })
}

/// Records that, and checks that the file is whole and that what it lacks was counted. `of_work` are
/// the records of a round.
fn check(work: impl Fn(u64) + Sync, of_work: u64) -> (Report, Vec<exectrace_format::TraceEvent>) {
    let _turn = turn();
    install();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signals.trace");
    let handled_before = HANDLED.load(Ordering::Relaxed);
    let recording = exectrace_recorder::start(&path).unwrap();
    let rounds = interrupted(work);
    let report = recording.stop().unwrap();
    let handled = HANDLED.load(Ordering::Relaxed) - handled_before;
    exectrace_referee::assert_accepted(&path);
    let events = read(&std::fs::read(&path).unwrap());
    // Also the thread's first region, and its end; and what says how many were lost.
    let made = handled * RECORDS_OF_A_HANDLER + rounds * of_work + 3;
    let tellings = messages(&events, "lost").len() as u64;
    let known = report.records + report.records_dropped;
    assert!(
        (made..=made + tellings).contains(&known),
        "{known} of {made} and {tellings}"
    );
    // A region is there whole if it is there at all.
    assert!(count_regions(&events, "of a handler") > 0);
    (report, events)
}

#[test]
fn handlers_that_interrupt_short_records_lose_only_what_is_counted() {
    let work = |_| {
        let task = Task::new("work");
        drop(task.region("work"));
    };
    let (report, events) = check(work, 4);
    let logged = messages(&events, "handler");
    assert!(logged.iter().all(|message| message == "an event"));
    assert!(report.records > report.records_dropped);
}

#[test]
fn handlers_that_interrupt_records_with_fields_lose_only_what_is_counted() {
    let text = "x".repeat(100);
    let (report, events) = check(|round| log_args("work", format_args!("{round} {text}")), 1);
    for message in messages(&events, "work") {
        let (round, rest) = message.split_once(' ').unwrap();
        assert!(round.parse::<u64>().is_ok() && rest == text, "{message}");
    }
    assert!(
        report.records_dropped > 0,
        "formatting takes long enough to be interrupted"
    );
}
