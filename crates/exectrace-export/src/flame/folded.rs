//! Folded stacks: one line for each, outermost frame first, as flame graph scripts read them.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use exectrace_analysis::Profile;

use super::frames;
use crate::error::ExportError;

/// Writes folded stacks, and says how many: a line for each stack of functions, `outer;inner;leaf WEIGHT`.
///
/// The weight is in nanoseconds, samples or, of the heap, bytes; lines are in alphabetical order. In names a `;`
/// becomes `,` and a control character, such as a line break, a space. Memory: the lines.
///
/// ```
/// use exectrace_analysis::{Analysis, Options, ProfileKind};
/// use exectrace_export::folded;
/// use exectrace_format::{Reader, text};
///
/// let trace = text::parse(include_str!("../../tests/support/service.trace.txt"))?;
/// let mut reader = Reader::new(trace.as_slice())?;
/// let options = Options { profiles: vec![ProfileKind::WaitByReason], ..Options::default() };
/// let analysis = Analysis::read(&mut reader, &options);
///
/// let mut lines = Vec::new();
/// assert_eq!(folded(&analysis.profiles[0], &mut lines)?, 1);
/// assert_eq!(lines, b"serve<\"a,b\">;read;[network] 30\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The output fails.
pub fn folded<W: Write>(profile: &Profile, out: W) -> Result<u64, ExportError> {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for sample in &profile.samples {
        let names: Vec<String> = frames(sample)
            .iter()
            .map(|frame| plain(frame.name))
            .collect();
        let sum = lines.entry(names.join(";")).or_default();
        *sum = sum.saturating_add(profile.weight(sample));
    }
    let mut out = BufWriter::new(out);
    for (stack, sum) in &lines {
        writeln!(out, "{stack} {sum}")?;
    }
    out.flush()?;
    Ok(lines.len() as u64)
}

/// A name without what has a meaning of its own in a line.
fn plain(name: &str) -> String {
    name.replace(';', ",").replace(char::is_control, " ")
}
