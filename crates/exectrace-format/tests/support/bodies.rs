//! What must hold for any input. The fuzz targets and the seeded tests share these bodies.
#![allow(dead_code, reason = "each user takes a part of it")]

use std::collections::BTreeMap;

use exectrace_format::{
    ClockSnapshot, Event, EventKind, GoId, ProcId, Reader, SideRecord, SideRecords, StreamId,
    StringId, ThreadId, TraceEventKind, Version, WireFrame, Writer, text,
};

/// Any bytes can be read: without a panic, in bounds, to one end.
pub(crate) fn decode(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let mut last = None;
    let mut events = 0;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if matches!(event.kind, TraceEventKind::SideData(_)) => {}
            Ok(event) => {
                assert!(last.is_none_or(|last| last <= event.time), "times go back");
                last = Some(event.time);
            }
            Err(error) => {
                assert!(error.offset <= bytes.len() as u64);
                assert!(!error.to_string().is_empty());
                assert!(reader.next().is_none(), "one error ends a trace");
            }
        }
        events += 1;
        // An event takes two bytes at least, and surfaces as three at most.
        assert!(
            events <= bytes.len() * 2 + 2,
            "more events than bytes can hold"
        );
    }
}

/// Any bytes have a text that stands for exactly them; any text that is one, too.
pub(crate) fn text_round_trip(bytes: &[u8]) {
    let printed = text::print(bytes);
    match text::parse(&printed) {
        Ok(parsed) => assert_eq!(parsed, bytes, "\n{printed}"),
        Err(error) => panic!("{error}\n{printed}"),
    }
    if let Some(parsed) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text::parse(text).ok())
    {
        assert_eq!(
            text::parse(&text::print(&parsed)).as_deref(),
            Ok(parsed.as_slice())
        );
    }
}

/// Any bytes can be taken for side data; what was made of them survives being written.
pub(crate) fn side_data(bytes: &[u8]) {
    let Ok(records) = SideRecords::new(bytes) else {
        return;
    };
    let first: Vec<SideRecord> = records.map_while(Result::ok).collect();
    // Writing cuts what is too long; then nothing changes any more.
    let second = written(&first);
    assert_eq!(second.len(), first.len());
    assert_eq!(written(&second), second);
}

fn written(records: &[SideRecord]) -> Vec<SideRecord> {
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = begin(&mut file, 1);
    for record in records {
        writer.side_record(record);
    }
    writer.finish_group(&mut file);
    let events = Reader::new(file.as_slice()).expect("our own header");
    let kinds = events.map(|event| event.expect("our own trace").kind);
    kinds
        .filter_map(|kind| match kind {
            TraceEventKind::SideData(record) => Some(record),
            _ => None,
        })
        .collect()
}

fn begin(file: &mut Vec<u8>, generation: u64) -> Writer {
    let mut writer = Writer::new();
    writer.begin_generation(generation, 1);
    Writer::sync_batch(
        Version::Go125,
        generation,
        1,
        ClockSnapshot::default(),
        file,
    );
    writer
}

/// What is written stands in the file: every event, in its stream, with its arguments.
///
/// The bytes are taken for a list of what to write; whether the events make sense does not matter.
pub(crate) fn round_trip(bytes: &[u8]) {
    let mut input = Input {
        rest: bytes,
        repeats: 8_000,
    };
    let mut file = Writer::header(Version::Go125).to_vec();
    let mut writer = begin(&mut file, 1);
    let mut expected: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
    let mut generation = 1;
    let mut strings = vec![StringId::EMPTY];
    while let Some(what) = input.byte() {
        match what {
            0..=3 => {
                writer.finish_group(&mut file);
            }
            4 => {
                writer.finish_group(&mut file);
                generation += 1;
                strings.truncate(1);
                writer.begin_generation(generation, input.number());
                let clock = ClockSnapshot::default();
                Writer::sync_batch(Version::Go125, generation, 1, clock, &mut file);
            }
            5..=15 => {
                let text = "é".repeat(input.number() as usize % 700) + &what.to_string();
                strings.push(if what < 10 {
                    writer.string(&text)
                } else {
                    writer.message(&text)
                });
            }
            16..=25 => {
                let function = strings[input.number() as usize % strings.len()];
                let frame = WireFrame {
                    pc: input.number(),
                    function,
                    file: function,
                    line: 1,
                };
                let frames = vec![frame; input.number() as usize % 200];
                let stack = writer.stack(&frames);
                writer.cpu_sample(input.number(), ThreadId(1), ProcId(1), GoId(1), stack);
            }
            26..=29 => {
                let stream = writer.stream(ThreadId(input.number() % 8));
                writer.release(stream);
            }
            _ => {
                let thread = input.number() % 8;
                let stream = writer.stream(ThreadId(thread));
                let lines = expected.entry((generation, thread)).or_default();
                write_event(&mut writer, stream, what, &mut input, lines);
            }
        }
    }
    writer.finish_group(&mut file);
    check(&file, &expected);
}

