//! The kernel's reports of when threads had no processor; and a system that refuses them.
//!
//! Settings are those of the process, so each test runs in a process of its own.

#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use common::{Shared, capability, read, side_data};
use exectrace_format::{SideRecord, TraceEvent};
use exectrace_recorder::{Recording, RecordingOptions, Settings, region};

/// Set in a process that was started to run one test.
const IN_CHILD: &str = "EXECTRACE_TEST_SWITCHES";

/// Runs `f` in a new process, which this test starts as itself.
fn in_a_process(test: &str, f: impl FnOnce()) {
    if std::env::var_os(IN_CHILD).is_some() {
        return f();
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

fn record() -> (Recording, Shared) {
    Settings::new().kernel_switches(true).apply().unwrap();
    let bytes = Shared::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone()).unwrap();
    (recording, bytes)
}

fn said(events: &[TraceEvent], key: &str) -> String {
    capability(events, key).next().unwrap_or_default()
}

/// Two threads hand a token to each other, each of which waits for the other in between.
fn hand_over(times: u64) {
    let (ping, is_ping) = mpsc::channel::<()>();
    let (pong, is_pong) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        for () in &is_ping {
            drop(region("other"));
            pong.send(()).unwrap();
        }
    });
    for _ in 0..times {
        drop(region("one"));
        ping.send(()).unwrap();
        is_pong.recv().unwrap();
    }
    drop(ping);
    other.join().unwrap();
}

/// What the trace says of one thread's times without a processor, and of all threads' counts.
fn off_processor(events: &[TraceEvent]) -> Vec<(u64, u64, u64)> {
    let records = side_data(events).filter_map(|record| match *record {
        SideRecord::OffProcessor {
            time_ns,
            thread,
            duration_ns,
            ..
        } => Some((thread.0, time_ns, duration_ns)),
        _ => None,
    });
    records.collect()
}

#[test]
fn threads_that_wait_for_each_other_have_no_processor_meanwhile() {
    in_a_process(
        "threads_that_wait_for_each_other_have_no_processor_meanwhile",
        || {
            let (recording, bytes) = record();
            // Both are known to the flush thread and watched only some passes later.
            while off_processor(&read(&bytes.bytes())).is_empty() {
                hand_over(1_000);
                let events = read(&bytes.bytes());
                if said(&events, "kernel.switches").starts_with("no: ") {
                    break;
                }
            }
            recording.stop().unwrap();
            let bytes = bytes.bytes();
            exectrace_referee::assert_bytes_accepted(&bytes);
            let events = read(&bytes);
            let mut found = off_processor(&events);
            if said(&events, "kernel.switches").starts_with("no: ") {
                return assert_eq!(found, []);
            }
            assert!(!found.is_empty());
            found.sort_unstable();
            for pair in found.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                let (_, begin, duration) = pair[0];
                assert!(begin + duration <= pair[1].1, "{pair:?} overlap");
            }
        },
    );
}

#[test]
fn a_system_that_refuses_leaves_everything_else_as_it_is_and_the_trace_says_why() {
    in_a_process(
        "a_system_that_refuses_leaves_everything_else_as_it_is_and_the_trace_says_why",
        || {
            deny_perf_event_open();
            let (recording, bytes) = record();
            hand_over(10);
            let report = recording.stop().unwrap();
            assert_eq!(report.records_dropped, 0);
            let bytes = bytes.bytes();
            exectrace_referee::assert_bytes_accepted(&bytes);
            let events = read(&bytes);
            let said_of = |key| said(&events, key);
            assert!(said_of("kernel.switches").starts_with("no: perf_event_open: "));
            assert_eq!(off_processor(&events), []);
            assert!(
                said_of("process").starts_with("yes"),
                "{}",
                said_of("process")
            );
            assert!(
                said_of("kernel.usage").starts_with("yes"),
                "{}",
                said_of("kernel.usage")
            );
            let has = |wanted: fn(&SideRecord) -> bool| side_data(&events).any(wanted);
            assert!(has(|record| matches!(record, SideRecord::Counter { .. })));
            assert!(has(|record| matches!(
                record,
                SideRecord::ThreadUsage { .. }
            )));
            if said_of("threads.cpu").starts_with("schedstat") {
                assert!(has(|record| matches!(
                    record,
                    SideRecord::ThreadTime { .. }
                )));
            }
        },
    );
}

/// From now on the system answers this process's threads that they may not call `perf_event_open`.
fn deny_perf_event_open() {
    const LOAD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, k: u32, jt, jf| libc::sock_filter { code, jt, jf, k };
    let call = u32::try_from(libc::SYS_perf_event_open).unwrap();
    let denied = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut steps = [
        // The number of the call is the first word.
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, call, 0, 1),
        step(RETURN, denied, 0, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the call takes numbers alone.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    let (install, all_threads) = (
        libc::SECCOMP_SET_MODE_FILTER,
        libc::SECCOMP_FILTER_FLAG_TSYNC,
    );
    // SAFETY: the program and its steps live until the call returns, which copies them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, install, all_threads, &raw const program) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
