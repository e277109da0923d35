//! Compares what our reader says of a trace of the old format with what Go's says: the verdict, its
//! cause, and all events with their times and stacks.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;

use exectrace_format::TraceEvent;
use exectrace_referee::{Referee, Verdict};

use super::{Outcome, by_kind, parsed, plain, read};

/// Whether Go's tools say the same of a file. Where both refuse it, the causes are for the caller.
pub(crate) fn agree(referee: &Referee, file: &Path) -> Result<Vec<Refusal>, String> {
    let ours = read(&std::fs::read(file).map_err(|error| error.to_string())?);
    let mut refusals = Vec::new();
    let mut lines = Vec::new();
    for verdict in referee.judge_lines(file, |tool, line| {
        lines.push((tool.to_string(), line.to_string()));
    }) {
        let printed = lines.iter().filter(|(tool, _)| *tool == verdict.version);
        let printed: Vec<&str> = printed.map(|(_, line)| line.as_str()).collect();
        refusals.extend(
            compare(&ours, &verdict, &printed)
                .map_err(|what| format!("{}: {what}", verdict.version))?,
        );
    }
    Ok(refusals)
}

/// As [`agree`], for a trace in memory.
pub(crate) fn agree_bytes(referee: &Referee, bytes: &[u8]) -> Result<Vec<Refusal>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("trace");
    std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
    agree(referee, &file)
}

/// Why a trace is refused, here and there.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) ours: String,
    pub(crate) go: String,
}

fn compare(ours: &Outcome, go: &Verdict, printed: &[&str]) -> Result<Option<Refusal>, String> {
    match &ours.error {
        Some(error) if !go.accepted => {
            let (ours, go) = (error.clone(), go.message.clone());
            return Ok(Some(Refusal { ours, go }));
        }
        None if go.accepted => {}
        error => return Err(format!("Go says {:?}, we say {error:?}", go.message)),
    }
    let counts = by_kind(&ours.events);
    if counts != go.events {
        return Err(format!("Go read {:?}, we {counts:?}", go.events));
    }
    // Go 1.27's wording is the one that `parsed` prints.
    if !go.version.contains("1.27") {
        return Ok(None);
    }
    let text: String = ours.events.iter().map(parsed::lines).collect();
    let ours_by_line = Events::of(text.lines());
    let go = Events::of(printed.iter().copied());
    if ours_by_line.times != times(&ours.events) {
        return Err("the test misreads our own times".to_string());
    }
    let differs = |what: &str, ours: &[String], go: &[String]| {
        let place = ours.iter().zip(go).position(|(ours, go)| ours != go);
        let place = place.unwrap_or(ours.len().min(go.len()));
        let (ours, go) = (ours.get(place), go.get(place));
        Err(format!("{what} {place}: Go {go:?}, we {ours:?}"))
    };
    if ours_by_line.times != go.times {
        return differs("time", &ours_by_line.times, &go.times);
    }
    if ours_by_line.events != go.events {
        return differs("event", &ours_by_line.events, &go.events);
    }
    Ok(None)
}

fn times(events: &[TraceEvent]) -> Vec<String> {
    events.iter().map(|event| event.time.to_string()).collect()
}

/// What was printed: the times in their order, and the events without them, sorted.
///
/// Of events at one time Go takes any first, by chance; that moves the others by nanoseconds.
struct Events {
    times: Vec<String>,
    events: Vec<String>,
}

impl Events {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut printed = Self {
            times: Vec::new(),
            events: Vec::new(),
        };
        for line in lines {
            if line.starts_with("M=") {
                let mut words: Vec<&str> = line.split(' ').collect();
                let time = words.iter().position(|word| word.starts_with("Time="));
                let time = time.map(|place| words.remove(place)).unwrap_or_default();
                printed.times.push(time.replace("Time=", ""));
                printed.events.push(plain(&words.join(" ")));
            } else if let Some(event) = printed.events.last_mut() {
                event.push('\n');
                event.push_str(&String::from_utf8_lossy(line.as_bytes()));
            }
        }
        for event in &mut printed.events {
            event.truncate(event.trim_end().len());
        }
        printed.events.sort();
        printed
    }
}
