//! Our reader and Go's say the same of traces of the old format that were damaged by chance.
//!
//! The damage is seeded, so that a failure can be had again. `EXECTRACE_MUTATIONS` sets how many
//! traces are tried (a few hundred otherwise, at some 20 ms each), `EXECTRACE_SEED` the seed,
//! `EXECTRACE_V1_TRACES` the files to damage, separated by `:`, instead of cases; `EXECTRACE_KEEP`
//! is a folder for those that are judged otherwise.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use exectrace_referee::Referee;

use support::random::Random;
use support::v1_referee::{Refusal, agree_bytes};
use support::{mutate_bytes, read, v1};

/// How often Go is asked before it counts as a difference: it takes procs in random order, and on
/// a damaged trace its verdict may depend on that.
const ATTEMPTS: usize = 5;

/// Good traces to damage.
fn originals() -> Vec<Vec<u8>> {
    if let Some(files) = std::env::var_os("EXECTRACE_V1_TRACES") {
        let files = std::env::split_paths(&files);
        return files
            .map(|file| fs::read(file).expect("a file of EXECTRACE_V1_TRACES"))
            .collect();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/v1/cases");
    [
        "every_event",
        "every_event_go_1_19",
        "every_event_go_1_11",
        "order_by_numbers",
    ]
    .iter()
    .map(|name| {
        let path = folder.join(format!("{name}.v1.txt"));
        let text = fs::read_to_string(path).expect("the case");
        v1::parse(&text).expect("well-formed")
    })
    .collect()
}

/// Damages the bytes, or the lines of the text, where damage goes deeper.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if random.below(3) == 0 {
        mutate_bytes(bytes, random);
        return;
    }
    let printed = v1::print(bytes);
    let mut lines: Vec<String> = printed.lines().map(str::to_string).collect();
    for _ in 0..=random.below(2) {
        mutate_lines(&mut lines, random);
    }
    if let Ok(mutated) = v1::parse(&lines.join("\n")) {
        *bytes = mutated;
    }
}

fn mutate_lines(lines: &mut Vec<String>, random: &mut Random) {
    if lines.len() < 2 {
        return;
    }
    let at = 1 + random.below(lines.len() - 1);
    let other = 1 + random.below(lines.len() - 1);
    match random.below(8) {
        0 | 1 => {
            lines.remove(at);
        }
        2 => lines.swap(at, other),
        3 => lines.insert(other, lines[at].clone()),
        4 => {
            let next = (at + 1).min(lines.len() - 1);
            lines.swap(at, next);
        }
        // Another number somewhere in the line, or another event with the same numbers.
        _ => {
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_string).collect();
            let word = random.below(words.len());
            words[word] = match word {
                0 => lines[other].split(' ').next().unwrap_or_default().into(),
                _ => [
                    "0", "1", "2", "3", "4", "5", "7", "9", "300", "1000001", "none",
                ][random.below(11)]
                .into(),
            };
            lines[at] = words.join(" ");
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// The words of a cause that do not depend on the place.
fn words(cause: &str) -> String {
    let cause = cause.split(" (time ").next().unwrap_or(cause);
    let cause = match cause.split_once(": ") {
        Some((at, cause)) if at.starts_with("at byte") => cause,
        _ => cause,
    };
    let letters = cause.chars().filter(|c| !c.is_ascii_digit());
    letters.take(60).collect()
}

fn agree(referee: &Referee, bytes: &[u8]) -> Result<Vec<Refusal>, String> {
    let mut verdict = Ok(Vec::new());
    for _ in 0..ATTEMPTS {
        verdict = agree_bytes(referee, bytes);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

#[test]
fn go_agrees_about_damaged_traces() {
    let Ok(referee) = Referee::find() else {
        eprintln!("skipped: no referee");
        return;
    };
    let originals = originals();
    let seed = number("EXECTRACE_SEED", 1);
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    let mut causes: BTreeMap<(String, String), u64> = BTreeMap::new();
    for round in 0..number("EXECTRACE_MUTATIONS", 300) {
        let mut random = Random::new(seed.wrapping_mul(1 << 32) + round);
        let mut bytes = originals[random.below(originals.len())].clone();
        mutate(&mut bytes, &mut random);
        match agree(&referee, &bytes) {
            Ok(refusals) => {
                accepted += u64::from(refusals.is_empty());
                for both in refusals {
                    let causes = causes.entry((words(&both.ours), words(&both.go)));
                    *causes.or_default() += 1;
                }
            }
            Err(difference) => {
                wrong.push(format!("round {round}: {difference}"));
                if let Ok(folder) = std::env::var("EXECTRACE_KEEP") {
                    let path = Path::new(&folder).join(format!("round-{round}.trace"));
                    fs::write(path, &bytes).expect("the folder of EXECTRACE_KEEP");
                }
            }
        }
    }
    eprintln!("{accepted} accepted; causes, ours and Go's:");
    for ((ours, go), count) in causes {
        let mark = if ours == go { " " } else { "!" };
        eprintln!("{mark} {count:5} {ours:?} {go:?}");
    }
    support::assert_judged_alike(&wrong);
}

#[test]
fn a_cut_anywhere_is_one_error() {
    let original = originals().swap_remove(0);
    for length in 0..original.len() {
        let cut = read(&original[..length]);
        // The speed of the clock stands at the end.
        assert!(cut.error.is_some(), "cut at {length}");
        assert!(cut.events.is_empty(), "cut at {length}");
    }
}
