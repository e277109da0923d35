//! CPU samples beside whatever else a program does with signals, threads and processes. The test program runs
//! itself for each test, as settings and handlers are one for a process.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod common;

use std::hint::black_box;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use common::{Shared, messages, read};
use exectrace_format::conventions::CPU;
use exectrace_format::{TraceEvent, TraceEventKind};
use exectrace_recorder::{Recording, RecordingOptions, Report, Settings, Source, region};

/// What the program is to do.
const ROLE: &str = "EXECTRACE_TEST_ROLE";

const HZ: u32 = 250;

/// Signals that the program's own handler has counted.
static OWN: AtomicU64 = AtomicU64::new(0);

/// As handlers of profilers do, it takes more of a stack than an alternate one has, and was not installed for that.
#[inline(never)]
extern "C" fn own_handler(_: libc::c_int) {
    black_box([0_u8; 64 << 10]);
    OWN.fetch_add(1, Ordering::Relaxed);
}

fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int), flags: libc::c_int) {
    // SAFETY: zero is a valid value of every field.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = flags;
    // SAFETY: the handlers of this test do what handlers may.
    let installed = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    assert_eq!(installed, 0);
}

fn raise(signal: libc::c_int) {
    // SAFETY: the signal has a handler.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// The processor time of this thread, in milliseconds.
fn used_ms() -> u64 {
    let mut used = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `used` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut used) };
    used.tv_sec as u64 * 1_000 + used.tv_nsec as u64 / 1_000_000
}

/// Uses so much processor time.
#[inline(never)]
fn burn(ms: u64) {
    let until = used_ms() + ms;
    while used_ms() < until {
        for step in 0..10_000_u64 {
            black_box(step);
        }
    }
}

fn start(settings: Settings) -> (Shared, Recording) {
    settings.cpu_samples_hz(HZ).apply().unwrap();
    let sink = Shared::default();
    let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
    drop(region("known"));
    (sink, recording)
}

fn stop((sink, recording): (Shared, Recording)) -> (Report, Vec<TraceEvent>) {
    let report = recording.stop().unwrap();
    let bytes = sink.bytes();
    exectrace_referee::assert_bytes_accepted(&bytes);
    let events = read(&bytes);
    assert_eq!(count(&events), report.cpu_samples);
    assert_eq!(report.cpu_samples_lost, 0);
    (report, events)
}

fn count(events: &[TraceEvent]) -> u64 {
    let is_sample = |event: &&TraceEvent| matches!(event.kind, TraceEventKind::StackSample);
    events.iter().filter(is_sample).count() as u64
}

/// Not more samples than so much processor time has; and some, where the system has few ticks, or gives some of them
/// to others.
#[track_caller]
fn assert_samples(samples: u64, ms: u64) {
    let all = ms * u64::from(HZ) / 1_000;
    assert!(
        samples >= all / 8 && samples <= all * 5 / 4 + 5,
        "{samples} of {all}"
    );
}

fn prof() -> Settings {
    Settings::new().cpu_samples_signal(libc::SIGPROF)
}

/// Not a test by itself: what the processes of the tests below run.
#[test]
fn the_program() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    match role.as_str() {
        "own handler before" => own_handler_before(),
        "own handler after" => own_handler_after(),
        "profiler" => profiler(Settings::new()),
        "profiler on the same signal" => profiler(prof()),
        "default action" => default_action(),
        "off" => off(),
        "fork" => fork(),
        "threads" => threads(),
        "handlers" => handlers(),
        "budget" => budget(),
        _ => panic!("no such role"),
    }
}

#[track_caller]
fn run(role: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_program", "--nocapture"])
        .env(ROLE, role)
        .status()
        .unwrap();
    assert!(status.success(), "{role}: {status}");
}

#[test]
fn a_handler_that_was_there_before_is_called_for_all_signals_but_the_tracers() {
    run("own handler before");
}

fn own_handler_before() {
    install(libc::SIGPROF, own_handler, libc::SA_RESTART);
    let running = start(prof());
    for _ in 0..20 {
        burn(10);
        raise(libc::SIGPROF);
    }
    let (report, _) = stop(running);
    assert_eq!(OWN.load(Ordering::Relaxed), 20);
    assert_samples(report.cpu_samples, 200);
}

#[test]
fn a_handler_that_comes_later_gets_no_signal_of_the_tracers_once_that_was_seen() {
    run("own handler after");
}

fn own_handler_after() {
    let running = start(prof());
    burn(100);
    install(libc::SIGPROF, own_handler, libc::SA_RESTART);
    let text = b"after the tracer's";
    while !running
        .0
        .bytes()
        .windows(text.len())
        .any(|part| part == text)
    {
        burn(1);
    }
    let before = OWN.load(Ordering::Relaxed);
    burn(200);
    raise(libc::SIGPROF);
    assert_eq!(OWN.load(Ordering::Relaxed), before + 1);
    let (report, events) = stop(running);
    assert!(report.cpu_samples > 0);
    let said = messages(&events, CPU);
    assert_eq!(
        said.iter()
            .filter(|text| text.starts_with("no, from here on: "))
            .count(),
        1
    );
    // The next recording says so at its beginning, and the handler stays.
    let running = (Shared::default(), ());
    let recording = RecordingOptions::new()
        .start_writer(running.0.clone())
        .unwrap();
    burn(50);
    let (report, _) = stop((running.0, recording));
    assert_eq!(report.cpu_samples, 0);
    raise(libc::SIGPROF);
    assert_eq!(OWN.load(Ordering::Relaxed), before + 2);
}

/// As most profilers do it, pprof-rs among them.
#[test]
fn a_profiler_with_a_timer_and_a_handler_of_sigprof_has_its_samples_beside_ours() {
    run("profiler");
}

