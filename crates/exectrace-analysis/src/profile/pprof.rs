//! A profile in pprof's format: a gzipped message of `profile.proto`, of which we use the part
//! below. Sample types, units and period are those that `go tool trace -pprof` writes.
//!
//! The message is described at <https://github.com/google/pprof/blob/main/proto/profile.proto>.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use prost::Message;
use rustc_hash::FxHashMap;

use crate::names::Place;

use super::{HeapAmounts, Profile, ProfileKind, ProfileSample};

/// Frames beyond this depth are left out, as Go's tool does.
const MAX_FRAMES: usize = 128;
/// A profile that unpacks to more is refused.
const MAX_BYTES: u64 = 1 << 30;

/// Why bytes are no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PprofError {
    /// The bytes cannot be unpacked.
    #[error("not gzip: {0}")]
    Gzip(#[from] std::io::Error),
    /// What they unpack to is no profile.
    #[error("not a profile: {0}")]
    Message(#[from] prost::DecodeError),
    /// A sample, location or function refers to what is not there.
    #[error("the profile names {what} {id}, which it does not define")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Its number.
        id: u64,
    },
}

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Makes the message, each text, place and function once.
#[derive(Default)]
struct Builder<'a> {
    proto: Proto,
    texts: FxHashMap<&'a str, i64>,
    functions: FxHashMap<(&'a str, &'a str), u64>,
    /// By number, and by function where that is 0: labels, which are no places.
    locations: FxHashMap<(u64, &'a str), u64>,
}

impl<'a> Builder<'a> {
    fn text(&mut self, text: &'a str) -> i64 {
        let table = &mut self.proto.string_table;
        *self.texts.entry(text).or_insert_with(|| {
            table.push(text.to_owned());
            table.len() as i64 - 1
        })
    }

    fn value_type(&mut self, kind: &'static str, unit: &'static str) -> ValueType {
        ValueType {
            kind: self.text(kind),
            unit: self.text(unit),
        }
    }

    fn location(&mut self, place: &'a Place) -> u64 {
        let label = if place.pc == 0 { &*place.function } else { "" };
        let key = (place.pc, label);
        if let Some(&known) = self.locations.get(&key) {
            return known;
        }
        let function_id = self.function(place);
        let id = self.proto.location.len() as u64 + 1;
        self.proto.location.push(Location {
            id,
            address: place.pc,
            line: vec![Line {
                function_id,
                line: i64::try_from(place.line).unwrap_or(0),
            }],
        });
        self.locations.insert(key, id);
        id
    }

    fn function(&mut self, place: &'a Place) -> u64 {
        let key = (place.file.as_str(), place.function.as_str());
        if let Some(&known) = self.functions.get(&key) {
            return known;
        }
        let (name, filename) = (self.text(&place.function), self.text(&place.file));
        let id = self.proto.function.len() as u64 + 1;
        self.proto.function.push(Function {
            id,
            name,
            system_name: name,
            filename,
        });
        self.functions.insert(key, id);
        id
    }
}

