//! Instructions an operation, counted by callgrind on the recording threads.
//!
//! Only what runs inside of the bodies counts: neither start-up nor the tracer's own threads. The clock
//! is one instruction here, whatever it takes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::child::Child;

/// The functions that hold the bodies' loops; none calls another.
const LOOPS: [&str; 3] = [
    "exectrace_benches::body::spans*",
    "exectrace_benches::body::events*",
    "exectrace_benches::body::regions*",
];
/// How many operations a body does before those that are asked for.
const WARM_UP: u64 = 200;

/// Whether there is a valgrind.
pub(crate) fn is_there() -> bool {
    let version = Command::new("valgrind").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Instructions an operation on one thread, of those that a process with twice as many has more.
pub(crate) fn difference(
    once: Result<Option<f64>, String>,
    twice: Result<Option<f64>, String>,
    count: u64,
) -> Result<Option<f64>, String> {
    let Some((once, twice)) = once?.zip(twice?) else {
        return Ok(None);
    };
    let (once, twice) = (
        once * (count + WARM_UP) as f64,
        twice * (2 * count + WARM_UP) as f64,
    );
    Ok(Some((twice - once) / count as f64))
}

/// Instructions an operation, of `count` on each of `threads`; `None` if the tracer does not know the
/// body.
pub(crate) fn count(
    program: &Path,
    subject: &str,
    body: &str,
    threads: u64,
    count: u64,
) -> Result<Option<f64>, String> {
    let name = format!("exectrace-peers-callgrind.{}", std::process::id());
    let out = std::env::temp_dir().join(name);
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(LOOPS.map(|name| format!("--toggle-collect={name}")))
        .arg(program);
    let mut child = Child::start_under(command, subject)?;
    let answer = child.ask(&format!("once {body} {threads} {count} 0"))?;
    child.ask("finish")?;
    drop(child);
    let text = fs::read_to_string(&out);
    let _ = fs::remove_file(&out);
    if answer.is_none() {
        return Ok(None);
    }
    let text = text.map_err(|error| format!("callgrind wrote nothing: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"));
    let line = line.ok_or("callgrind wrote no totals")?;
    let total: Result<f64, _> = line.trim().parse();
    let total = total.map_err(|_| "callgrind's totals are no number")?;
    Ok(Some(total / (threads * (count + WARM_UP)) as f64))
}
