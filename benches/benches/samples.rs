//! What CPU samples cost: how much longer the same work takes on a thread that is sampled.
//!
//! Two threads do the same work in turns, while one recording runs: one that has recorded something, so it is
//! sampled at the default rate, and one that has not. What is compared is the processor time of the two in the same
//! turn, so what it costs to be interrupted is in it. The work is at the end of some calls, as deep as in a server.
//! The flush thread's part is not in it.

use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use exectrace_benches::{Verdicts, conclude, describe_run, median, quartiles, thread_time};
use exectrace_recorder::{RecordingOptions, has_frame_pointers, region};

/// Turns, and steps of each: some forty milliseconds.
const FULL: (usize, u64) = (400, 16_000_000);
const QUICK: (usize, u64) = (40, 16_000_000);
/// Calls that stand on the stack meanwhile.
const DEPTH: u32 = 20;
/// What a second of a thread's time may cost, in percent of a processor.
const AIM_PERCENT: f64 = 0.3;

fn main() -> ExitCode {
    let is_full = std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--quick");
    let (effort, arguments) = match is_full {
        true => (FULL, " --features cpu"),
        false => (QUICK, " --features cpu -- --quick"),
    };
    conclude(bench(effort, arguments))
}

#[inline(never)]
fn work(depth: u32, steps: u64) -> u64 {
    if depth > 0 {
        return black_box(work(black_box(depth - 1), steps)) + 1;
    }
    let mut state = black_box(1_u64);
    for _ in 0..steps {
        state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7));
    }
    state
}

fn timed(steps: u64) -> Duration {
    let before = thread_time();
    black_box(work(DEPTH, steps));
    thread_time() - before
}

fn bench((turns, steps): (usize, u64), arguments: &str) -> io::Result<()> {
    println!("{}", describe_run("samples", arguments));
    let recording = RecordingOptions::new().start_writer(io::sink());
    let recording = recording.map_err(io::Error::other)?;
    let (go, wait) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let sampled = thread::spawn(move || {
        drop(region("known"));
        for () in wait {
            if send.send(timed(steps)).is_err() {
                return;
            }
        }
    });
    let (mut ratios, mut of_sampled) = (Vec::new(), Duration::ZERO);
    for turn in 0..turns {
        let sampled_turn = || {
            go.send(()).map_err(io::Error::other)?;
            receive.recv().map_err(io::Error::other)
        };
        let (with, without) = match turn % 2 {
            0 => (sampled_turn()?, timed(steps)),
            _ => {
                let without = timed(steps);
                (sampled_turn()?, without)
            }
        };
        of_sampled += with;
        ratios.push(with.as_secs_f64() / without.as_secs_f64());
    }
    drop(go);
    let _ = sampled.join();
    let report = recording.stop().map_err(io::Error::other)?;
    let (lower, upper) = quartiles(&ratios);
    let ratio = median(&ratios);
    // A median of so many is known to about this.
    let error = 1.25 * (upper - lower) / 1.35 / (turns as f64).sqrt();
    println!(
        "\n{} samples in {of_sampled:.1?} of the sampled thread, {} of them cut; frame pointers: {}",
        report.cpu_samples,
        report.cpu_samples_cut,
        has_frame_pointers()
    );
    println!(
        "sampled / not sampled: {ratio:.5} ± {error:.5} (quartiles {lower:.4} to {upper:.4}, {turns} turns)"
    );
    let rate = report.cpu_samples as f64 / of_sampled.as_secs_f64();
    println!(
        "a sample: {:.1} µs of its thread",
        (ratio - 1.0) / rate * 1e6
    );
    let mut verdicts = Verdicts::default();
    let what = format!("{rate:.0} samples a second, in percent of a processor");
    verdicts.at_most(&what, (ratio - 1.0) * 100.0, AIM_PERCENT, "");
    verdicts.print();
    Ok(())
}
