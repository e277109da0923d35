//! Whatever a trace says, a part of it can be made, and the reader takes it.
#![no_main]

use exectrace_export::{KeepFrames, Window, go_trace};
use exectrace_format::{CompactEvent, Reader};

libfuzzer_sys::fuzz_target!(|input: (u16, u16, &[u8])| {
    let (begin_ns, length_ns, bytes) = input;
    let Ok(reader) = Reader::new(bytes) else {
        return;
    };
    let window = Window {
        begin_ns: begin_ns.into(),
        end_ns: u64::from(begin_ns) + u64::from(length_ns) + 1,
    };
    let mut part = Vec::new();
    go_trace(reader, &mut part, Some(window), &mut KeepFrames).expect("memory can be written");
    if part.is_empty() {
        return;
    }
    let mut reader = Reader::new(part.as_slice()).expect("a trace");
    let mut event = CompactEvent::default();
    while reader.next_into(&mut event).expect("a part that can be read") {}
});
