//! A recording, as the flush thread keeps it: where it goes, and what of it was written.

use std::time::Duration;

use exectrace_format::conventions::RECORDED;
use exectrace_format::{SideRecord, Writer};

use super::generation::Generation;
use super::losses::Losses;
use crate::capabilities;
use crate::control::RecordingId;
use crate::report::{Report, SinkError, StopError};
use crate::sink::RecordingSink;

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
}

#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: RecordingId,
    output: RecordingSink,
    /// What is in the file. After the sink has failed it does not change.
    written: Report,
    /// The totals when it started.
    before: Totals,
    /// The number of the generation that was written last.
    generation: u64,
}

impl Active {
    /// A recording whose file begins with a preamble of so many events, which is generation
    /// `generation`.
    pub(super) fn new(
        id: RecordingId,
        output: RecordingSink,
        events: u64,
        generation: u64,
        totals: Totals,
    ) -> Self {
        Self {
            id,
            output,
            written: Report {
                events,
                generations: 1,
                ..Report::default()
            },
            before: totals,
            generation,
        }
    }

    /// Writes a group of so many events, which is the first of its generation or a later one.
    pub(super) fn write(&mut self, generation: &Generation, group: &[u8], events: u64) {
        if group.is_empty() {
            return;
        }
        if self.generation == generation.number() {
            self.output.write(group);
        } else {
            let mut bytes = Vec::with_capacity(group.len() + 64);
            generation.sync_batch(self.output.version, &mut bytes);
            bytes.extend_from_slice(group);
            self.output.write(&bytes);
        }
        if self.output.error().is_none() {
            self.written.events += events;
            self.written.generations += u64::from(self.generation != generation.number());
            self.generation = generation.number();
        }
    }

    /// Everything that the totals count was written, if the sink took it.
    pub(super) fn reach(&mut self, totals: Totals) {
        if self.output.error().is_some() {
            return;
        }
        let before = self.before;
        let since = |now: u64, before: u64| now.saturating_sub(before);
        self.written.records = since(totals.records, before.records);
        let (losses, losses_before) = (totals.losses, before.losses);
        let unformatted = since(losses.unformatted, losses_before.unformatted);
        let nested = since(losses.nested, losses_before.nested);
        self.written.records_unformatted = unformatted;
        self.written.records_nested = nested;
        self.written.records_dropped = since(totals.lost, before.lost) + unformatted + nested;
        self.written.inferred = since(totals.inferred, before.inferred);
        self.written.untracked = since(losses.untracked, losses_before.untracked);
        self.written.stacks_missed = since(totals.stacks_missed, before.stacks_missed);
        self.written.cpu_samples = since(totals.samples, before.samples);
        self.written.cpu_samples_cut = since(totals.samples_cut, before.samples_cut);
        self.written.cpu_samples_lost = since(totals.samples_lost, before.samples_lost);
        self.written.duration = Duration::from_nanos(since(totals.now_ns, before.now_ns));
    }

    /// Ends the recording for a reason of the tracer's own.
    pub(super) fn fail(&mut self, error: SinkError) {
        self.output.fail(error);
    }

    /// Says in the file, and in the report, that nothing was recorded, if that is so.
    fn say_if_nothing_was_recorded(&mut self) {
        let written = &self.written;
        if written.records > 0
            || written.records_dropped > 0
            || written.cpu_samples > 0
            || self.output.error().is_some()
        {
            return;
        }
        let cause = capabilities::why_nothing();
        self.written.nothing = Some(cause);
        // For this file alone: others may have recorded something. Side data needs no tables, so it
        // can be added to the generation that was written last.
        let mut writer = Writer::new();
        writer.begin_generation(self.generation, self.before.now_ns);
        let text = format!("nothing: {cause}");
        let pairs = vec![(RECORDED.into(), text.into())];
        writer.side_record(&SideRecord::Capabilities { pairs });
        let mut bytes = Vec::new();
        writer.finish_group(&mut bytes);
        self.output.write(&bytes);
    }

    /// Gives the sink up, and says what was written.
    pub(super) fn finish(mut self) -> Result<Report, StopError> {
        self.say_if_nothing_was_recorded();
        self.output.close();
        let report = Report {
            bytes: self.output.bytes(),
            slowest_write: self.output.slowest_write(),
            ..self.written
        };
        match self.output.error() {
            Some(error) => Err(StopError::new(report, error.clone())),
            None => Ok(report),
        }
    }
}
