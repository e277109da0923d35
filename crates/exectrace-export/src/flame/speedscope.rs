//! The file format of speedscope.app: shared frames, and one sampled profile.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use exectrace_analysis::{Profile, ProfileKind};
use rustc_hash::FxHashMap;
use serde_json::json;

use super::{FlameFrame, frames};
use crate::error::ExportError;

/// Writes a profile for speedscope.app, under this name, and says how many stacks it has: those of
/// [`folded()`](crate::folded()), with files and lines.
///
/// # Errors
///
/// The output fails.
pub fn speedscope<W: Write>(profile: &Profile, name: &str, out: W) -> Result<u64, ExportError> {
    let mut stacks: BTreeMap<Vec<FlameFrame<'_>>, u64> = BTreeMap::new();
    for sample in &profile.samples {
        let sum = stacks.entry(frames(sample)).or_default();
        *sum = sum.saturating_add(profile.weight(sample));
    }
    let mut numbers: FxHashMap<FlameFrame<'_>, usize> = FxHashMap::default();
    let (mut shared, mut samples, mut weights, mut total) = (vec![], vec![], vec![], 0_u64);
    for (stack, &weight) in &stacks {
        let sample: Vec<usize> = stack
            .iter()
            .map(|frame| {
                *numbers.entry(*frame).or_insert_with(|| {
                    shared.push(shared_frame(frame));
                    shared.len() - 1
                })
            })
            .collect();
        samples.push(sample);
        weights.push(weight);
        total = total.saturating_add(weight);
    }
    let unit = match profile.kind {
        ProfileKind::Cpu => "none",
        ProfileKind::Heap | ProfileKind::Allocated => "bytes",
        _ => "nanoseconds",
    };
    let document = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("exectrace-export ", env!("CARGO_PKG_VERSION")),
        "name": name,
        "shared": { "frames": shared },
        "profiles": [{
            "type": "sampled",
            "name": name,
            "unit": unit,
            "startValue": 0,
            "endValue": total,
            "samples": samples,
            "weights": weights,
        }],
    });
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &document)?;
    out.flush()?;
    Ok(stacks.len() as u64)
}

fn shared_frame(frame: &FlameFrame<'_>) -> serde_json::Value {
    match frame.file {
        "" => json!({ "name": frame.name }),
        file => json!({ "name": frame.name, "file": file, "line": frame.line }),
    }
}
