//! What the allocator that counts costs more than the one inside it, for an allocation and its release.
//!
//! `cargo bench -p exectrace-recorder --features alloc --bench allocator`
//!
//! The shortest of many short rounds is shown, the three kinds in turn, so that other work on the machine matters
//! little. With a number of rounds as its argument, and `plain`, `off` or `on`, it does only that, for callgrind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::sink;
use std::time::Instant;

use exectrace_recorder::{Allocator, Recording, RecordingOptions};

static COUNTING: Allocator<System> = Allocator::new(System);

/// Pairs of a round.
const PAIRS: u32 = 1_000;
const ROUNDS: u32 = 20_000;

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

fn round_ns(allocator: &impl GlobalAlloc) -> f64 {
    let begin = Instant::now();
    pairs(allocator, PAIRS);
    begin.elapsed().as_nanos() as f64 / f64::from(PAIRS)
}

fn record() -> Recording {
    let recording = RecordingOptions::new().start_writer(sink());
    recording.expect("a recording")
}

fn least(allocator: &impl GlobalAlloc) -> f64 {
    (0..ROUNDS)
        .map(|_| round_ns(allocator))
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
    let (plain, off) = (least(&System), least(&COUNTING));
    let recording = record();
    let on = least(&COUNTING);
    drop(recording);
    println!("| an allocation of 48 bytes and its release | ns |\n|---|---:|");
    for (name, ns) in [("plain", plain), ("off", off), ("on", on)] {
        println!("| {name} | {ns:.1} |");
    }
    println!(
        "more for each of the two, off: {:.1} ns, on: {:.1} ns",
        (off - plain) / 2.0,
        (on - plain) / 2.0
    );
}