fn write_event(
    writer: &mut Writer,
    stream: StreamId,
    what: u8,
    input: &mut Input<'_>,
    lines: &mut Vec<String>,
) {
    let kind = EventKind::ALL[usize::from(what) % EventKind::ALL.len()];
    let arguments: Vec<u64> = kind.arguments().iter().map(|_| input.number()).collect();
    let time_ns = input.number();
    let Some(event) = Event::from_arguments(kind, &arguments) else {
        return;
    };
    // Once in a while enough of them to fill more than a batch.
    let repeats = if what == 255 {
        std::mem::take(&mut input.repeats)
    } else {
        0
    };
    for _ in 0..=repeats {
        writer.event(stream, time_ns, event);
        lines.push(format!("{} {arguments:?}", kind.name()));
    }
}

fn check(file: &[u8], expected: &BTreeMap<(u64, u64), Vec<String>>) {
    // Only the order of the events may be wrong: that was chance.
    for event in Reader::new(file).expect("our own header") {
        match event {
            Ok(_) => {}
            Err(error) => match error.cause {
                exectrace_format::ReadCause::Framing(_) => panic!("{error}"),
                exectrace_format::ReadCause::Table(_) => panic!("{error}"),
                _ => break,
            },
        }
    }
    let mut found: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
    let mut stream = (0, 0);
    for line in text::print(file).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "generation" => stream.0 = words[1].parse().expect("a number"),
            "batch" => {
                let thread = words[1].strip_prefix("m=").map(str::parse);
                stream.1 = thread.expect("m=").expect("a number");
            }
            "bytes" | "raw" => panic!("unreadable: {line}"),
            word if word.starts_with('+') => {
                let kind = EventKind::from_name(words[1]).expect("a name");
                let values = words[2..]
                    .iter()
                    .map(|word| value(kind, word))
                    .collect::<Vec<u64>>();
                let line = format!("{} {values:?}", kind.name());
                found.entry(stream).or_default().push(line);
            }
            _ => {}
        }
    }
    let expected: BTreeMap<_, _> = expected
        .iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(k, v)| (*k, v))
        .collect();
    let found: BTreeMap<_, _> = found.iter().map(|(k, v)| (*k, v)).collect();
    assert_eq!(found, expected);
}

fn value(kind: EventKind, word: &str) -> u64 {
    let (_, value) = word.split_once('=').expect("name=value");
    match (value, kind) {
        ("none", _) => u64::MAX,
        ("Running", EventKind::ProcStatus) | ("Runnable", _) => 1,
        ("Running" | "Idle", _) => 2,
        ("Syscall", _) => 3,
        ("Waiting" | "SyscallAbandoned", _) => 4,
        _ => value.parse().expect("a number"),
    }
}

/// The bytes that are still to be used.
struct Input<'a> {
    rest: &'a [u8],
    /// How often the next event that is to be repeated is.
    repeats: usize,
}

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// A number, mostly small; its lowest bits say how long it is.
    fn number(&mut self) -> u64 {
        let first = self.byte().unwrap_or(0);
        let length = match first & 7 {
            0..=5 => return u64::from(first >> 3),
            6 => 3,
            _ => 8,
        };
        (0..length).fold(0, |value, _| {
            value << 8 | u64::from(self.byte().unwrap_or(0xff))
        })
    }
}
