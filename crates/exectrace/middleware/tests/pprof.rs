//! A profiler beside ours: pprof-rs, with its timer and its handler of `SIGPROF`, has the samples that it has alone,
//! and ours go on after it has removed its handler.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Keeps this thread busy.
#[inline(never)]
fn burn(duration: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < duration {
        for step in 0..100_000_u64 {
            black_box(step);
        }
    }
}

/// How many samples the other profiler has while this thread is busy.
fn samples_of_pprof() -> isize {
    let guard = pprof::ProfilerGuardBuilder::default()
        .frequency(100)
        .build();
    let guard = guard.expect("a profiler");
    burn(Duration::from_secs(1));
    let report = guard.report().build().expect("a report");
    report.data.values().sum()
}

#[test]
fn pprof_has_its_samples_beside_ours_and_ours_outlive_its_handler() {
    let alone = samples_of_pprof();
    let folder = std::env::temp_dir().join(format!("exectrace-pprof-{}", std::process::id()));
    let recording = exectrace::start(&folder).expect("a recording");
    drop(exectrace::region("known"));
    let beside = samples_of_pprof();
    // What its guard leaves behind would take our signals, or end the process, if they were the same.
    burn(Duration::from_secs(1));
    let report = recording.stop().expect("it stops");
    exectrace_referee::assert_accepted(&folder);
    let _ = std::fs::remove_file(&folder);
    // This thread's part of two seconds, at 99 Hz; on a busy machine it has a part of them.
    assert!(
        report.cpu_samples > 20 && report.cpu_samples < 260,
        "{report:?}"
    );
    assert!(alone > 5 && beside > 5, "{alone} {beside}");
    // Ours would be as many again.
    assert!(beside < alone * 3 / 2 + 20, "{alone} {beside}");
}
