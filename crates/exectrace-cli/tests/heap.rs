//! The profile of the heap, of a program that samples all it allocates: this one.

mod support;

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::thread;

use exectrace_recorder::{Allocator, Settings, Source};
use support::{Traces, answer, json, run};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System);

const KEPT: usize = 100;
const KEPT_BYTES: usize = 10_007;
const FREED: usize = 50;
const FREED_BYTES: usize = 20_011;

/// A thread `keeps` keeps what it allocates until the recording has ended, and a thread `frees` frees it.
fn record(path: &Path) {
    let settings = Settings::new().heap_sample_bytes(1);
    settings.budget(Source::Heap, u64::MAX).apply().unwrap();
    let recording = exectrace_recorder::start(path).expect("a recording");
    let named = |name: &str| thread::Builder::new().name(name.to_owned());
    let keeps = named("keeps").spawn(|| {
        (0..KEPT)
            .map(|_| black_box(vec![1_u8; KEPT_BYTES]))
            .collect::<Vec<_>>()
    });
    let kept = keeps.unwrap().join().unwrap();
    let frees = named("frees").spawn(|| {
        for _ in 0..FREED {
            drop(black_box(vec![1_u8; FREED_BYTES]));
        }
    });
    frees.unwrap().join().unwrap();
    recording.stop().expect("it is written");
    drop(kept);
}

/// A thread has little beside what it is to allocate.
#[track_caller]
fn assert_about(bytes: u64, expected: usize) {
    let expected = expected as u64;
    assert!(
        (expected..expected + 10_000).contains(&bytes),
        "{bytes}, not {expected}"
    );
}

/// The sum of a value over all stacks.
fn sum(profile: &serde_json::Value, value: &str) -> u64 {
    let samples = profile["profile"]["samples"].as_array().unwrap();
    let values = samples.iter().map(|sample| sample["heap"][value].as_u64());
    values.map(|value| value.expect("a number")).sum()
}

#[test]
fn a_profile_of_the_heap_has_what_each_thread_allocated_and_what_of_it_is_alive() {
    let traces = Traces::new();
    let path = traces.path("heap.trace");
    record(&path);
    exectrace_referee::assert_accepted(&path);
    let path = path.to_str().expect("UTF-8");
    let of = |kind, thread| {
        json([
            "profile",
            path,
            "--kind",
            kind,
            "--group",
            thread,
            "--format=json",
        ])
    };
    let (kept, freed) = (of("heap", "keeps"), of("allocated", "frees"));
    assert_about(sum(&kept, "inuse_bytes"), KEPT * KEPT_BYTES);
    assert_about(sum(&freed, "alloc_bytes"), FREED * FREED_BYTES);
    assert_about(sum(&of("heap", "frees"), "inuse_bytes"), 0);
    let text = answer(["profile", path, "--kind", "heap", "--group", "keeps"]);
    assert!(text.contains("1.00 MB alive, estimated from"), "{text}");
    let folded = answer([
        "profile",
        path,
        "--kind",
        "heap",
        "--group",
        "keeps",
        "--format=folded",
    ]);
    let bytes = folded
        .lines()
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    assert_about(bytes.sum::<u64>(), KEPT * KEPT_BYTES);
    for limit in [["--region", "parse"], ["--filter", "group~keeps"]] {
        let refused = run(["profile", path, "--kind", "heap", limit[0], limit[1]]);
        assert!(refused.stderr.contains(limit[0]), "{}", refused.stderr);
    }
    let profile = traces.path("heap.pb.gz");
    let profile = profile.to_str().expect("UTF-8");
    answer([
        "profile",
        path,
        "--kind=heap",
        "--format=pprof",
        "-o",
        profile,
    ]);
    go_reads(profile);
}

/// Go's own profile reader takes it for a profile of the heap.
fn go_reads(profile: &str) {
    let go = std::env::var_os("EXECTRACE_GO").unwrap_or_else(|| "go".into());
    let mut go = Command::new(go);
    let output = go
        .args(["tool", "pprof", "-raw", profile])
        .env("GOTOOLCHAIN", "local")
        .output();
    let required = std::env::var_os(exectrace_referee::REQUIRE_VARIABLE);
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        assert!(required.is_none_or(|one| one != "1"), "no `go tool pprof`");
        eprintln!("skipped: no `go tool pprof`");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let types = "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]";
    assert!(text.contains(types), "{text}");
    let is_kept = |line: &&str| {
        let (values, _) = line.split_once(':').unwrap_or_default();
        let values: Vec<u64> = values
            .split_whitespace()
            .map_while(|value| value.parse().ok())
            .collect();
        values.len() == 4 && values[1] >= values[3] && values[3] >= (KEPT * KEPT_BYTES) as u64
    };
    assert!(text.lines().any(|line| is_kept(&line)), "{text}");
}
