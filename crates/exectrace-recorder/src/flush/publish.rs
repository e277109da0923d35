//! What the flush thread leaves in the process for those who ask for the status.

use std::time::{Instant, UNIX_EPOCH};

use super::Flusher;
use super::silence::Silence;
use crate::enabled::lock;
use crate::model::Model;
use crate::status::{Published, RecordCounts};

/// What was counted in the epochs of recording that are over, and in this one until now.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Of models that are gone.
    records: RecordCounts,
    lost: u64,
    /// The records of this model when its last one was looked for, and the time of that one, in trace time.
    records_then: u64,
    last_record_ns: Option<u64>,
}

impl Counted {
    /// The model has applied records, and nothing else since.
    pub(super) fn note_last_record(&mut self, model: &Model) {
        let records = model.counts().records;
        if records != self.records_then {
            self.records_then = records;
            self.last_record_ns = Some(model.time_ns());
        }
    }

    /// A model's epoch is over.
    pub(super) fn add(&mut self, model: &Model) {
        self.records.add(&model.record_counts());
        self.lost += model.counts().lost;
        self.records_then = 0;
    }

    /// All records since the process began.
    pub(super) fn records(&self, model: Option<&Model>) -> RecordCounts {
        let mut records = self.records;
        if let Some(model) = model {
            records.add(&model.record_counts());
        }
        records
    }
}

impl Flusher {
    /// Leaves what is known now.
    pub(super) fn publish(&mut self) {
        let recordings = self.recordings.iter_mut().map(|active| active.status());
        let recordings = recordings.collect();
        let mut silences = self.recordings.iter().map(|active| &active.silence);
        let nothing = silences.find_map(Silence::said);
        let model = self.model.as_ref();
        let wall = |ns| UNIX_EPOCH + self.now.wall_at(ns);
        let published = Published {
            recordings,
            records: self.counted.records(model),
            lost: self.counted.lost + model.map_or(0, |model| model.counts().lost),
            cpu_samples_lost: self.sampling.lost(),
            last_record: self.counted.last_record_ns.map(wall),
            threads: self.readers.len(),
            nothing,
            passed: Some(Instant::now()),
        };
        *lock(&self.process.published) = published;
    }
}
