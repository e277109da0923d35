//! What the flush thread does with samples of allocations: it takes those out of the table that were freed by threads
//! which could not record it, and says so once their own records were applied.

use exectrace_format::LeftOut;
use exectrace_format::conventions::HEAP_SAMPLES;

use super::live::LIVE;
use super::{distance, samples};
use crate::clock::Conversion;
use crate::model::Model;
use crate::stacks;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Following {
    /// Numbers and ticks of those that are not written yet.
    freed: Vec<(u64, u64)>,
    /// Samples that had been lost when that was last said.
    reported_lost: u64,
    /// The mean distance that the trace says.
    said_interval: Option<u64>,
}

impl Following {
    /// Before a first recording: what was allocated until now has no sample.
    pub(crate) fn prepare(&mut self) {
        // Measured now, as a thread that allocates must not.
        let _ = stacks::has_frame_pointers();
        LIVE.clear();
        *self = Self {
            freed: Vec::new(),
            reported_lost: samples::lost(),
            said_interval: distance::interval_bytes(),
        };
    }

    /// Takes what was freed out of the table. Each was published as a sample before.
    pub(crate) fn look(&mut self) {
        LIVE.take_ended(|number, ticks| self.freed.push((number, ticks)));
    }

    /// Writes what was freed before `watermark` ticks, up to which all records were applied.
    pub(crate) fn apply(&mut self, watermark: u64, conversion: &Conversion, model: &mut Model) {
        self.freed.retain(|&(number, ticks)| {
            let is_due = ticks <= watermark;
            if is_due {
                model.heap_freed(conversion.to_ns(ticks), number);
            }
            !is_due
        });
    }

    /// Writes what is missing in the trace since the last call, and how far samples are apart, if that has changed.
    pub(crate) fn report(&mut self, model: &mut Model) {
        let lost = samples::lost();
        let newly_lost = lost - std::mem::replace(&mut self.reported_lost, lost);
        model.left_out(LeftOut::HeapSamples, newly_lost);
        let interval = distance::interval_bytes();
        if interval != self.said_interval {
            self.said_interval = interval;
            model.note_about(model.time_ns(), HEAP_SAMPLES, &about_samples());
        }
    }
}

/// What is said of samples in a trace whose program counts.
pub(crate) fn about_samples() -> String {
    let Some(interval) = distance::interval_bytes() else {
        return "no: switched off by Settings::heap_sample_bytes(0)".to_owned();
    };
    let stacks = match stacks::has_frame_pointers() {
        true => "stacks by frame pointers",
        false => {
            "without stacks, as this build has no frame pointers: build with RUSTFLAGS=\"-C \
             force-frame-pointers=yes\""
        }
    };
    let more = match distance::is_thinned() {
        true => " now, as more often would be more than their budget",
        false => "",
    };
    format!("yes, one for each {interval} bytes on average{more}, {stacks}")
}
