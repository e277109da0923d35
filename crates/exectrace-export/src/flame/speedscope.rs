//! The file format of speedscope.app: shared frames, and one sampled profile.

use std::io::{BufWriter, Read, Write};

use exectrace_format::Reader;
use rustc_hash::FxHashMap;
use serde_json::json;

use super::{Place, Weights};
use crate::error::{ExportError, Exported};
use crate::options::Weight;

/// Writes a profile for speedscope.app: the stacks and weights of [`folded()`](crate::folded()),
/// with files and lines.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn speedscope<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    weight: Weight,
) -> Result<Exported, ExportError> {
    let (weights, mut exported) = Weights::of(reader, weight)?;
    let mut numbers: FxHashMap<&Place, usize> = FxHashMap::default();
    let (mut frames, mut samples, mut sums, mut total) = (vec![], vec![], vec![], 0_u64);
    for (places, sum) in &weights.named {
        let sample: Vec<usize> = places
            .iter()
            .map(|place| {
                *numbers.entry(place).or_insert_with(|| {
                    frames.push(frame(place));
                    frames.len() - 1
                })
            })
            .collect();
        samples.push(sample);
        sums.push(*sum);
        total = total.saturating_add(*sum);
        exported.items += 1;
    }
    let unit = if weight == Weight::Samples {
        "none"
    } else {
        "nanoseconds"
    };
    let profile = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("exectrace-export ", env!("CARGO_PKG_VERSION")),
        "name": weight.name(),
        "shared": { "frames": frames },
        "profiles": [{
            "type": "sampled",
            "name": weight.name(),
            "unit": unit,
            "startValue": 0,
            "endValue": total,
            "samples": samples,
            "weights": sums,
        }],
    });
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &profile)?;
    out.flush()?;
    Ok(exported)
}

fn frame(place: &Place) -> serde_json::Value {
    if place.file.is_empty() {
        json!({ "name": place.name })
    } else {
        json!({ "name": place.name, "file": place.file, "line": place.line })
    }
}
