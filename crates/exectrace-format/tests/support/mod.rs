//! What several tests need: reading a trace to its end, and comparing that with Go.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod parsed;

use std::collections::BTreeMap;

use exectrace_format::{Reader, TraceEvent};
use exectrace_referee::{Referee, Verdict};

/// What came of reading a trace to its end.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<TraceEvent>,
    pub(crate) error: Option<String>,
}

/// Reads a trace to its end or to its damage, whichever comes first.
pub(crate) fn read(bytes: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    match Reader::new(bytes) {
        Ok(reader) => {
            for event in reader {
                match event {
                    Ok(event) => outcome.events.push(event),
                    Err(error) => {
                        assert!(outcome.error.is_none(), "one error ends a trace");
                        outcome.error = Some(error.to_string());
                    }
                }
            }
        }
        Err(error) => outcome.error = Some(error.to_string()),
    }
    outcome
}

/// The lines that Go would print, without their times and without what needs a calendar.
///
/// Events of equal time may come in another order, which also moves their times by a nanosecond;
/// so the lines are sorted.
fn comparable<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines
        .filter(|line| line.starts_with("M="))
        .map(|line| {
            let line = line.split(" Wall=").next().unwrap_or(line);
            let words = line.split(' ').filter(|word| !word.starts_with("Time="));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

/// Whether Go's tools say the same of a trace as our reader: accepted or not, and if so with the
/// same events, line by line.
pub(crate) fn agree(referee: &Referee, bytes: &[u8]) -> Result<(), String> {
    let ours = read(bytes);
    for verdict in referee.judge_bytes(bytes) {
        // Go 1.25 refuses header 26, which is none of our business.
        if verdict.version.contains("1.25") && bytes.starts_with(b"go 1.26") {
            continue;
        }
        compare(&ours, &verdict).map_err(|what| format!("{}: {what}", verdict.version))?;
    }
    Ok(())
}

fn compare(ours: &Outcome, go: &Verdict) -> Result<(), String> {
    // A table that ends inside an entry is, to Go's reader, the end of the trace: it stops there
    // and finds nothing wrong. Ours says what is missing.
    if go.accepted
        && ours
            .error
            .as_ref()
            .is_some_and(|error| error.contains("failed to read"))
    {
        return Ok(());
    }
    if go.accepted != ours.error.is_none() {
        return Err(format!("Go says {:?}, we say {:?}", go.message, ours.error));
    }
    let ours_by_kind = by_kind(&ours.events);
    if !go.accepted {
        // We may tell more of what came before the damage, never less.
        let more = |kind: &String| ours_by_kind.get(kind).copied().unwrap_or(0);
        return match go.events.iter().find(|&(kind, &count)| more(kind) < count) {
            Some((kind, count)) => Err(format!("Go read {count} {kind}, we {}", more(kind))),
            None => Ok(()),
        };
    }
    if ours_by_kind != go.events {
        return Err(format!("Go read {:?}, we {ours_by_kind:?}", go.events));
    }
    // Go 1.27's wording is the one that `parsed` prints.
    if !go.version.contains("1.27") || !go.text_is_whole {
        return Ok(());
    }
    let printed: String = ours.events.iter().map(parsed::lines).collect();
    let (ours, go) = (comparable(printed.lines()), comparable(go.text.lines()));
    match ours.iter().zip(&go).find(|(ours, go)| ours != go) {
        Some((ours, go)) => Err(format!("Go printed\n  {go}\nwe\n  {ours}")),
        None => Ok(()),
    }
}

fn by_kind(events: &[TraceEvent]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let line = parsed::lines(event);
        if let Some(kind) = line.split(' ').nth(3) {
            *counts.entry(kind.to_string()).or_default() += 1;
        }
    }
    counts
}
