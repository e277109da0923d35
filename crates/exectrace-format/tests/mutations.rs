//! Our reader and Go's say the same of traces that were damaged by chance.
//!
//! The damage is seeded, so that a failure can be had again. `EXECTRACE_MUTATIONS` sets how many
//! traces are tried (a few hundred otherwise, at some 20 ms each), `EXECTRACE_SEED` the seed,
//! `EXECTRACE_TRACES` the files to damage, separated by `:`, instead of cases; `EXECTRACE_KEEP` is
//! a folder for the texts of those that are judged otherwise.

mod support;

use std::fs;
use std::path::Path;

use exectrace_format::text;
use exectrace_referee::Referee;

use support::random::Random;
use support::{agree, mutate, read};

/// Good traces to damage.
fn originals() -> Vec<Vec<u8>> {
    if let Some(files) = std::env::var_os("EXECTRACE_TRACES") {
        let files = std::env::split_paths(&files);
        return files
            .map(|file| fs::read(file).expect("a file of EXECTRACE_TRACES"))
            .collect();
    }
    cases()
}

fn cases() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    [
        "every_event",
        "every_event",
        "every_event_go_1_26",
        "every_event_go_1_23",
        "preamble",
    ]
    .iter()
    .map(|name| {
        let path = folder.join(format!("{name}.trace.txt"));
        let text = fs::read_to_string(path).expect("the case");
        text::parse(&text).expect("well-formed")
    })
    .collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

#[test]
fn go_agrees_about_damaged_traces() {
    let Ok(referee) = Referee::find() else {
        eprintln!("skipped: no referee");
        return;
    };
    let originals = originals();
    let seed = number("EXECTRACE_SEED", 1);
    let mut wrong = Vec::new();
    for round in 0..number("EXECTRACE_MUTATIONS", 300) {
        let mut random = Random::new(seed.wrapping_mul(1 << 32) + round);
        let mut bytes = originals[random.below(originals.len())].clone();
        mutate(&mut bytes, &mut random);
        if let Err(difference) = agree(&referee, &bytes) {
            wrong.push(format!("round {round}: {difference}"));
            if let Ok(folder) = std::env::var("EXECTRACE_KEEP") {
                let path = Path::new(&folder).join(format!("round-{round}.trace.txt"));
                fs::write(path, text::print(&bytes)).expect("the folder of EXECTRACE_KEEP");
            }
        }
    }
    support::assert_judged_alike(&wrong);
}

#[test]
fn a_cut_anywhere_yields_what_was_complete_and_no_more_than_one_error() {
    for bytes in cases() {
        let whole = read(&bytes).events;
        let mut before = 0;
        for length in 0..bytes.len() {
            let cut = read(&bytes[..length]);
            let known = cut.events.len();
            assert!(known <= whole.len());
            // Header 26 discards an unfinished generation; else a longer file never yields less,
            // but for the order of times, which the cut threads share.
            if bytes.starts_with(b"go 1.25") && cut.error.is_none() {
                assert!(known >= before, "{length}: {known} < {before}");
                before = known;
            }
        }
    }
}
