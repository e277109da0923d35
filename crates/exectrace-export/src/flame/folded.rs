//! Folded stacks: one line for each, outermost frame first, as flame graph scripts read them.

use std::io::{BufWriter, Read, Write};

use exectrace_format::Reader;

use super::Weights;
use crate::error::{ExportError, Exported};
use crate::options::Weight;

/// Writes folded stacks: a line for each distinct stack, `outer;inner;leaf WEIGHT`.
///
/// The weight is in nanoseconds, or samples; lines are in alphabetical order. A `;` or line break in
/// a name becomes `,` or a space. Memory: the distinct names and stacks of the trace.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn folded<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    weight: Weight,
) -> Result<Exported, ExportError> {
    let (weights, mut exported) = Weights::of(reader, weight)?;
    let mut out = BufWriter::new(out);
    for (places, sum) in &weights.named {
        let names: Vec<String> = places.iter().map(|place| plain(&place.name)).collect();
        writeln!(out, "{} {sum}", names.join(";"))?;
        exported.items += 1;
    }
    out.flush()?;
    Ok(exported)
}

/// A name without what has a meaning of its own in a line.
fn plain(name: &str) -> String {
    name.replace(';', ",").replace(['\n', '\r'], " ")
}
