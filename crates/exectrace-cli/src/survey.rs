//! What `check` reads of a trace: version, size, counts, and where it is damaged or breaks a rule.

use std::path::Path;

use exectrace_analysis::{Source, Sources};
use exectrace_format::{
    CompactEvent, CompactKind, LeftOut, ReadCause, ReadError, SideRecord, ThreadId, Validator,
    Violation,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::input;
use crate::origin::Origin;
use crate::output::units;
use crate::reading;

/// What could be read of a trace.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Survey {
    #[serde(skip)]
    origin: Option<Origin>,
    /// The version in the header, as `go 1.25`; null without a header.
    version: Option<String>,
    /// The program that wrote the trace, where the trace names it.
    writer: Option<Writer>,
    /// The size of the file, where that is known.
    bytes: Option<u64>,
    /// Generations that were read.
    generations: u64,
    /// Events of the program that were read: all but syncs and side data.
    events: u64,
    /// From the first event to the last.
    duration_ns: u64,
    /// Records that the tracer had to drop, as far as the trace says.
    pub(crate) lost_records: u64,
    /// What was recorded beside the program's own code, and why not the rest.
    pub(crate) sources: Vec<Source>,
    /// With `--strict`: the rules of Go's validator that are broken.
    pub(crate) violations: Option<Violations>,
}

/// The rules that a trace breaks.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Violations {
    /// How often a rule is broken.
    pub(crate) count: u64,
    /// The first 20 times.
    pub(crate) first: Vec<Broken>,
}

/// A rule that is broken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Broken {
    /// The time of the event that breaks it, on the clock of the trace.
    time_ns: i64,
    /// The generation it belongs to; 0 at the end of the trace.
    generation: u64,
    /// The thread it happened on; null where there is none.
    thread: Option<u64>,
    /// Which rule, and how it is broken.
    rule: String,
    /// All of that in a sentence.
    #[serde(skip)]
    pub(crate) sentence: String,
}

/// An early fault is often followed by one for each event.
const MAX_VIOLATIONS: usize = 20;

impl Violations {
    fn add(&mut self, violation: &Violation) {
        self.count += 1;
        if self.first.len() < MAX_VIOLATIONS {
            let thread = violation.thread;
            self.first.push(Broken {
                time_ns: violation.time.0,
                generation: violation.generation,
                thread: (thread != ThreadId::NONE).then_some(thread.0),
                rule: violation.rule.to_string(),
                sentence: violation.to_string(),
            });
        }
    }
}

/// A program that writes traces.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Writer {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
}

/// Where a trace is broken and why.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckDamage {
    /// The byte of the file at which the damaged batch or event begins.
    offset: u64,
    /// The generation concerned; null where none had begun.
    generation: Option<u64>,
    /// What is wrong.
    pub(crate) cause: String,
    #[serde(skip)]
    error: Option<ReadError>,
}

impl From<ReadError> for CheckDamage {
    fn from(error: ReadError) -> Self {
        Self {
            offset: error.offset,
            generation: (error.generation != 0).then_some(error.generation),
            cause: error.cause.to_string(),
            error: Some(error),
        }
    }
}

impl CheckDamage {
    /// The error of the reader.
    pub(crate) fn error(&self) -> Option<&ReadError> {
        self.error.as_ref()
    }

    /// Where it is, in a sentence; `bytes` is the size of the file.
    pub(crate) fn place(&self, bytes: Option<u64>) -> String {
        let mut place = format!("at byte {}", units::count(self.offset));
        if let Some(bytes) = bytes.filter(|&bytes| bytes > 0) {
            let share = units::percent(self.offset.min(bytes), bytes);
            place.push_str(&format!(" of {} ({share})", units::count(bytes)));
        }
        if let Some(generation) = self.generation {
            place.push_str(&format!(", in generation {generation}"));
        }
        place
    }
}

impl Survey {
    /// Reads a trace to its end, or to where it is damaged; if `strict`, checks the rules of valid
    /// traces too.
    ///
    /// # Errors
    ///
    /// The file cannot be read: that says nothing of the trace.
    pub(crate) fn of(path: &Path, strict: bool) -> anyhow::Result<(Self, Option<CheckDamage>)> {
        let (input, origin) = input::open(path)?;
        let mut survey = Self {
            bytes: origin.bytes,
            origin: Some(origin),
            violations: strict.then(Violations::default),
            ..Self::default()
        };
        let mut sources = Sources::default();
        let outcome = survey.read(input, &mut sources);
        survey.sources = sources.all();
        match outcome {
            Ok(()) => Ok((survey, None)),
            Err(error) => match error.cause {
                ReadCause::Io(error) => Err(input::unreadable(error, survey.label())),
                _ => Ok((survey, Some(error.into()))),
            },
        }
    }

    fn read(&mut self, input: input::Input, sources: &mut Sources) -> Result<(), ReadError> {
        let mut reader = reading::reader(input)?;
        self.version = Some(format!("go {}", reader.version()));
        let mut first_ns = None;
        let mut last_generation = 0;
        let mut validator = Validator::default();
        let mut event = CompactEvent::default();
        while reader.next_into(&mut event)? {
            if let Some(violations) = &mut self.violations {
                validator.check(&event, &reader, |violation| violations.add(&violation));
            }
            let begin_ns = *first_ns.get_or_insert(event.time.0);
            self.duration_ns = event.time.0.abs_diff(begin_ns);
            self.events += u64::from(event.kind.is_of_program());
            sources.event(&event);
            match event.kind {
                CompactKind::Sync { .. } if reader.generation() != last_generation => {
                    last_generation = reader.generation();
                    self.generations += u64::from(last_generation != 0);
                }
                CompactKind::SideData(()) => {
                    let record = reader.side_record();
                    record
                        .into_iter()
                        .for_each(|record| sources.side_record(record));
                    self.note(record);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, record: Option<&SideRecord>) {
        match record {
            Some(SideRecord::GeneratedBy { name, version }) => {
                self.writer = Some(Writer {
                    name: name.to_string(),
                    version: version.to_string(),
                });
            }
            Some(SideRecord::Lost { records, .. }) => {
                self.lost_records = self.lost_records.saturating_add(*records);
            }
            Some(SideRecord::LeftOut { cause, count, .. }) if *cause != LeftOut::TableFull => {
                self.lost_records = self.lost_records.saturating_add(*count);
            }
            _ => {}
        }
    }

    /// How the trace is called in messages.
    pub(crate) fn label(&self) -> &str {
        self.origin.as_ref().map_or("", |origin| &origin.label)
    }

    /// The size of the file, where that is known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The program that wrote the trace and its version, where they are known.
    pub(crate) fn writer(&self) -> Option<String> {
        let writer = self.writer.as_ref()?;
        Some(format!("{} {}", writer.name, writer.version))
    }

    /// What was read, in a sentence; nothing if there was not even a header.
    pub(crate) fn contents(&self) -> Option<String> {
        let version = self.version.as_ref()?;
        let mut sentence = format!(
            "{version} trace, {} over {} in {}",
            units::plural(self.events, "event"),
            units::duration(self.duration_ns),
            units::plural(self.generations, "generation"),
        );
        if let Some(bytes) = self.bytes {
            sentence.push_str(&format!(", {}", units::bytes(bytes)));
        }
        Some(sentence)
    }
}
