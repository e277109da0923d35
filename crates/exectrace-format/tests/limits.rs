//! What reading takes, and where it ends: the state of what lives, files that are no traces.

mod support;

use std::io::{self, Read};

use allocation_counter::measure;
use exectrace_format::{
    ClockSnapshot, CompactEvent, Event, GoId, GoStatus, OrderError, ProcId, ProcStatus, ReadCause,
    Reader, ThreadId, Version, Writer,
};

const FLOWS: u64 = 100_000;

/// A trace in which so many goroutines wait.
fn many_flows() -> Vec<u8> {
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = Writer::new();
    writer.begin_generation(1, 0);
    let clock = ClockSnapshot {
        monotonic_ns: 0,
        unix_seconds: 1_700_000_000,
        unix_nanoseconds: 0,
    };
    Writer::sync_batch(Version::Go125, 1, 0, clock, &mut file);
    let thread = ThreadId(7);
    let stream = writer.stream(thread);
    let (proc, status) = (ProcId(1), ProcStatus::Running);
    writer.event(stream, 1, Event::ProcStatus { proc, status });
    for go in 1..=FLOWS {
        let (go, thread, status) = (GoId(go), ThreadId(0), GoStatus::Waiting);
        writer.event(stream, 1 + go.0, Event::GoStatus { go, thread, status });
    }
    writer.finish_group(&mut file);
    file
}

/// Reads a trace with this limit.
fn read(file: &[u8], limit: u64) -> Result<u64, ReadCause> {
    let mut reader = Reader::new(file).unwrap().with_max_state_bytes(limit);
    let (mut event, mut events) = (CompactEvent::default(), 0);
    while reader.next_into(&mut event).map_err(|error| error.cause)? {
        events += 1;
    }
    Ok(events)
}

/// The smallest limit under which the trace is read.
fn smallest_limit(file: &[u8]) -> u64 {
    let (mut refused, mut read_by) = (0, 1_000 * FLOWS);
    while read_by - refused > 1 {
        let middle = refused.midpoint(read_by);
        match read(file, middle) {
            Ok(_) => read_by = middle,
            Err(_) => refused = middle,
        }
    }
    read_by
}

#[test]
fn the_limit_of_what_lives_is_a_setting_and_counts_what_it_takes() {
    let file = many_flows();
    let counted = smallest_limit(&file);
    let refusal = read(&file, counted - 1).unwrap_err();
    assert!(
        matches!(refusal, ReadCause::Order(OrderError::StateTooLarge(limit)) if limit == counted - 1),
        "{refusal:?}"
    );
    assert!(refusal.to_string().contains("at once"), "{refusal}");
    // What the same trace takes without the goroutines is not state: tables and buffers.
    let taken = measure(|| _ = read(&file, counted)).bytes_max;
    let besides = measure(|| _ = read(&file[..], 1_000)).bytes_max;
    let state = taken - besides;
    // Tables grow by doubling, and stand beside what they grow from for a moment.
    assert!(
        (counted / 2..=2 * counted).contains(&state),
        "{state} bytes taken, {counted} counted"
    );
}

/// A header, and then zeros, of which it counts how many are read.
struct Hole<'a> {
    header: &'a [u8],
    read: u64,
}

impl Read for Hole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.header.is_empty() {
            return self.header.read(buffer);
        }
        buffer.fill(0);
        self.read += buffer.len() as u64;
        Ok(buffer.len())
    }
}

#[test]
fn a_hole_behind_the_header_of_an_old_trace_is_not_read_whole() {
    let mut hole = Hole {
        header: b"go 1.21 trace\0\0\0",
        read: 0,
    };
    let mut reader = Reader::new(&mut hole).unwrap();
    let error = reader.next_into(&mut CompactEvent::default()).unwrap_err();
    assert_eq!(error.offset, 16);
    drop(reader);
    assert!(hole.read < 4 << 20, "{} bytes were read", hole.read);
}
