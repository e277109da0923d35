//! Looks whether a recording records anything of the program's, and says so if it does not.
//!
//! Recording may be on and nothing come, for a cause that the program's author does not see: no subscriber, a filter with
//! a mistake, a build without a flag. So some seconds after a recording began, and if no span, event, poll or
//! annotation came until then, its trace gets a message with the likely cause, once. When something comes after all, the
//! trace gets that as well. Where others run of which that is not so, theirs do not; then it is side data alone, as
//! messages are in all traces.

use std::time::Duration;

use exectrace_format::conventions::RECORDED;

use super::Flusher;
use crate::settings::Settings;
use crate::status::{NothingCause, NothingRecorded, RecordCounts, Seen, why_nothing};

/// What came since a recording began.
#[derive(Debug)]
pub(super) struct Silence {
    began_ns: u64,
    /// Records of the program that had come before.
    before: u64,
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

/// What is to be said of a recording.
#[derive(Debug)]
enum News {
    Nothing(NothingRecorded),
    Something(String),
}

impl News {
    fn text(&self) -> String {
        match self {
            Self::Nothing(nothing) => value(nothing.cause),
            Self::Something(text) => text.clone(),
        }
    }
}

impl Silence {
    /// Of a recording that starts after so many records of the program.
    pub(super) fn starting_at(now_ns: u64, before: u64) -> Self {
        Self {
            began_ns: now_ns,
            before,
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

    fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Looks at how many records of the program have come until now.
    fn look(
        &mut self,
        now_ns: u64,
        records: u64,
        why: impl FnOnce() -> NothingCause,
    ) -> Option<News> {
        let passed = Duration::from_nanos(now_ns.saturating_sub(self.began_ns));
        match self.state {
            State::Waiting | State::Said(_) if records > self.before => {
                let was_said = self.said().is_some();
                self.state = State::Over;
                let text = || format!("yes, after {passed:.1?} without anything");
                was_said.then(|| News::Something(text()))
            }
            State::Waiting if passed >= self.limit => {
                let nothing = NothingRecorded {
                    after: self.limit,
                    cause: why(),
                };
                self.state = State::Said(nothing);
                Some(News::Nothing(nothing))
            }
            State::Waiting | State::Said(_) | State::Over => None,
        }
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
        if self
            .recordings
            .iter()
            .all(|active| active.silence.is_over())
        {
            return;
        }
        let (now_ns, counts) = (self.now.sample.ns, model.record_counts());
        let why = || why_nothing(self.counted.seen(&counts));
        let mut news = Vec::new();
        for active in &mut self.recordings {
            news.push(active.silence.look(now_ns, counts.of_program(), why));
        }
        let texts: Vec<_> = news
            .iter()
            .map(|news| news.as_ref().map(News::text))
            .collect();
        let is_of_all = texts.windows(2).all(|pair| pair[0] == pair[1]);
        if let (true, Some(Some(text))) = (is_of_all, texts.first()) {
            // Messages have the time that the model has come to: records that are held for a group come after it.
            model.note_about(model.time_ns(), RECORDED, text);
        }
        for (active, (news, text)) in self.recordings.iter_mut().zip(news.iter().zip(texts)) {
            if let (false, Some(text)) = (is_of_all, text) {
                active.write_recorded(&text);
            }
            if let Some(News::Nothing(nothing)) = news {
                active.report_nothing(nothing);
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