#[test]
fn a_profiler_that_began_before_has_its_samples_also_on_the_same_signal() {
    run("profiler on the same signal");
}

fn profiler(settings: Settings) {
    install(libc::SIGPROF, own_handler, libc::SA_RESTART);
    let every = |microseconds: libc::suseconds_t| {
        let period = libc::timeval {
            tv_sec: 0,
            tv_usec: microseconds,
        };
        let timer = libc::itimerval {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: the system reads the times.
        let set = unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, ptr::null_mut()) };
        assert_eq!(set, 0);
    };
    every(10_000);
    burn(400);
    let alone = OWN.load(Ordering::Relaxed);
    let running = start(settings);
    burn(400);
    let (report, _) = stop(running);
    let beside = OWN.load(Ordering::Relaxed) - alone;
    every(0);
    assert_samples(report.cpu_samples, 400);
    // Ours would be 100 more.
    assert!(
        alone > 5 && beside > 5 && beside < alone + 50,
        "{alone} {beside}"
    );
}

/// With the default signal nothing changes for `SIGPROF`.
#[test]
fn a_signal_that_is_not_the_tracers_ends_the_process_if_it_did_before() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_program"])
        .env(ROLE, "default action")
        .status()
        .unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(libc::SIGPROF), "{status}");
}

fn default_action() {
    let _running = start(prof());
    burn(50);
    raise(libc::SIGPROF);
}

#[test]
fn no_signal_comes_while_nothing_records() {
    run("off");
}

fn off() {
    let running = start(prof());
    burn(50);
    // A thread that ends later, and was there from the beginning.
    let (go, wait) = std::sync::mpsc::channel();
    let other = thread::spawn(move || {
        drop(region("of the other"));
        burn(20);
        wait.recv().unwrap();
        burn(100);
    });
    burn(50);
    let (report, _) = stop(running);
    assert!(report.cpu_samples > 0);
    // It takes the place of the tracer's handler, so it gets all that comes.
    install(libc::SIGPROF, own_handler, 0);
    go.send(()).unwrap();
    burn(100);
    other.join().unwrap();
    assert_eq!(OWN.load(Ordering::Relaxed), 0);
}

#[test]
fn a_forked_child_has_no_timers_and_can_have_its_own() {
    run("fork");
}

fn fork() {
    let running = start(Settings::new());
    burn(50);
    // SAFETY: the child does what a forked child may, and ends below.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child when it takes too long.
        unsafe { libc::alarm(10) };
        std::mem::forget(running);
        let child = std::panic::catch_unwind(|| {
            let timers = std::fs::read_to_string("/proc/self/timers").unwrap_or_default();
            assert_eq!(timers, "");
            burn(50);
            let sink = std::io::sink();
            let recording = RecordingOptions::new().start_writer(sink).unwrap();
            drop(region("of the child"));
            burn(100);
            let report = recording.stop().unwrap();
            assert_samples(report.cpu_samples, 100);
        });
        // SAFETY: ends the child, with nothing run at its exit.
        unsafe { libc::_exit(i32::from(child.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` is writable.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child's status");
    burn(50);
    let (report, _) = stop(running);
    assert_samples(report.cpu_samples, 100);
}

#[test]
fn threads_that_end_before_the_flush_thread_comes_have_their_share_and_leave_nothing_behind() {
    run("threads");
}

fn threads() {
    /// Some ticks of the system: what is used after the last of them is not sampled.
    const MS: u64 = 6;
    const THREADS: u64 = 200;
    let running = start(Settings::new());
    for _ in 0..THREADS / 4 {
        let threads = [(); 4].map(|()| {
            thread::spawn(|| {
                drop(region("short"));
                burn(MS);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    }
    let (report, _) = stop(running);
    let all = THREADS * MS * u64::from(HZ) / 1_000;
    // On a busy machine they lose more; without timers of their own they would have none.
    assert!(report.cpu_samples > all / 10, "{all}: {report:?}");
    // That of this thread is left, and those of threads whose end the flush thread has not seen.
    let timers = std::fs::read_to_string("/proc/self/timers").unwrap_or_default();
    assert!(timers.matches("ID:").count() <= 5, "{timers}");
}

#[test]
fn code_in_handlers_and_on_other_stacks_is_sampled() {
    run("handlers");
}

extern "C" fn burning_handler(_: libc::c_int) {
    burn(100);
    OWN.fetch_add(1, Ordering::Relaxed);
}

fn handlers() {
    let running = start(Settings::new());
    // The standard library has given this thread an alternate stack, to notice overflows.
    install(libc::SIGUSR1, burning_handler, libc::SA_ONSTACK);
    install(libc::SIGUSR2, burning_handler, 0);
    raise(libc::SIGUSR1);
    raise(libc::SIGUSR2);
    let (report, _) = stop(running);
    assert_eq!(OWN.load(Ordering::Relaxed), 2);
    assert_samples(report.cpu_samples, 200);
}

#[test]
fn samples_beyond_the_budget_are_left_out_and_counted() {
    run("budget");
}

fn budget() {
    let running = start(Settings::new().budget(Source::Cpu, 5));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                drop(region("busy"));
                burn(1_000);
            });
        }
    });
    let (report, events) = stop(running);
    let thinned: u64 = common::side_data(&events)
        .map(|record| match record {
            exectrace_format::SideRecord::Thinned {
                source, records, ..
            } if source == CPU => *records,
            _ => 0,
        })
        .sum();
    assert_samples(report.cpu_samples + thinned, 2_000);
    // The first second's are let through, and those of the time until that was seen.
    assert!(
        thinned > 0 && report.cpu_samples < 400,
        "{report:?} {thinned}"
    );
}
