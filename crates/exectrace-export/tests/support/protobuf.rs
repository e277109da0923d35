//! Reads Perfetto's protobuf without the exporter's own messages, and checks what refers to what.

use std::collections::{HashMap, HashSet};

/// A field of a message: what has a length, or a number.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

/// The fields of a message, by number, in order.
pub fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => {
                let (bytes, rest) = message.split_at(8);
                message = rest;
                Field::Number(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
            }
            2 => {
                let length = varint(&mut message) as usize;
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(input: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = input.split_first().expect("the rest of a number");
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    unreachable!("a number ends")
}

/// A message's fields, to be asked by number.
#[derive(Clone, Debug)]
pub struct Message<'a>(Vec<(u64, Field<'a>)>);

impl<'a> Message<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(fields(bytes))
    }

    pub fn all(&self, number: u64) -> impl Iterator<Item = Field<'a>> + '_ {
        self.0
            .iter()
            .filter(move |(at, _)| *at == number)
            .map(|(_, field)| *field)
    }

    pub fn messages(&self, number: u64) -> impl Iterator<Item = Message<'a>> + '_ {
        self.all(number).map(move |field| match field {
            Field::Bytes(bytes) => Message::new(bytes),
            Field::Number(_) => panic!("field {number} is a number"),
        })
    }

    pub fn numbers(&self, number: u64) -> impl Iterator<Item = u64> + '_ {
        self.all(number).map(move |field| match field {
            Field::Number(value) => value,
            Field::Bytes(_) => panic!("field {number} has a length"),
        })
    }

    pub fn number(&self, number: u64) -> Option<u64> {
        self.numbers(number).next()
    }

    pub fn text(&self, number: u64) -> Option<String> {
        self.all(number).next().map(|field| match field {
            Field::Bytes(bytes) => String::from_utf8(bytes.to_vec()).expect("text is UTF-8"),
            Field::Number(_) => panic!("field {number} is a number"),
        })
    }
}

/// A track event, with its names looked up.
#[derive(Clone, Debug)]
pub struct TrackEvent {
    pub time: i64,
    /// 1 begin, 2 end, 3 instant, 4 counter.
    pub kind: u64,
    pub track: u64,
    pub name: String,
    pub category: String,
    pub flows: Vec<u64>,
    pub counter: Option<u64>,
    pub arguments: HashMap<String, String>,
}

/// What a Perfetto trace holds.
#[derive(Debug, Default)]
pub struct Perfetto {
    pub events: Vec<TrackEvent>,
    /// Name and parent of each track.
    pub tracks: HashMap<u64, (String, Option<u64>)>,
    /// The stacks of the CPU samples, outermost frame first.
    pub samples: Vec<(i64, Vec<String>)>,
}

// TracePacket, TrackEvent and InternedData.
const TIMESTAMP: u64 = 8;
const TRACK_EVENT: u64 = 11;
const INTERNED_DATA: u64 = 12;
const SEQUENCE_FLAGS: u64 = 13;
const TRACK_DESCRIPTOR: u64 = 60;
const PERF_SAMPLE: u64 = 66;
const CATEGORIES: u64 = 1;
const NAMES: u64 = 2;
const KEYS: u64 = 3;
const FUNCTIONS: u64 = 5;
const VALUES: u64 = 29;

