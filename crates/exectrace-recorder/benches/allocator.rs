//! What the allocator that counts costs more than the one inside it, for an allocation and its release.
//!
//! `cargo bench -p exectrace-recorder --features alloc --bench allocator`
//!
//! The shortest of many short rounds is shown, so that other work on the machine matters little. Most of them have no
//! sample; the last row is of rounds that allocate 48 MB each, with the samples of that. With a number of rounds as its argument, and `plain`, `off` or `on`, it does only that, for callgrind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::sink;
use std::time::Instant;

use exectrace_recorder::{Allocator, Recording, RecordingOptions};

static COUNTING: Allocator<System> = Allocator::new(System);

/// Pairs of a round, and rounds.
const SHORT: (u32, u32) = (1_000, 20_000);
/// In each round are some 90 samples.
const LONG: (u32, u32) = (1_000_000, 50);

/// Allocates and frees so many times.
#[inline(never)]
fn pairs(allocator: &impl GlobalAlloc, pairs: u32) {
    let layout = Layout::new::<[u64; 6]>();
    for _ in 0..pairs {
        // SAFETY: the layout is not empty.
        let memory = unsafe { allocator.alloc(black_box(layout)) };
        // SAFETY: this allocator has just returned the memory, for this layout, or null, which is never freed.
        unsafe { allocator.dealloc(black_box(memory), black_box(layout)) };
    }
}

fn round_ns(allocator: &impl GlobalAlloc, count: u32) -> f64 {
    let begin = Instant::now();
    pairs(allocator, count);
    begin.elapsed().as_nanos() as f64 / f64::from(count)
}

fn record() -> Recording {
    let recording = RecordingOptions::new().start_writer(sink());
    recording.expect("a recording")
}

fn least(allocator: &impl GlobalAlloc, (pairs, rounds): (u32, u32)) -> f64 {
    (0..rounds)
        .map(|_| round_ns(allocator, pairs))
        .fold(f64::MAX, f64::min)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [kind, count] = &arguments[..]
        && let Ok(count) = count.parse()
    {
        let _recording = (kind == "on").then(record);
        match kind.as_str() {
            "plain" => pairs(&System, count),
            _ => pairs(&COUNTING, count),
        }
        return;
    }
    let (plain, off) = (least(&System, SHORT), least(&COUNTING, SHORT));
    let recording = record();
    let on = least(&COUNTING, SHORT);
    let on_with_samples = least(&COUNTING, LONG);
    drop(recording);
    println!("| an allocation of 48 bytes and its release | ns |\n|---|---:|");
    let rows = [
        ("plain", plain),
        ("off", off),
        ("on", on),
        ("on, with samples", on_with_samples),
    ];
    for (name, ns) in rows {
        println!("| {name} | {ns:.1} |");
    }
    println!(
        "more for each of the two, off: {:.1} ns, on: {:.1} ns, with samples: {:.1} ns",
        (off - plain) / 2.0,
        (on - plain) / 2.0,
        (on_with_samples - plain) / 2.0
    );
}
