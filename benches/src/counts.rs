//! Instructions, counted by callgrind, and what they were when they were kept last.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Counts by subject and body.
pub type Counts = BTreeMap<(String, String), f64>;

/// valgrind's version; `None` if it is not there.
#[must_use]
pub fn valgrind() -> Option<String> {
    let version = Command::new("valgrind").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&version.stdout).into_owned())
}

/// Instructions of the first thread of the bench itself, run with these arguments, from start to end.
///
/// # Errors
/// If callgrind cannot run it, or it fails.
pub fn instructions<A: AsRef<OsStr>>(arguments: &[A]) -> io::Result<u64> {
    let name = format!("exectrace-callgrind.{}", std::process::id());
    let out = std::env::temp_dir().join(name);
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
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

/// Keeps counts in a file, as lines of count, subject and body after the compiler's version.
///
/// # Errors
/// If the file cannot be written.
pub fn keep(counts: &Counts, path: &str) -> io::Result<()> {
    let lines = counts
        .iter()
        .map(|((subject, body), each)| format!("{each:.1}\t{subject}\t{body}\n"));
    let text = format!("{}\n{}", rustc(), lines.collect::<String>());
    std::fs::write(path, text)
}

/// Compares with what was kept; with that of another compiler there is nothing to compare.
///
/// # Errors
/// If some count is off by more than the `allowed` share, or was not counted today.
pub fn check(counts: &Counts, path: &str, allowed: f64) -> io::Result<()> {
    let kept = std::fs::read_to_string(path)?;
    let mut lines = kept.lines();
    if lines.next() != Some(rustc().as_str()) {
        println!("skipped: {path} is of another compiler than {}", rustc());
        return Ok(());
    }
    let mut differing = 0;
    for line in lines {
        let parts: Vec<&str> = line.split('\t').collect();
        let [count, subject, body] = parts[..] else {
            return Err(io::Error::other(format!("no count: {line}")));
        };
        let was = count.parse::<f64>().map_err(io::Error::other)?;
        let Some(&is) = counts.get(&(subject.to_owned(), body.to_owned())) else {
            return Err(io::Error::other(format!("not a count of today's: {line}")));
        };
        // A tenth of an instruction is noise, also where there are few.
        if (is - was).abs() > (was * allowed).max(0.5) {
            println!("{line}: now {is:.1}");
            differing += 1;
        }
    }
    if differing > 0 {
        let message = format!(
            "{differing} counts are more than {:.0}% off; if that is meant: -- --write",
            allowed * 100.0
        );
        return Err(io::Error::other(message));
    }
    println!(
        "all counts are within {:.0}% of those kept",
        allowed * 100.0
    );
    Ok(())
}

fn rustc() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    version.unwrap_or_default()
}