/// Reads a trace. Panics at a name, frame or stack that no packet has defined.
pub fn read(bytes: &[u8]) -> Perfetto {
    let mut perfetto = Perfetto::default();
    let mut known: HashMap<(u64, u64), String> = HashMap::new();
    let mut frames: HashMap<u64, String> = HashMap::new();
    let mut callstacks: HashMap<u64, Vec<String>> = HashMap::new();
    let mut is_first = true;
    for packet in Message::new(bytes).messages(1) {
        let flags = packet.number(SEQUENCE_FLAGS).unwrap_or(0);
        assert_eq!(
            flags & 1 == 1,
            is_first || flags & 1 == 1,
            "the state begins cleared"
        );
        if flags & 1 == 1 {
            known.clear();
            frames.clear();
            callstacks.clear();
        }
        is_first = false;
        for interned in packet.messages(INTERNED_DATA) {
            for kind in [CATEGORIES, NAMES, KEYS, FUNCTIONS, VALUES] {
                for name in interned.messages(kind) {
                    let text = name.text(2).unwrap_or_default();
                    let iid = name.number(1).expect("a number");
                    assert!(
                        known.insert((kind, iid), text).is_none(),
                        "{kind} {iid} defined twice"
                    );
                }
            }
            for frame in interned.messages(6) {
                let function = known[&(FUNCTIONS, frame.number(2).expect("a function"))].clone();
                frames.insert(frame.number(1).expect("a number"), function);
            }
            for stack in interned.messages(7) {
                let names = stack
                    .numbers(2)
                    .map(|frame| frames[&frame].clone())
                    .collect();
                callstacks.insert(stack.number(1).expect("a number"), names);
            }
        }
        let time = packet.number(TIMESTAMP).unwrap_or(0) as i64;
        for event in packet.messages(TRACK_EVENT) {
            perfetto.events.push(track_event(time, &event, &known));
        }
        for sample in packet.messages(PERF_SAMPLE) {
            let stack = callstacks[&sample.number(4).expect("a stack")].clone();
            perfetto.samples.push((time, stack));
        }
        for track in packet.messages(TRACK_DESCRIPTOR) {
            let name = track.text(2).or_else(|| track.messages(4).next()?.text(5));
            let uuid = track.number(1).expect("a number");
            let described = (name.unwrap_or_default(), track.number(5));
            assert!(
                perfetto.tracks.insert(uuid, described).is_none(),
                "track {uuid} twice"
            );
        }
    }
    perfetto
}

fn track_event(time: i64, event: &Message<'_>, known: &HashMap<(u64, u64), String>) -> TrackEvent {
    let name_of = |kind, iid| known[&(kind, iid)].clone();
    let name = event
        .number(10)
        .map(|iid| name_of(NAMES, iid))
        .or_else(|| event.text(23));
    let arguments = event.messages(4).map(|argument| {
        let key = name_of(KEYS, argument.number(1).expect("a key"));
        let value = argument
            .number(3)
            .map(|number| number.to_string())
            .or_else(|| argument.text(6))
            .or_else(|| argument.number(17).map(|iid| name_of(VALUES, iid)));
        (key, value.expect("a value"))
    });
    TrackEvent {
        time,
        kind: event.number(9).expect("a type"),
        track: event.number(11).expect("a track"),
        name: name.unwrap_or_default(),
        category: event
            .numbers(3)
            .map(|iid| name_of(CATEGORIES, iid))
            .collect(),
        flows: event.numbers(47).collect(),
        counter: event.number(30),
        arguments: arguments.collect(),
    }
}

impl Perfetto {
    /// Panics if an event lies on a track that is not described, or one hangs under none such.
    pub fn check_tracks(&self) {
        for event in &self.events {
            assert!(
                self.tracks.contains_key(&event.track),
                "{event:?} lies nowhere"
            );
        }
        let parents: HashSet<u64> = self
            .tracks
            .values()
            .filter_map(|(_, parent)| *parent)
            .collect();
        for parent in parents {
            assert!(
                self.tracks.contains_key(&parent),
                "track {parent} is a parent, but no track"
            );
        }
    }

    /// Begins and ends, for [`nest`](super::nest).
    pub fn edges(&self) -> Vec<(i64, u64, Option<&TrackEvent>)> {
        let edges = self.events.iter().filter(|event| event.kind <= 2);
        edges
            .map(|event| (event.time, event.track, (event.kind == 1).then_some(event)))
            .collect()
    }
}
