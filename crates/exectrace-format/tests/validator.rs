//! Our validator objects to what Go's objects to: in every case of `cases`, and in traces damaged by
//! chance.
//!
//! A case with lines `# violation: …` expects these objections, in their order; the others are taken
//! as Go takes them. `EXECTRACE_MUTATIONS` and `EXECTRACE_SEED` are as in `mutations.rs`.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use exectrace_format::validate::Rule;
use exectrace_format::{CompactEvent, Reader, Validator, Violation, text};
use exectrace_referee::Referee;

use support::random::Random;
use support::{assert_judged_alike, mutate};

/// Go's validator prints no more, but a line that says so.
const MAX_OBJECTIONS: usize = 20;

fn cases() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let paths = fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<_> = paths.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a case is text");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// What our validator objects to; `None` if the reader refuses the trace.
fn validate(bytes: &[u8]) -> Option<Vec<Violation>> {
    let mut reader = Reader::new(bytes).ok()?;
    let mut validator = Validator::default();
    let mut violations = Vec::new();
    let mut event = CompactEvent::default();
    while reader.next_into(&mut event).ok()? {
        validator.check(&event, &reader, |violation| violations.push(violation));
    }
    Some(violations)
}

/// An objection without ids, numbers and what follows them in parentheses or quotes.
fn comparable(objection: &str) -> String {
    let end = objection
        .find(['(', '{', '"', '%'])
        .unwrap_or(objection.len());
    let words = objection[..end].split(' ');
    let is_word = |word: &&str| !word.contains(|c: char| c.is_ascii_digit()) && *word != "ns";
    let words: Vec<_> = words.filter(is_word).collect();
    let text = words.join(" ");
    // Go says which thread and which values behind these.
    let text = text.split(" on thread").next().unwrap_or_default();
    let text = text.split(" time:").next().unwrap_or_default();
    let text = text.split(" stack frame").next().unwrap_or_default();
    text.trim().to_owned()
}

/// Whether Go's validator objects to the same as ours; nothing if the reader refuses the trace.
fn compare(referee: &Referee, bytes: &[u8], folder: &Path) -> Result<(), String> {
    let Some(ours) = validate(bytes) else {
        return Ok(());
    };
    let path = folder.join("trace");
    fs::write(&path, bytes).expect("a place for files");
    let of_go = |violation: &&Violation| !matches!(violation.rule, Rule::GenerationOrder { .. });
    let mut ours: Vec<_> = ours
        .iter()
        .filter(of_go)
        .map(|violation| comparable(&violation.rule.to_string()))
        .collect();
    for verdict in referee.validate(&path).expect("a validator") {
        // Go's reader takes any experiment, and crashes when it is asked for its name.
        if verdict.message.starts_with("panic: ") {
            continue;
        }
        let lines = verdict
            .message
            .lines()
            .filter_map(|line| line.split_once(" ns: "));
        let mut go: Vec<_> = lines.map(|(_, objection)| comparable(objection)).collect();
        if go.len() == MAX_OBJECTIONS && ours.len() >= MAX_OBJECTIONS {
            continue;
        }
        go.sort();
        ours.sort();
        if go != ours || verdict.accepted != ours.is_empty() {
            return Err(format!(
                "Go objects to {:?}, we to {ours:?}",
                verdict.message
            ));
        }
    }
    Ok(())
}

fn referee() -> Option<Referee> {
    let found = Referee::find().ok();
    if found.is_none() {
        eprintln!("skipped: no referee");
    }
    found
}

#[test]
fn every_case_breaks_the_rules_that_it_names() {
    let mut expecting = 0;
    for (path, case) in cases() {
        let expected = case
            .lines()
            .filter_map(|line| line.strip_prefix("# violation: "));
        let expected: Vec<_> = expected.collect();
        if expected.is_empty() {
            continue;
        }
        expecting += 1;
        let bytes = text::parse(&case).expect("well-formed");
        let violations = validate(&bytes).expect("a trace that the reader accepts");
        let violations: Vec<_> = violations.iter().map(Violation::to_string).collect();
        assert_eq!(violations, expected, "{}", path.display());
    }
    assert!(expecting >= 12, "where are the cases?");
}

#[test]
fn go_objects_to_the_same_in_every_case() {
    let Some(referee) = referee() else { return };
    let folder = tempfile::tempdir().expect("a place for files");
    let mut wrong = Vec::new();
    for (path, case) in cases() {
        let bytes = text::parse(&case).expect("well-formed");
        if let Err(difference) = compare(&referee, &bytes, folder.path()) {
            wrong.push(format!("{}: {difference}", path.display()));
        }
    }
    assert_judged_alike(&wrong);
}

#[test]
fn go_objects_to_the_same_in_traces_damaged_by_chance() {
    let Some(referee) = referee() else { return };
    let folder = tempfile::tempdir().expect("a place for files");
    let number = |variable: &str, default: u64| {
        let value = std::env::var(variable).ok();
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let originals: Vec<_> = cases()
        .into_iter()
        .filter(|(_, case)| case.contains("\n# expect: ok") || case.starts_with("# expect: ok"))
        .collect();
    let seed = number("EXECTRACE_SEED", 1);
    let mut wrong = Vec::new();
    for round in 0..number("EXECTRACE_MUTATIONS", 300) {
        let mut random = Random::new(seed.wrapping_mul(1 << 32) + round);
        let (path, case) = &originals[random.below(originals.len())];
        let mut bytes = text::parse(case).expect("well-formed");
        mutate(&mut bytes, &mut random);
        if let Err(difference) = compare(&referee, &bytes, folder.path()) {
            wrong.push(format!("round {round} of {}: {difference}", path.display()));
        }
    }
    assert_judged_alike(&wrong);
}
