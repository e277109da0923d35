//! Chrome's trace event JSON, for older viewers: an array of begins, ends and instants.
//!
//! `json` writes events, `rows` names the rows they lie on, and `canvas` makes them of what the
//! timeline draws.

mod canvas;
mod json;
mod rows;

use std::io::{BufWriter, Read, Write};

use exectrace_format::Reader;

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::timeline::Timeline;
use crate::tracks::export;
use canvas::Chrome;

/// Writes Chrome's trace event JSON.
///
/// Times are those of the trace, in microseconds with nanoseconds behind the point. Viewers drop what
/// is before zero, so a trace that begins before 1 µs, as those of Go 1.21 and older do, is moved to
/// begin there. A line is some hundred bytes, and an event of the trace makes some four of them with
/// all rows, so a trace of more than a million events is better exported to
/// [`perfetto()`](crate::perfetto()). Memory: what is open, and the names and stacks of the trace.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn chrome<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let canvas = Chrome::begin(BufWriter::new(out), options)?;
    let mut timeline = Timeline::new(canvas, options);
    let mut exported = export(reader, &mut timeline)?;
    exported.items = timeline.canvas.finish()?;
    Ok(exported)
}
