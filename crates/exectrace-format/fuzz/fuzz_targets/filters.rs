//! Any text is a filter or an error, and a filter can be asked about any trace. The first byte says how long
//! the text is.
#![no_main]

use exectrace_analysis::{Analysis, Options};
use exectrace_format::{CompactEvent, Reader};
use exectrace_replay::{EventFilter, Filter, Input};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&length, rest)) = bytes.split_first() else {
        return;
    };
    let (filter, trace) = rest.split_at(usize::from(length).min(rest.len()));
    let Ok(Ok(filter)) = std::str::from_utf8(filter).map(str::parse::<Filter>) else {
        return;
    };
    let (Ok(mut reader), Ok(mut again)) = (Reader::new(trace), Reader::new(trace)) else {
        return;
    };
    let mut events = EventFilter::new(&filter);
    let mut event = CompactEvent::default();
    while let Ok(true) = reader.next_into(&mut event) {
        events.lets_through(&Input {
            event: &event,
            tables: reader.tables(),
            side: reader.side_record(),
        });
    }
    let options = Options {
        filter,
        ..Options::all()
    };
    Analysis::read(&mut again, &options);
});
