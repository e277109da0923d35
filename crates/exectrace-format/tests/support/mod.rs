//! What several tests need: reading a trace to its end, and comparing that with Go.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod bodies;
pub(crate) mod compact;
pub(crate) mod parsed;
pub(crate) mod random;
pub(crate) mod v1;
pub(crate) mod v1_referee;

use std::collections::BTreeMap;
use std::io::Read;

use exectrace_format::text;
use exectrace_format::{ReadError, Reader, TraceEvent};
use exectrace_referee::{Referee, Verdict};

use random::Random;

/// What came of reading a trace to its end.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<TraceEvent>,
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// Reads to the end.
    pub(crate) fn of(reader: Reader<impl Read>) -> Self {
        let mut outcome = Self::default();
        for event in reader {
            match event {
                Ok(event) => outcome.events.push(event),
                Err(error) => {
                    assert!(outcome.error.is_none(), "one error ends a trace");
                    outcome.error = Some(error.to_string());
                }
            }
        }
        outcome
    }

    /// Not even the header can be read.
    pub(crate) fn refused(error: &ReadError) -> Self {
        Self {
            events: Vec::new(),
            error: Some(error.to_string()),
        }
    }
}

/// Reads a trace to its end or to its damage, whichever comes first.
pub(crate) fn read(bytes: &[u8]) -> Outcome {
    match Reader::new(bytes) {
        Ok(reader) => Outcome::of(reader),
        Err(error) => Outcome::refused(&error),
    }
}

/// The lines that Go would print, without their times and without what needs a calendar.
///
/// Events of equal time may come in another order, which also moves their times by a nanosecond;
/// so the lines are sorted.
fn comparable<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines
        .filter(|line| line.starts_with("M="))
        .map(|line| {
            let line = plain(line.split(" Wall=").next().unwrap_or(line));
            let words = line.split(' ').filter(|word| !word.starts_with("Time="));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

/// The line without the texts that Go and Rust escape differently.
pub(crate) fn plain(line: &str) -> String {
    let odd = |text: &str| text.contains('\\') || text.chars().any(|c| !(' '..='~').contains(&c));
    let parts = line
        .split('"')
        .map(|part| if odd(part) { "?" } else { part });
    parts.collect::<Vec<_>>().join("\"")
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

/// How many events of other threads may stand at the time of a damaged one.
const EQUAL_TIMES: u64 = 5;

fn compare(ours: &Outcome, go: &Verdict) -> Result<(), String> {
    // Where a number is missing at the very end of a table, or the experiment at the end of the
    // file, Go's reader takes that for the end of the trace. Ours says what is missing.
    let ends_early = |error: &String| {
        error.contains("failed to read") || error.contains("error reading batch experiment")
    };
    if go.accepted && ours.error.as_ref().is_some_and(ends_early) {
        return Ok(());
    }
    // Go's reader takes any experiment; only what prints its name crashes.
    if go.message.starts_with("panic: ") && go.message.contains("internal/trace.Event.Sync(") {
        return Ok(());
    }
    if go.accepted != ours.error.is_none() {
        return Err(format!("Go says {:?}, we say {:?}", go.message, ours.error));
    }
    let ours_by_kind = by_kind(&ours.events);
    if !go.accepted {
        // We may yield more of what came before the damage; less only where events of equal time
        // were taken in another order.
        let more = |kind: &String| ours_by_kind.get(kind).copied().unwrap_or(0) + EQUAL_TIMES;
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

pub(crate) fn by_kind(events: &[TraceEvent]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let line = parsed::lines(event);
        if let Some(kind) = line.split(' ').nth(3) {
            *counts.entry(kind.to_string()).or_default() += 1;
        }
    }
    counts
}

/// Damages a trace by chance: in its bytes, or in the lines of its text, where damage goes deeper.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if random.below(3) == 0 {
        mutate_bytes(bytes, random);
        return;
    }
    let printed = text::print(bytes);
    let mut lines: Vec<String> = printed.lines().map(str::to_string).collect();
    for _ in 0..=random.below(2) {
        mutate_lines(&mut lines, random);
    }
    let text = lines.join("\n");
    if let Ok(mutated) = text::parse(&text) {
        *bytes = mutated;
    }
}

pub(crate) fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.next() as u8,
        3 => {
            bytes.remove(at);
        }
        _ => bytes.insert(at, random.next() as u8),
    }
}

fn mutate_lines(lines: &mut Vec<String>, random: &mut Random) {
    if lines.len() < 2 {
        return;
    }
    let at = 1 + random.below(lines.len() - 1);
    let other = 1 + random.below(lines.len() - 1);
    match random.below(8) {
        0 => {
            lines.remove(at);
        }
        1 => lines.swap(at, other),
        2 => lines.insert(other, lines[at].clone()),
        3 => {
            let next = (at + 1).min(lines.len() - 1);
            lines.swap(at, next);
        }
        // Another number somewhere in the line.
        _ => {
            let value = [0, 1, 2, 3, 4, 5, 7, 8, 10, u64::MAX][random.below(10)];
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_string).collect();
            let word = random.below(words.len());
            if let Some((name, _)) = words[word].split_once('=') {
                words[word] = format!("{name}={value}");
                lines[at] = words.join(" ");
            }
        }
    }
}

/// Fails if there are traces that Go and we judge otherwise, each given by a line; shows the first.
pub(crate) fn assert_judged_alike(wrong: &[String]) {
    for difference in wrong.iter().take(20) {
        eprintln!("{difference}");
    }
    assert!(
        wrong.is_empty(),
        "{} traces are judged otherwise",
        wrong.len()
    );
}
