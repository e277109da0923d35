//! The kernel's reports of when threads had no processor; and a system that refuses them.
//!
//! Settings are those of the process, so each test runs in a process of its own.

#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
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
            let refused = report.refused.iter();
            let refused: Vec<_> = refused
                .filter(|(source, _)| *source == "kernel.switches")
                .collect();
            let [(_, why)] = refused.as_slice() else {
                panic!("the report says so once: {:?}", report.refused);
            };
            assert!(why.starts_with("perf_event_open: "), "{why}");
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

/// This thread may run on one processor alone from now on: whether the system lets it.
fn pin() -> bool {
    // SAFETY: a set of processors is plain bits, and all zeros are the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes as many bytes as its argument says that there are.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    if result != 0 {
        return false;
    }
    // SAFETY: it reads a set that the call above has written.
    let mut may =
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) });
    let Some(first) = may.next() else {
        return false;
    };
    // SAFETY: as above.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the processor's number is below the set's size.
    unsafe { libc::CPU_SET(first, &mut one) };
    // SAFETY: the call reads as many bytes as its argument says that there are.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
    result == 0
}

/// This thread's number, and for how long it has been on a processor.
fn own_time() -> Option<(u64, u64)> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    let number = link.file_name()?.to_str()?.parse().ok()?;
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some((number, counts.split(' ').next()?.parse().ok()?))
}

#[test]
fn two_threads_on_one_processor_are_ready_and_do_not_run_while_the_other_does() {
    const BUSY_NS: u64 = 50_000_000;
    in_a_process(
        "two_threads_on_one_processor_are_ready_and_do_not_run_while_the_other_does",
        || {
            if !pin() || own_time().is_none() {
                return eprintln!("skipped: threads cannot be pinned, or are not counted");
            }
            let (recording, bytes) = record();
            let both = Arc::new(Barrier::new(2));
            let (done, is_done) = mpsc::channel();
            // They run where the thread runs that makes them.
            let busy = || {
                let (both, done) = (Arc::clone(&both), done.clone());
                let (go, may_go) = mpsc::channel::<()>();
                let thread = thread::spawn(move || {
                    both.wait();
                    let (number, begin) = own_time().unwrap();
                    while own_time().unwrap().1 - begin < BUSY_NS {}
                    drop(region("after"));
                    done.send(number).unwrap();
                    // It has not ended when it is looked at.
                    may_go.recv().unwrap();
                });
                (thread, go)
            };
            let threads = [busy(), busy()];
            let numbers = [is_done.recv().unwrap(), is_done.recv().unwrap()];
            recording.stop().unwrap();
            for (thread, go) in threads {
                go.send(()).unwrap();
                thread.join().unwrap();
            }
            let events = read(&bytes.bytes());
            if said(&events, "threads.cpu").starts_with("none") {
                return;
            }
            let waited = numbers.map(|number| {
                let of_thread = side_data(&events).filter_map(|record| match *record {
                    SideRecord::ThreadTime {
                        thread, wait_ns, ..
                    } if thread.0 == number => Some(wait_ns),
                    _ => None,
                });
                of_thread.last().expect("it was looked at")
            });
            // Until the first of the two was over with it, one of them ran and the other was ready.
            let all: u64 = waited.iter().sum();
            assert!(all >= BUSY_NS / 2, "{waited:?}");
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
