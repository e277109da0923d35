//! Looks whether a recording records anything of the program's, and says so if it does not.
//!
//! Recording may be on and nothing come, for a cause that the program's author does not see: no subscriber, a filter with
//! a mistake, a build without a flag. So some seconds after recording began, and if no span, event, poll or
//! annotation came until then, the trace gets a message with the likely cause, once. When something comes after all, the
//! trace gets that as well.

use std::time::Duration;

use exectrace_format::conventions::RECORDED;

use super::Flusher;
use crate::settings::Settings;
use crate::status::{NothingCause, NothingRecorded, RecordCounts, Seen, why_nothing};

/// What came since recording began.
#[derive(Debug)]
pub(super) struct Silence {
    began_ns: u64,
    /// After so much time without anything something is said.
    limit: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came yet.
    Waiting,
    /// Nothing came, and that was said.
    Said(NothingRecorded),
    /// Something came.
    Over,
}

impl Silence {
    pub(super) fn starting_at(now_ns: u64) -> Self {
        Self {
            began_ns: now_ns,
            limit: Settings::in_force().nothing_after(),
            state: State::Waiting,
        }
    }

    /// What was said, as long as it is so.
    pub(super) fn said(&self) -> Option<NothingRecorded> {
        match self.state {
            State::Said(nothing) => Some(nothing),
            State::Waiting | State::Over => None,
        }
    }

    /// What is said of it at the begin of a file.
    pub(super) fn about(&self) -> Option<(&'static str, String)> {
        Some((RECORDED, value(self.said()?.cause)))
    }
}

/// What a trace says, under [`RECORDED`], where nothing was recorded.
pub(super) fn value(cause: NothingCause) -> String {
    let begin = if cause.is_fault() { "nothing" } else { "idle" };
    format!("{begin}: {cause}")
}

impl Flusher {
    /// Looks at what came until now. All records up to now are applied, or those of a group ago.
    pub(super) fn look_at_silence(&mut self) {
        let Some(model) = &mut self.model else {
            return;
        };
        // Messages have the time that the model has come to: records that are held for a group come after it.
        let (now_ns, silence) = (self.now.sample.ns, &mut self.silence);
        let records = match silence.state {
            State::Over => return,
            State::Waiting | State::Said(_) => model.record_counts(),
        };
        let passed = Duration::from_nanos(now_ns.saturating_sub(silence.began_ns));
        if records.of_program() > 0 {
            if let State::Said(_) = silence.state {
                let text = format!("yes, after {passed:.1?} without anything");
                model.note_about(model.time_ns(), RECORDED, &text);
            }
            silence.state = State::Over;
        } else if silence.state == State::Waiting && passed >= silence.limit {
            let nothing = NothingRecorded {
                after: silence.limit,
                cause: why_nothing(self.counted.seen(&records)),
            };
            silence.state = State::Said(nothing);
            let text = value(nothing.cause);
            model.note_about(model.time_ns(), RECORDED, &text);
            for active in &self.recordings {
                active.report_nothing(&nothing);
            }
        }
    }

    /// The likely cause why a recording that stops has nothing.
    pub(super) fn why_nothing(&self) -> NothingCause {
        let records = self.model.as_ref().map(|model| model.record_counts());
        why_nothing(self.counted.seen(&records.unwrap_or_default()))
    }
}

impl super::publish::Counted {
    /// What is known beside that nothing of the program's was recorded, where this was recorded since recording began.
    fn seen(&self, now: &RecordCounts) -> Seen {
        Seen {
            before: self.records(None).of_program() + now.of_program() > 0,
            workers: now.workers > 0,
            others: now.calls + now.allocations + now.cpu_samples > 0,
        }
    }
}
