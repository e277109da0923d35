//! The end of recordings. One that stops is written to its end at once; then other threads put its file on the disk, and
//! the flush thread goes on with what else records. When they report that this is done, who stopped it gets its answer.

use std::io;
use std::sync::Arc;

use super::Flusher;
use super::active::Active;
use crate::control::{Answer, Closing, RecordingId, Reply};
use crate::enabled;
use crate::recording::Seals;
use crate::report::{Report, SinkError, StopError};

type Stopped = Result<Report, StopError>;

/// Recordings that have stopped.
#[derive(Default)]
pub(super) struct Stopping {
    /// Those whose files are being closed.
    closing: Vec<(Active, Asker)>,
    /// Those that have stopped by themselves, for those who will stop them.
    stopped: Vec<(RecordingId, Stopped)>,
    /// Where a callback may still be called with files.
    calling: Vec<Arc<Seals>>,
    /// Who waits for the end of them all, as the process exits.
    exit: Option<Answer<Vec<Arc<Seals>>>>,
}

/// Who asks for a report.
enum Asker {
    Nobody,
    /// Nobody yet: it has stopped by itself.
    Later,
    Now(Box<Answer<Stopped>>),
}

impl From<Option<Reply<Stopped>>> for Asker {
    fn from(reply: Option<Reply<Stopped>>) -> Self {
        // Without a reply it was dropped by a sink, whose error callback has the error.
        reply.map_or(Self::Nobody, |reply| {
            // If a panic comes between, whoever waits is still answered.
            Self::Now(Box::new(Answer::new(reply, Err(internal()))))
        })
    }
}

fn internal() -> StopError {
    StopError::new(Report::default(), SinkError::Internal)
}

impl Flusher {
    /// Stops a recording, for who waits for its report, if anybody does.
    pub(super) fn stop(&mut self, id: RecordingId, reply: Option<Reply<Stopped>>) {
        let asker = Asker::from(reply);
        let mut stopped = self.stopping.stopped.iter();
        if let Some(place) = stopped.position(|(stopped, _)| *stopped == id) {
            let (_, report) = self.stopping.stopped.swap_remove(place);
            return self.answer(id, asker, report);
        }
        let mut closing = self.stopping.closing.iter_mut();
        if let Some((_, earlier)) = closing.find(|(active, _)| active.id == id) {
            *earlier = asker;
            return;
        }
        let is_background = matches!(asker, Asker::Nobody);
        self.write_to_the_end(id, asker);
        if is_background {
            self.call_listeners_if_off();
        }
    }

    /// Stops the recordings whose time is over.
    pub(super) fn stop_what_is_over(&mut self) {
        let now_ns = self.now.sample.ns;
        let is_over = |active: &&Active| active.is_over(now_ns);
        while let Some(active) = self.recordings.iter().find(is_over) {
            self.write_to_the_end(active.id, Asker::Later);
            self.call_listeners_if_off();
        }
    }

    /// Stops all recordings, and answers when they are on the disk.
    pub(super) fn finish_all(&mut self, reply: Reply<Vec<Arc<Seals>>>) {
        self.stopping.exit = Some(Answer::new(reply, Vec::new()));
        while let Some(active) = self.recordings.first() {
            // Nobody is left to receive the error but the callback.
            self.write_to_the_end(active.id, Asker::Nobody);
        }
        self.answer_exit();
    }

    /// Writes all that was recorded until now to a recording, and has its file closed.
    fn write_to_the_end(&mut self, id: RecordingId, asker: Asker) {
        let is_last = matches!(&self.recordings[..], [active] if active.id == id);
        if is_last {
            enabled::set_enabled(false);
            self.sampling.stop(&self.readers);
        }
        self.apply_all();
        self.look_at_silence();
        // So that the file has what was counted until its end.
        self.sample_usage(true);
        self.sample_system(true);
        self.report_dropped();
        self.write_group();
        let Some(position) = self.recordings.iter().position(|active| active.id == id) else {
            return self.answer(id, asker, Err(internal()));
        };
        if self.recordings[position].lacks_file() {
            // For what is missing to be said, if it can be now.
            let begin_ns = self.next_ns();
            self.begin_next_files(begin_ns, |active| active.id == id);
        }
        let mut active = self.recordings.remove(position);
        active.close(self.refused(), || self.why_nothing(), Closing::new(id));
        self.stopping.closing.push((active, asker));
        self.drop_model_if_unused();
        self.publish();
    }

    /// The file of a recording is closed.
    pub(super) fn closed(&mut self, id: RecordingId, result: io::Result<()>) {
        let mut closing = self.stopping.closing.iter();
        if let Some(place) = closing.position(|(active, _)| active.id == id) {
            let (mut active, asker) = self.stopping.closing.remove(place);
            let seals = active.seals();
            let report = active.finish(result);
            self.stopping.calling.retain(|seals| seals.is_calling());
            self.stopping.calling.extend(seals);
            self.answer(id, asker, report);
        }
        self.answer_exit();
    }

    fn answer(&mut self, id: RecordingId, asker: Asker, report: Stopped) {
        match asker {
            Asker::Nobody => {}
            Asker::Later => self.stopping.stopped.push((id, report)),
            Asker::Now(mut answer) => answer.set(report),
        }
    }

    fn answer_exit(&mut self) {
        if self.stopping.closing.is_empty()
            && let Some(mut answer) = self.stopping.exit.take()
        {
            answer.set(std::mem::take(&mut self.stopping.calling));
        }
    }
}