impl Profile {
    /// The profile as a `.pb.gz` file, for `go tool pprof` and everything else that reads pprof.
    ///
    /// Stacks whose frames have the same numbers are one sample, and frames beyond 128 are left
    /// out, as in Go's tool.
    ///
    /// ```
    /// use exectrace_analysis::{Profile, ProfileKind};
    ///
    /// let profile = Profile { kind: ProfileKind::Sync, samples: Vec::new() };
    /// let bytes = profile.to_pprof();
    /// assert_eq!(Profile::from_pprof(ProfileKind::Sync, &bytes)?.samples, []);
    /// # Ok::<(), exectrace_analysis::PprofError>(())
    /// ```
    pub fn to_pprof(&self) -> Vec<u8> {
        let mut builder = Builder::default();
        builder.text("");
        builder.proto.sample_type = sample_types(self.kind)
            .iter()
            .map(|(kind, unit)| builder.value_type(kind, unit))
            .collect();
        builder.proto.default_sample_type = match self.kind {
            ProfileKind::Heap => builder.text("inuse_space"),
            ProfileKind::Allocated => builder.text("alloc_space"),
            _ => 0,
        };
        builder.proto.period_type = Some(builder.value_type("trace", "count"));
        builder.proto.period = 1;
        let mut by_stack: FxHashMap<Vec<u64>, usize> = FxHashMap::default();
        for sample in &self.samples {
            let places = sample.stack.iter().take(MAX_FRAMES);
            let location_id: Vec<u64> = places.map(|place| builder.location(place)).collect();
            let value = values(self.kind, sample);
            let samples = &mut builder.proto.sample;
            match by_stack
                .get(&location_id)
                .and_then(|&known| samples.get_mut(known))
            {
                Some(known) => {
                    for (sum, value) in known.value.iter_mut().zip(value) {
                        *sum = sum.saturating_add(value);
                    }
                }
                None => {
                    by_stack.insert(location_id.clone(), samples.len());
                    samples.push(Sample { location_id, value });
                }
            }
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        // Writing to memory does not fail.
        let written = packed.write_all(&builder.proto.encode_to_vec());
        written.and_then(|()| packed.finish()).unwrap_or_default()
    }

    /// Reads a profile of the kind that [`to_pprof`](Self::to_pprof) and Go's tool write. How many samples there were is
    /// not in a profile of the heap.
    ///
    /// # Errors
    ///
    /// The bytes are not gzip, hold no profile, or one that refers to what is not in it.
    pub fn from_pprof(kind: ProfileKind, bytes: &[u8]) -> Result<Self, PprofError> {
        let mut message = Vec::new();
        GzDecoder::new(bytes)
            .take(MAX_BYTES)
            .read_to_end(&mut message)?;
        let proto = Proto::decode(message.as_slice())?;
        let functions: FxHashMap<u64, &Function> = proto
            .function
            .iter()
            .map(|function| (function.id, function))
            .collect();
        let mut places: FxHashMap<u64, Place> = FxHashMap::default();
        for location in &proto.location {
            let line = location.line.first().copied().unwrap_or_default();
            let missing = PprofError::Missing {
                what: "function",
                id: line.function_id,
            };
            let function = functions.get(&line.function_id).ok_or(missing)?;
            let place = Place {
                function: proto.text(function.name)?.to_owned(),
                file: proto.text(function.filename)?.to_owned(),
                line: u64::try_from(line.line).unwrap_or(0),
                pc: location.address,
            };
            places.insert(location.id, place);
        }
        let place = |&id: &u64| {
            let missing = PprofError::Missing {
                what: "location",
                id,
            };
            places.get(&id).cloned().ok_or(missing)
        };
        let sample = |sample: &Sample| {
            let stack: Result<Vec<Place>, PprofError> =
                sample.location_id.iter().map(place).collect();
            let value = |place: usize| {
                let value = sample.value.get(place).copied().unwrap_or(0);
                u64::try_from(value).unwrap_or(0)
            };
            let heap = HeapAmounts {
                alloc_objects: value(0),
                alloc_bytes: value(1),
                inuse_objects: value(2),
                inuse_bytes: value(3),
                ..HeapAmounts::default()
            };
            let is_of_heap = kind.is_of_heap();
            Ok::<_, PprofError>(ProfileSample {
                stack: stack?,
                count: if is_of_heap { 0 } else { value(0) },
                duration_ns: if is_of_heap { 0 } else { value(1) },
                heap: is_of_heap.then_some(heap),
            })
        };
        let samples: Result<Vec<_>, _> = proto.sample.iter().map(sample).collect();
        Ok(Self {
            kind,
            samples: samples?,
        })
    }
}

/// The values of a sample, and their units. Those of the heap are Go's (`runtime/pprof/protomem.go`).
fn sample_types(kind: ProfileKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        ProfileKind::Cpu => &[("samples", "count")],
        ProfileKind::Heap | ProfileKind::Allocated => &[
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ],
        _ => &[("contentions", "count"), ("delay", "nanoseconds")],
    }
}

/// What a sample has of each.
fn values(kind: ProfileKind, sample: &ProfileSample) -> Vec<i64> {
    let heap = sample.heap.unwrap_or_default();
    let values: &[u64] = match kind {
        ProfileKind::Cpu => &[sample.count],
        ProfileKind::Heap | ProfileKind::Allocated => &[
            heap.alloc_objects,
            heap.alloc_bytes,
            heap.inuse_objects,
            heap.inuse_bytes,
        ],
        _ => &[sample.count, sample.duration_ns],
    };
    values.iter().copied().map(to_i64).collect()
}

impl Proto {
    fn text(&self, id: i64) -> Result<&str, PprofError> {
        let missing = PprofError::Missing {
            what: "text",
            id: id.unsigned_abs(),
        };
        let place = usize::try_from(id).ok();
        place
            .and_then(|place| self.string_table.get(place))
            .map(String::as_str)
            .ok_or(missing)
    }
}

fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
