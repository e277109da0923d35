//! Counts the instructions of spans, events and regions with callgrind.
//!
//! Each body runs N times and 2 N times, and the difference is divided by N, so that start-up does
//! not count. Only the thread that records is counted. The clock is one instruction here, whatever it
//! takes, so these figures say how much code there is and not how long it runs.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use exectrace_benches::{
    Body, Counts, Subject, Verdicts, check, conclude, describe_run, instructions, keep, run_once,
    valgrind,
};

const USAGE: &str = "usage: cargo bench -p exectrace-benches --bench instructions \
    [-- --quick | --check | --write]";

/// What our own subjects took when the file was written last, with `--write`. `--check` fails where
/// they take otherwise now: more is to be explained, less to be kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// How far from what was kept they may be.
const ALLOWED: f64 = 0.03;

/// What is done with the counts beside showing them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Check,
    Write,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--run", subject, body, count] => run(subject, body, count),
        ["--bench"] => bench(20_000, &Body::ALL, "", Then::Nothing),
        ["--check", "--bench"] => bench(5_000, &Body::ALL, " -- --check", Then::Check),
        ["--write", "--bench"] => bench(20_000, &Body::ALL, " -- --write", Then::Write),
        ["--quick", "--bench"] | ["--bench", "--quick"] | ["--quick"] | [] => bench(
            2_000,
            &[Body::Span, Body::Region],
            " -- --quick",
            Then::Nothing,
        ),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    conclude(outcome)
}

/// What callgrind looks at.
fn run(subject: &str, body: &str, count: &str) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let subject = Subject::named(subject).ok_or_else(invalid)?;
    let body = Body::named(body).ok_or_else(invalid)?;
    run_once(subject, body, count.parse().map_err(io::Error::other)?)
}

fn bench(count: u64, bodies: &[Body], arguments: &str, then: Then) -> io::Result<()> {
    println!("{}", describe_run("instructions", arguments));
    let Some(version) = valgrind() else {
        println!("skipped: there is no valgrind");
        return Ok(());
    };
    print!("{version}");
    println!("\n| instructions | {} |", names(bodies).join(" | "));
    println!("|---|{}", "---:|".repeat(bodies.len()));
    let mut counted = BTreeMap::new();
    for subject in Subject::ALL {
        let mut cells = Vec::new();
        for &body in bodies {
            if !subject.does(body) {
                cells.push(String::new());
                continue;
            }
            let run = |count: u64| {
                instructions(&["--run", subject.name(), body.name(), &count.to_string()])
            };
            let (once, twice) = (run(count)?, run(2 * count)?);
            let each = (twice as f64 - once as f64) / count as f64;
            counted.insert((subject, body), each);
            cells.push(format!("{each:.1}"));
        }
        if cells.iter().any(|cell| !cell.is_empty()) {
            println!("| {} | {} |", subject.name(), cells.join(" | "));
        }
    }
    judge(&counted);
    match then {
        Then::Nothing => Ok(()),
        Then::Check => check(&ours(&counted), KEPT, ALLOWED),
        Then::Write => keep(&ours(&counted), KEPT),
    }
}

/// The counts of our own subjects.
fn ours(counted: &BTreeMap<(Subject, Body), f64>) -> Counts {
    let ours = counted.iter().filter(|((subject, _), _)| subject.is_ours());
    let named = ours.map(|((subject, body), &each)| {
        ((subject.name().to_owned(), body.name().to_owned()), each)
    });
    named.collect()
}

fn names(bodies: &[Body]) -> Vec<&'static str> {
    bodies.iter().map(|body| body.name()).collect()
}

/// A call site that is off costs what it costs with no subscriber.
fn judge(counted: &BTreeMap<(Subject, Body), f64>) {
    let mut verdicts = Verdicts::default();
    for (&(subject, body), each) in counted {
        let baseline = subject.baseline().filter(|_| subject.is_off());
        let baseline = baseline.and_then(|baseline| counted.get(&(baseline, body)));
        if let Some(baseline) = baseline {
            let what = format!(
                "{}, {}, more than no subscriber",
                subject.name(),
                body.name()
            );
            verdicts.at_most(&what, each - baseline, 5.0, " instructions");
        }
    }
    verdicts.print();
}
