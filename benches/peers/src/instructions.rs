//! Instructions an operation, counted by callgrind on all recording threads.
//!
//! Only what runs inside of the bodies counts: neither start-up nor the tracer's own threads. The clock
//! is one instruction here, whatever it takes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::child::Child;

/// Operations that a body does before those that it is told to do.
const WARM_UP: u64 = 200;

/// Whether there is a valgrind.
pub(crate) fn is_there() -> bool {
    let version = Command::new("valgrind").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Instructions an operation, of `count` on each of `threads`; `None` if the tracer does not know the
/// body.
pub(crate) fn count(
    program: &Path,
    subject: &str,
    body: &str,
    threads: usize,
    count: u64,
) -> Result<Option<f64>, String> {
    let name = format!("exectrace-peers-callgrind.{}", std::process::id());
    let out = std::env::temp_dir().join(name);
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet"])
        .arg("--toggle-collect=exectrace_benches::body::*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    let mut child = Child::start_under(command, subject)?;
    let answer = child.ask(&format!("once {body} {threads} {count} 0"))?;
    child.ask("finish")?;
    drop(child);
    let total =
        fs::read_to_string(&out).map_err(|error| format!("callgrind wrote nothing: {error}"));
    let _ = fs::remove_file(&out);
    if answer.is_none() {
        return Ok(None);
    }
    let total = total?;
    let line = total.lines().find_map(|line| line.strip_prefix("totals:"));
    let line = line.ok_or("callgrind wrote no totals")?;
    let total: f64 = line.trim().parse().map_err(|_| "totals that are none")?;
    Ok(Some(total / (threads as u64 * (count + WARM_UP)) as f64))
}
