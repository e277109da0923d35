//! A recording, as the flush thread keeps it: where it goes, and what of it was written.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use exectrace_format::conventions::RECORDED;
use exectrace_format::{SideRecord, Version, Writer};

use super::generation::Generation;
use super::losses::Losses;
use super::rotate::Preamble;
use super::silence::{self, Silence};
use crate::control::{Closing, RecordingId};
use crate::model::Missing;
use crate::recording::{Contents, Seals};
use crate::report::{Report, SinkError, StopError};
use crate::sink::RecordingSink;
use crate::status::{NothingCause, NothingRecorded, RecordingStatus};

/// What the tracer has counted since some recording started, whichever is the first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) records: u64,
    pub(super) lost: u64,
    pub(super) inferred: u64,
    pub(super) losses: Losses,
    pub(super) stacks_missed: u64,
    pub(super) samples: u64,
    pub(super) samples_cut: u64,
    pub(super) samples_lost: u64,
    pub(super) now_ns: u64,
    /// When the last event was, since 1970.
    pub(super) wall: Duration,
}

impl Totals {
    /// Records that are not in the trace.
    fn dropped(&self) -> u64 {
        self.lost + self.losses.unformatted + self.losses.nested
    }
}

/// How a recording stood when a file of it began.
#[derive(Clone, Copy, Debug, Default)]
struct FileStart {
    totals: Totals,
    events: u64,
    /// The totals when that began which is in no file before it, as its begin says, if anything is; and how many records
    /// and losses that are.
    gap: Option<Totals>,
    missing: u64,
    /// Records of these.
    missed: u64,
}

#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: RecordingId,
    output: RecordingSink,
    /// When it started, by the wall clock, and when it stops by itself, in trace time.
    started: SystemTime,
    stops_ns: Option<u64>,
    /// What is in the file. After the sink has failed it does not change.
    written: Report,
    /// The totals when it started, and those of what was written last.
    before: Totals,
    reached: Totals,
    /// How it stood when the present file began.
    file: FileStart,
    /// The totals when what is missing now began, as no file could be written or one is gone.
    gap: Option<Totals>,
    /// Records that were missing so.
    missed: u64,
    /// The number of the generation that was written last.
    generation: u64,
    pub(super) silence: Silence,
}

impl Active {
    /// A recording that begins with this, as a file of its own or the first one.
    pub(super) fn new(
        id: RecordingId,
        output: RecordingSink,
        preamble: &Preamble,
        totals: Totals,
        silence: Silence,
    ) -> Self {
        let limit_ns = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Self {
            id,
            started: SystemTime::now(),
            stops_ns: (output.stops_after)
                .map(|limit| totals.now_ns.saturating_add(limit_ns(limit))),
            output,
            written: Report {
                events: preamble.events,
                generations: 1,
                ..Report::default()
            },
            before: totals,
            reached: totals,
            file: FileStart {
                totals,
                ..FileStart::default()
            },
            gap: None,
            missed: 0,
            generation: preamble.generation,
            silence,
        }
    }

    /// Writes a group of so many events, which is the first of its generation or a later one.
    pub(super) fn write(&mut self, generation: &Generation, group: &[u8], events: u64) {
        if group.is_empty() {
            return;
        }
        let is_written = if self.generation == generation.number() {
            self.output.write(group)
        } else {
            let mut bytes = Vec::with_capacity(group.len() + 64);
            generation.sync_batch(self.output.version, &mut bytes);
            bytes.extend_from_slice(group);
            self.output.write(&bytes)
        };
        if self.output.wants_last() {
            let text = "until its reader was too slow; what came later is not in the trace";
            self.output.write_last(&self.recorded(text));
        }
        if is_written {
            self.written.events += events;
            self.written.generations += u64::from(self.generation != generation.number());
            self.generation = generation.number();
        } else {
            // What follows in the generation refers to this group, so the file ends here.
            self.gap.get_or_insert(self.reached);
            self.seal();
        }
    }

    /// Everything that the totals count was written, if the sink took it.
    pub(super) fn reach(&mut self, totals: Totals) {
        self.output.report_seals();
        if self.output.error().is_none() && self.gap.is_none() {
            self.reached = totals;
            self.count();
        }
    }

    fn count(&mut self) {
        let (before, totals) = (self.before, self.reached);
        let since = |now: u64, before: u64| now.saturating_sub(before);
        self.written.records = since(totals.records, before.records).saturating_sub(self.missed);
        let (losses, losses_before) = (totals.losses, before.losses);
        self.written.records_unformatted = since(losses.unformatted, losses_before.unformatted);
        self.written.records_nested = since(losses.nested, losses_before.nested);
        self.written.records_dropped = since(totals.dropped(), before.dropped()) + self.missed;
        self.written.inferred = since(totals.inferred, before.inferred);
        self.written.untracked = since(losses.untracked, losses_before.untracked);
        self.written.stacks_missed = since(totals.stacks_missed, before.stacks_missed);
        self.written.cpu_samples = since(totals.samples, before.samples);
        self.written.cpu_samples_cut = since(totals.samples_cut, before.samples_cut);
        self.written.cpu_samples_lost = since(totals.samples_lost, before.samples_lost);
        self.written.duration = Duration::from_nanos(since(totals.now_ns, before.now_ns));
    }

    pub(super) fn version(&self) -> Version {
        self.output.version
    }

    /// Whether the next file is to be begun.
    pub(super) fn is_due(&mut self, now_ns: u64) -> bool {
        self.output
            .files()
            .is_some_and(|files| files.is_due(now_ns))
    }

    /// Whether there should be a file and is none.
    pub(super) fn lacks_file(&mut self) -> bool {
        let files = self.output.files();
        files.is_some_and(|files| !files.has_file() || files.is_current_removed())
    }

