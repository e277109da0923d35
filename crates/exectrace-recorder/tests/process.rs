//! What a process leaves behind however it ends. The test program runs itself as the process.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{count_regions, ns, read};
use exectrace_format::{Batches, Reader};

/// Set in the child to what it is to do.
const ROLE: &str = "EXECTRACE_TEST_ROLE";
const TRACE: &str = "EXECTRACE_TEST_TRACE";
/// The bytes that the system writes at once.
const PAGE: usize = 4096;

fn child(role: &str, trace: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture"])
        .env(ROLE, role)
        .env(TRACE, trace)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test by itself: what the child processes of the tests below run.
#[test]
fn the_child() {
    let (Ok(role), Ok(trace)) = (std::env::var(ROLE), std::env::var(TRACE)) else {
        return;
    };
    let recording = exectrace_recorder::start(trace).unwrap();
    match role.as_str() {
        "killed" => {
            let begin = Instant::now();
            for number in 0_u64.. {
                drop(exectrace_recorder::region("work"));
                if number % 100 == 0 {
                    println!("at {}", begin.elapsed().as_millis());
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        "exits" => {
            drop(exectrace_recorder::region("last"));
            std::mem::forget(recording);
            std::process::exit(0);
        }
        _ => panic!("no such role"),
    }
}

/// The trace without its last group, if the process was killed inside the `write` of it. Linux stops
/// a `write` of a killed process, between two pages: nobody can prevent that.
fn without_a_torn_group(mut bytes: Vec<u8>) -> Vec<u8> {
    if Reader::new(&bytes[..]).unwrap().all(|event| event.is_ok()) {
        return bytes;
    }
    assert!(
        bytes.len().is_multiple_of(PAGE),
        "broken, but not by the system"
    );
    let mut starts = Vec::new();
    let mut batches = Batches::new(&bytes[..]).unwrap();
    while let Ok(Some(batch)) = batches.next_batch() {
        starts.push(usize::try_from(batch.place.start).unwrap());
    }
    let is_sound = |end: &&usize| {
        Reader::new(&bytes[..**end])
            .unwrap()
            .all(|event| event.is_ok())
    };
    let sound = *starts.iter().rev().find(is_sound).unwrap();
    bytes.truncate(sound);
    bytes
}

#[test]
fn a_killed_process_leaves_a_file_that_lacks_at_most_half_a_second() {
    let folder = tempfile::tempdir().unwrap();
    for run_ms in [300, 700, 1_100, 1_650] {
        let trace = folder.path().join("killed.trace");
        let mut process = child("killed", &trace);
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut last_ms = 0;
        while last_ms < run_ms {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, at)) = line.split_once("at ") {
                last_ms = at.parse().unwrap();
            }
        }
        // SIGKILL on Unix.
        process.kill().unwrap();
        process.wait().unwrap();
        let bytes = without_a_torn_group(fs::read(&trace).unwrap());
        fs::write(&trace, &bytes).unwrap();
        let events = read(&bytes);
        assert!(count_regions(&events, "work") > 0);
        let times = || events.iter().map(ns);
        let covered_ms = (times().max().unwrap() - times().min().unwrap()) / 1_000_000;
        assert!(covered_ms + 500 >= last_ms, "{covered_ms} of {last_ms} ms");
        exectrace_referee::assert_accepted(&trace);
    }
}

#[test]
fn an_orderly_exit_writes_what_still_records() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("exit.trace");
    let status = child("exits", &trace).wait().unwrap();
    assert!(status.success());
    assert_eq!(count_regions(&read(&fs::read(&trace).unwrap()), "last"), 1);
}
