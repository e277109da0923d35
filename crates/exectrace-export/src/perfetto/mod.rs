//! Perfetto's protobuf: a stream of packets, each a begin, an end, an instant or a value.
//!
//! `schema` holds the messages, `packets` writes them, `rows` names the tracks they lie on, and
//! `canvas` makes them of what the timeline draws: a mark with an arrow is a step of a flow.

mod canvas;
mod packets;
mod rows;
mod schema;

use std::io::{BufWriter, Read, Write};

use exectrace_format::Reader;

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::timeline::Timeline;
use crate::tracks::export;
use canvas::Perfetto;

/// Writes a Perfetto trace (`.pftrace`), which ui.perfetto.dev opens and its trace processor
/// queries.
///
/// Times are those of the trace. Slices carry their async task, why a run ended and where, and how
/// long it was ready before, as arguments. Memory: what is open, the names and stacks of the trace,
/// and at most 100,000 numbers of such.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn perfetto<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let canvas = Perfetto::begin(BufWriter::new(out), options)?;
    let mut timeline = Timeline::new(canvas, options);
    let mut exported = export(reader, &mut timeline)?;
    exported.items = timeline.canvas.finish()?;
    Ok(exported)
}