    /// Who seals its files.
    pub(super) fn seals(&mut self) -> Option<Arc<Seals>> {
        self.output.seals()
    }

    /// Ends the present file, if there is one.
    pub(super) fn seal(&mut self) {
        let contents = self.contents();
        let end = self.reached.wall;
        let Some(files) = self.output.files().filter(|files| files.has_file()) else {
            return;
        };
        let is_removed = files.is_current_removed();
        if !files.seal(end, contents) || is_removed {
            self.lose_file();
        }
    }

    /// What is in the present file is missing, and with it what its begin says of what was missing before.
    fn lose_file(&mut self) {
        self.gap = Some(self.file.gap.unwrap_or(self.file.totals));
        self.missed -= self.file.missed;
        self.written.events = self.file.events;
    }

    fn contents(&self) -> Contents {
        let (start, reached) = (self.file, self.reached);
        let dropped = reached.dropped().saturating_sub(start.totals.dropped());
        Contents {
            trace_bytes: 0,
            events: self.written.events.saturating_sub(start.events),
            records: reached.records.saturating_sub(start.totals.records),
            records_dropped: dropped + start.missing,
        }
    }

    /// What is missing before the next file, if that begins now.
    pub(super) fn missing(&mut self, totals: Totals) -> Option<Missing> {
        let gap = self.gap?;
        let cause = self.output.files()?.why_missing();
        let records = totals.records.saturating_sub(gap.records);
        Some(Missing {
            records: records + totals.dropped().saturating_sub(gap.dropped()),
            lasted: Duration::from_nanos(totals.now_ns.saturating_sub(gap.now_ns)),
            cause,
        })
    }

    /// Begins the next file. All that the totals count was written, or is missing.
    pub(super) fn begin_file(&mut self, preamble: &Preamble, totals: Totals) {
        if !self.output.begin_next(&preamble.bytes, preamble.begin) {
            self.gap.get_or_insert(self.reached);
            return;
        }
        self.file = FileStart {
            totals,
            events: self.written.events,
            gap: self.gap.take(),
            ..FileStart::default()
        };
        if let Some(gap) = self.file.gap {
            self.file.missed = totals.records.saturating_sub(gap.records);
            self.missed += self.file.missed;
            self.file.missing = self.file.missed + totals.dropped().saturating_sub(gap.dropped());
        }
        self.reached = totals;
        self.written.events += preamble.events;
        self.written.generations += 1;
        self.generation = preamble.generation;
        self.count();
    }

    /// Ends the recording for a reason of the tracer's own.
    pub(super) fn fail(&mut self, error: SinkError) {
        self.output.fail(error);
    }

    /// Says in the file, and in the report, that nothing was recorded, if that is so.
    fn say_if_nothing_was_recorded(&mut self, why: impl FnOnce() -> NothingCause) {
        let written = &self.written;
        if written.records > 0
            || written.records_dropped > 0
            || written.cpu_samples > 0
            || self.output.error().is_some()
        {
            return;
        }
        let cause = why();
        self.written.nothing = Some(cause);
        // For this file alone: others may have recorded something.
        self.write_recorded(&silence::value(cause));
    }

    /// Says what was recorded, in this file alone.
    pub(super) fn write_recorded(&mut self, text: &str) {
        let bytes = self.recorded(text);
        if !self.output.write(&bytes) {
            // A file takes nothing after what failed.
            self.gap.get_or_insert(self.reached);
            self.seal();
        }
    }

    /// A batch that says what was recorded. Side data needs no tables, so it can be added to the generation that was
    /// written last.
    fn recorded(&self, text: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.begin_generation(self.generation, self.before.now_ns);
        let pairs = vec![(RECORDED.into(), text.to_owned().into())];
        writer.side_record(&SideRecord::Capabilities { pairs });
        let mut bytes = Vec::new();
        writer.finish_group(&mut bytes);
        bytes
    }

    /// Whether it is to stop by itself at this time.
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        self.stops_ns.is_some_and(|stops_ns| now_ns >= stops_ns)
    }

    /// When it is to stop by itself.
    pub(super) fn stops_ns(&self) -> Option<u64> {
        self.stops_ns
    }

    pub(super) fn report_nothing(&self, nothing: &NothingRecorded) {
        self.output.report_nothing(nothing);
    }

    /// What it has written until now.
    fn report(&mut self) -> Report {
        let (tally, disk_bytes) = self.output.tally();
        Report {
            bytes: self.output.bytes(),
            disk_bytes,
            files: tally.files,
            files_lost: tally.files_lost,
            slowest_write: self.output.slowest_write(),
            ..self.written.clone()
        }
    }

    /// What is to be known of it while it runs.
    pub(super) fn status(&mut self) -> RecordingStatus {
        RecordingStatus {
            number: self.id.0,
            destination: self.output.destination.clone(),
            started: self.started,
            stops_after: self.output.stops_after,
            written: self.report(),
            error: self.output.error().cloned(),
        }
    }

    /// Writes its end, and has what was written put on the disk. `closing` is over when that is done.
    pub(super) fn close(
        &mut self,
        refused: Vec<(&'static str, String)>,
        why: impl FnOnce() -> NothingCause,
        closing: Closing,
    ) {
        self.written.refused = refused;
        self.say_if_nothing_was_recorded(why);
        let contents = self.contents();
        self.output.close(self.reached.wall, contents, closing);
    }

    /// Gives the sink up, which is closed, and says what was written.
    pub(super) fn finish(mut self, closed: io::Result<()>) -> Result<Report, StopError> {
        self.output.closed(closed);
        let report = self.report();
        self.output.drop_sink();
        match self.output.error() {
            Some(error) => Err(StopError::new(report, error.clone())),
            None => Ok(report),
        }
    }
}
