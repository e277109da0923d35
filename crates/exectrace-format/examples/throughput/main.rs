//! Measures the writer and the reader on a made-up program of eight threads: `throughput [EVENTS]`.

mod program;

use std::time::Instant;

use exectrace_format::{CompactEvent, Reader};

use program::Program;

fn main() {
    let wanted: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(5_000_000);
    let mut file = Vec::new();
    let began = Instant::now();
    let events = Program::new()
        .run(wanted, &mut file)
        .expect("memory takes all");
    let took = began.elapsed().as_nanos() as f64;
    let bytes = file.len();
    println!(
        "written: {events} events, {bytes} bytes, {:.1} ns each",
        took / events as f64
    );

    let began = Instant::now();
    let mut read = 0u64;
    let mut reader = Reader::new(file.as_slice()).expect("our own header");
    let mut event = CompactEvent::default();
    while reader.next_into(&mut event).expect("a good trace") {
        std::hint::black_box(&event);
        read += 1;
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "read: {read} events, {:.1} million each second",
        read as f64 / took / 1e6
    );
}
