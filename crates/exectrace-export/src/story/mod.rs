//! What a trace tells, whatever it is to be written as.
//!
//! [`tell`] reads the events and keeps what is open in a [`Scene`]; each thing that begins, ends or
//! changes becomes a [`Fact`], which a [`Sink`] writes down in its own format. `book` numbers names
//! and stacks for the whole trace, `task` and `fact` hold the words, `teller` finds the facts:
//! `states` those of async tasks, `lanes` those of workers and threads, `annotations` those of user
//! tasks, regions and ranges.

mod annotations;
mod book;
mod fact;
mod lanes;
mod scene;
mod states;
mod task;
mod teller;

use std::io::Read;

use exectrace_format::{CompactEvent, Reader, Tables};

use crate::error::{ExportError, Exported};

pub(crate) use book::{Book, Stack, Text};
pub(crate) use fact::{End, Fact, Lane, Log, Next, Region, Run, Span, UserTask, Wake};
pub(crate) use scene::Scene;
pub(crate) use task::{State, Stretch, Task};

use teller::Teller;

/// Writes down what a trace tells.
pub(crate) trait Sink {
    /// One fact, at `time` in nanoseconds on the clock of the trace. Times never fall.
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError>;

    /// An event as it was read, before the facts it makes.
    fn event(
        &mut self,
        _event: &CompactEvent,
        _tables: &Tables,
        _scene: &mut Scene,
    ) -> Result<(), ExportError> {
        Ok(())
    }
}

/// Tells all that a trace has to tell; what is open at its end, or at the damage, ends with it.
///
/// Counts events and damage; what was written is for the caller to fill in.
pub(crate) fn tell<R: Read>(
    mut reader: Reader<R>,
    sink: &mut impl Sink,
) -> Result<Exported, ExportError> {
    let mut teller = Teller::new();
    let mut exported = Exported::default();
    let mut event = CompactEvent::default();
    loop {
        match reader.next_into(&mut event) {
            Ok(true) => {}
            Ok(false) => break,
            Err(damage) => {
                exported.damage = Some(damage);
                break;
            }
        }
        exported.events += u64::from(event.kind.is_of_program());
        teller.event(&event, reader.tables(), reader.side_record(), sink)?;
    }
    teller.finish(sink)?;
    Ok(exported)
}
