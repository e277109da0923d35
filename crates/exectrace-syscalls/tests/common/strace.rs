//! Counts system calls of the program with strace, to compare with its own counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// System calls with the names of the calls that make them, as the program counts these. What is in brackets it
/// makes through `syscall`.
const MADE_BY: &[(&str, &[&str])] = &[
    ("openat", &["open", "openat", "(openat)"]),
    ("read", &["read", "(read)", "(read, cancelled)"]),
    ("write", &["write"]),
    ("readv", &["readv"]),
    ("writev", &["writev"]),
    ("pread64", &["pread"]),
    ("pwrite64", &["pwrite"]),
    ("preadv", &["preadv"]),
    ("pwritev", &["pwritev"]),
    ("fsync", &["fsync"]),
    ("fdatasync", &["fdatasync"]),
    ("sync_file_range", &["sync_file_range"]),
    ("msync", &["msync"]),
    ("statx", &["statx"]),
    ("access", &["access"]),
    ("unlink", &["unlink"]),
    ("unlinkat", &["unlinkat"]),
    ("mkdir", &["mkdir"]),
    ("rmdir", &["rmdir"]),
    ("link", &["link"]),
    ("symlink", &["symlink"]),
    ("readlink", &["readlink"]),
    ("ftruncate", &["ftruncate"]),
    ("fallocate", &["fallocate"]),
    ("copy_file_range", &["copy_file_range"]),
    ("sendfile", &["sendfile"]),
    ("splice", &["splice"]),
    ("flock", &["flock"]),
    ("close", &["close", "(close)"]),
    ("connect", &["connect"]),
    ("poll", &["poll"]),
    ("wait4", &["waitpid"]),
    ("waitid", &["waitid"]),
    ("accept", &["accept"]),
    ("recvfrom", &["recv", "recvfrom"]),
    ("recvmsg", &["recvmsg"]),
    ("sendto", &["send", "sendto"]),
    ("sendmsg", &["sendmsg"]),
    ("shutdown", &["shutdown"]),
    (
        "clock_nanosleep",
        &["nanosleep", "clock_nanosleep", "usleep", "sleep"],
    ),
    ("epoll_ctl", &["epoll_ctl"]),
];

/// What the C library does more inside of functions that are counted themselves: the system call, how often, and why.
const INSIDE: &[(&str, u64, &str)] = &[("openat", 1, "opendir opens the folder")];

/// Runs the program under strace. Returns what it printed and a line for each system call.
pub(crate) fn run(program: &Path, trace: &Path, log: &Path) -> std::io::Result<(String, String)> {
    let names: Vec<_> = MADE_BY.iter().map(|(name, _)| *name).collect();
    let wanted = format!("trace={},prctl", names.join(","));
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "signal=none", "-e", &wanted, "-o"])
        .arg(log)
        .arg(program)
        .arg(trace)
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((
        String::from_utf8_lossy(&output.stdout).into_owned(),
        std::fs::read_to_string(log)?,
    ))
}

/// System calls between the program's two marks by those who are not left out, by name.
fn counted(log: &str, left_out: &BTreeSet<&str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut is_between = false;
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        is_between |= call.starts_with("access(\"/exectrace-begin\"");
        // The rest of a call that another thread's line has interrupted has no bracket after its name.
        if let (true, false, Some((name, _))) =
            (is_between, left_out.contains(thread), call.split_once('('))
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
        if call.starts_with("access(\"/exectrace-end\"") {
            break;
        }
    }
    counts
}

/// Compares what strace saw with what the program made. Every difference must have its cause.
pub(crate) fn compare(log: &str, made: &BTreeMap<String, u64>, children: &BTreeSet<String>) {
    // The tracer's own thread names itself.
    let tracers = log
        .lines()
        .filter(|line| line.contains("prctl(PR_SET_NAME, \"exectrace"))
        .filter_map(|line| line.split(' ').next());
    let left_out: BTreeSet<&str> = tracers
        .chain(children.iter().map(|child| &**child))
        .collect();
    assert!(
        left_out.len() > children.len(),
        "the tracer's thread is not found"
    );
    let counted = counted(log, &left_out);
    let mut wrong = Vec::new();
    for (name, makers) in MADE_BY {
        let made: u64 = makers.iter().map(|maker| made[*maker]).sum();
        let inside: u64 = INSIDE
            .iter()
            .filter(|(of, _, _)| of == name)
            .map(|(_, calls, why)| {
                println!("{name}: {calls} of the C library's own: {why}");
                calls
            })
            .sum();
        let seen = counted.get(*name).copied().unwrap_or(0);
        if seen != made + inside {
            wrong.push(format!(
                "{name}: {made} made, {inside} inside, {seen} seen by strace"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
