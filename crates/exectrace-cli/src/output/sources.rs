//! Which sources a trace has, a line each.

use std::io::Write;

use exectrace_analysis::Source;

use super::{Out, printable, style, units};

/// Shows what is known of each source, behind `indent`.
pub(crate) fn print(sources: &[Source], indent: &str, out: &mut Out) -> anyhow::Result<()> {
    let name = style::NAME;
    let dim = style::ASIDE;
    for source in sources {
        let about = printable(&source.about);
        write!(out, "{indent}{name}{}{name:#}: ", printable(&source.name))?;
        match source.is_recorded {
            true => write!(out, "{about}")?,
            false => write!(out, "{dim}{about}{dim:#}")?,
        }
        if source.left_out > 0 {
            let style = style::WARNING;
            let records = units::plural(source.left_out, "record");
            write!(
                out,
                "; {style}{records} left out{style:#}, as they were more than its budget"
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
