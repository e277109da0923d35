//! Counts the instructions of spans, events and regions with callgrind.
//!
//! Each body runs N times and 2 N times, and the difference is divided by N, so that start-up does
//! not count. Only the thread that records is counted. The clock is one instruction here, whatever it
//! takes, so these figures say how much code there is and not how long it runs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use exectrace_benches::{Body, Subject, Verdicts, describe_run, run_once};

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
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
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
    let valgrind = Command::new("valgrind").arg("--version").output();
    let Ok(version) = valgrind else {
        println!("skipped: there is no valgrind");
        return Ok(());
    };
    print!("{}", String::from_utf8_lossy(&version.stdout));
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
            let (once, twice) = (
                instructions(subject, body, count)?,
                instructions(subject, body, 2 * count)?,
            );
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
        Then::Check => check(&counted, &std::fs::read_to_string(KEPT)?),
        Then::Write => std::fs::write(KEPT, kept(&counted)),
    }
}

/// The counts of our own subjects as lines of count, subject and body, after the compiler's version.
fn kept(counted: &BTreeMap<(Subject, Body), f64>) -> String {
    let ours = counted.iter().filter(|((subject, _), _)| subject.is_ours());
    let lines = ours
        .map(|((subject, body), each)| format!("{each:.1}\t{}\t{}\n", subject.name(), body.name()));
    format!("{}\n{}", rustc(), lines.collect::<String>())
}

/// Compares with what was kept; with that of another compiler there is nothing to compare.
fn check(counted: &BTreeMap<(Subject, Body), f64>, kept: &str) -> io::Result<()> {
    let mut lines = kept.lines();
    if lines.next() != Some(rustc().as_str()) {
        println!("skipped: {KEPT} is of another compiler than {}", rustc());
        return Ok(());
    }
    let mut differing = 0;
    for line in lines {
        let mut parts = line.split('\t');
        let (count, subject, body) = (parts.next(), parts.next(), parts.next());
        let key = subject
            .and_then(Subject::named)
            .zip(body.and_then(Body::named));
        let was = count.and_then(|count| count.parse::<f64>().ok());
        let (Some(was), Some(&is)) = (was, key.and_then(|key| counted.get(&key))) else {
            return Err(io::Error::other(format!("not a count of today's: {line}")));
        };
        // A tenth of an instruction is noise, also where there are few.
        if (is - was).abs() > (was * ALLOWED).max(0.5) {
            println!("{line}: now {is:.1}");
            differing += 1;
        }
    }
    if differing > 0 {
        let message =
            format!("{differing} counts are more than 3% off; if that is meant: -- --write");
        return Err(io::Error::other(message));
    }
    println!("all counts are within 3% of those kept");
    Ok(())
}

fn rustc() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_default()
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

/// Instructions of the thread that records, from its start to its end.
fn instructions(subject: Subject, body: Body, count: u64) -> io::Result<u64> {
    let name = format!("exectrace-callgrind.{}", std::process::id());
    let out = std::env::temp_dir().join(name);
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--run", subject.name(), body.name(), &count.to_string()])
        .stderr(Stdio::inherit())
        .status()?;
    if !status.success() {
        return Err(io::Error::other("valgrind failed"));
    }
    // One file for each thread, the first being the main thread's.
    let first = format!("{}-01", out.display());
    let total = totals(Path::new(&first));
    for thread in 1..100 {
        let file = format!("{}-{thread:02}", out.display());
        if std::fs::remove_file(file).is_err() {
            break;
        }
    }
    let _ = std::fs::remove_file(&out);
    total
}

/// The total of a file of callgrind's.
fn totals(path: &Path) -> io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("totals:"))
        .ok_or(io::ErrorKind::InvalidData)?;
    line.trim().parse().map_err(io::Error::other)
}
