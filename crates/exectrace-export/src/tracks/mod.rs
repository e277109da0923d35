//! The tracks of a picture: what is drawn on workers, threads, async tasks and user tasks, whatever the
//! picture is to be written as.
//!
//! [`export`] replays a trace; each thing that begins, ends or changes becomes a [`Change`], which a
//! [`TrackWriter`] writes down in its own format. `observer` makes changes of what the replay reports:
//! `states` those of async tasks, `lanes` those of workers and threads, `annotations` those of user tasks,
//! regions and ranges. `task` and `change` hold the words, `picture` what is known at an instant.

mod annotations;
mod change;
mod lanes;
mod observer;
mod picture;
mod states;
mod task;

use std::io::Read;

use exectrace_format::Reader;
use exectrace_replay::{Input, Names, replay};

use crate::error::{ExportError, Exported};

pub(crate) use change::{AfterRun, Change, Lane, LogLine, RegionSlice, Run, Span, WakeArrow};
pub(crate) use picture::{Picture, stack_text};
pub(crate) use task::{StateSlice, Task, TrackState};

use observer::Tracks;

/// Writes down what a trace says.
pub(crate) trait TrackWriter {
    /// One change, at `time` in nanoseconds on the clock of the trace. Times never fall.
    fn change(
        &mut self,
        time: i64,
        change: Change<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError>;

    /// An event as it was read, before the changes that it makes.
    fn event(&mut self, _input: &Input<'_>, _names: &mut Names) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Writes all that a trace has to say; what is open at its end, or at the damage, ends with it.
///
/// Counts events and damage; what was written is for the caller to fill in.
pub(crate) fn export<R: Read>(
    mut reader: Reader<R>,
    writer: &mut impl TrackWriter,
) -> Result<Exported, ExportError> {
    let mut tracks = Tracks::new(writer);
    let damage = replay(&mut reader, &mut tracks)?;
    Ok(Exported {
        events: tracks.events,
        read_ns: tracks.read_ns,
        damage,
        ..Exported::default()
    })
}
