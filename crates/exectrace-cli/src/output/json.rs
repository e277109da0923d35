//! JSON for programs: one document, or one a line.

use std::io::Write;

use serde::Serialize;

/// Writes `value` as a document of its own, for people to look at as well.
pub(crate) fn document(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Writes `value` on one line.
pub(crate) fn line(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}
