//! Builds a program that makes each call a known number of times, in the ways in which programs are built, and runs
//! it. The program checks itself what calls return, that `errno` is as it must be, and that threads can be cancelled.
//!
//! `EXECTRACE_MATRIX=all` builds it in all ways, as `.ci/run syscalls` does; another value is one of the ways: a
//! variant's name, `strace`, `harness` or `off`. Without it that is `debug`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use exectrace_format::{GoState, Reader, SideRecord, StateChange, TraceEventKind};

/// A way to build the program.
struct Variant {
    name: &'static str,
    profile: &'static str,
    features: &'static str,
    /// Elsewhere than for this machine and its C library.
    target: Option<&'static str>,
    flags: &'static str,
}

const DEBUG: Variant = Variant {
    name: "debug",
    profile: "dev",
    features: "",
    target: None,
    flags: "",
};

const GNU: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

const VARIANTS: &[Variant] = &[
    DEBUG,
    Variant {
        name: "jemalloc",
        features: "tikv-jemallocator",
        ..DEBUG
    },
    Variant {
        name: "mimalloc",
        features: "mimalloc",
        ..DEBUG
    },
    Variant {
        name: "release",
        profile: "release",
        ..DEBUG
    },
    Variant {
        name: "thin LTO",
        profile: "thin",
        ..DEBUG
    },
    Variant {
        name: "fat LTO",
        profile: "fat",
        ..DEBUG
    },
    Variant {
        name: "glibc, static",
        target: Some(GNU),
        flags: "-C target-feature=+crt-static",
        ..DEBUG
    },
    Variant {
        name: "musl, static",
        target: Some(MUSL),
        profile: "release",
        ..DEBUG
    },
];

impl Variant {
    fn cargo(&self, command: &str) -> Command {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix/Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        // Not `--locked`: what the tracer needs changes, and the lock file follows.
        cargo
            .args([command, "--quiet", "--manifest-path"])
            .arg(manifest);
        cargo.args(["--package", "program", "--profile", self.profile]);
        cargo.args(["--features", self.features]);
        if let Some(target) = self.target {
            cargo.args(["--target", target]);
        }
        cargo.env("CARGO_TARGET_DIR", target_folder());
        cargo
            .env("RUSTFLAGS", self.flags)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo
    }

    fn program(&self) -> PathBuf {
        let profile = match self.profile {
            "dev" => "debug",
            other => other,
        };
        let folder = target_folder().join(self.target.unwrap_or_default());
        folder.join(profile).join("program")
    }

    /// Why it cannot be built here.
    fn missing(&self) -> Option<String> {
        let target = self.target?;
        let libraries = Command::new("rustc")
            .args(["--print", "target-libdir", "--target", target])
            .output()
            .expect("rustc");
        let folder = String::from_utf8_lossy(&libraries.stdout).trim().to_owned();
        (!Path::new(&folder).exists()).then(|| format!("the target {target} is not installed"))
    }
}

fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix")
}

fn succeeds(variant: &Variant, command: &mut Command) -> Output {
    let output = command.output().expect("a command that starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}: {command:?}: {text}",
        variant.name
    );
    output
}

/// What the program says that it did.
#[derive(Debug, Default)]
struct Said {
    /// How many calls it made, by the name that they have in a trace.
    made: BTreeMap<String, u64>,
    /// The names of calls that this build records.
    seen: BTreeSet<String>,
    /// The processes that it forked.
    children: BTreeSet<String>,
}

impl Said {
    fn by(output: &str) -> Self {
        let mut said = Self::default();
        for line in output.lines() {
            if let Some(line) = line.strip_prefix("made ") {
                let mut parts = line.rsplitn(3, ' ').skip(1);
                let (calls, name) = (parts.next().unwrap(), parts.next().unwrap());
                said.made.insert(name.to_owned(), calls.parse().unwrap());
                continue;
            }
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["child", child] => {
                    said.children.insert(child.to_owned());
                }
                ["seen", name, _function] => {
                    said.seen.insert(name.to_owned());
                }
                _ => {}
            }
        }
        said
    }
}

/// How many calls a trace has, by name: those that have events, and those that were counted.
fn recorded(trace: &Path) -> BTreeMap<String, u64> {
    let reader = Reader::new(BufReader::new(File::open(trace).unwrap())).unwrap();
    let mut calls = BTreeMap::new();
    let mut add = |name: &str, number| *calls.entry(name.to_owned()).or_insert(0) += number;
    for event in reader {
        let event = event.unwrap();
        let leaf = event.stack.as_ref().and_then(|stack| stack.first());
        match &event.kind {
            TraceEventKind::StateTransition {
                change:
                    StateChange::Go {
                        from: GoState::Running,
                        to: GoState::Syscall | GoState::Waiting,
                        ..
                    },
                ..
            } => add(leaf.map_or("", |frame| &*frame.function), 1),
            TraceEventKind::SideData(SideRecord::CallCounts { call, calls, .. }) => {
                add(call, *calls);
            }
            TraceEventKind::SideData(SideRecord::DriverWait { .. }) => add("epoll_wait", 1),
            _ => {}
        }
    }
    calls
}

/// Compares what the program says with what its trace has.
fn compare(variant: &Variant, said: &Said, recorded: &BTreeMap<String, u64>) {
    let mut wrong = Vec::new();
    for name in &said.seen {
        let found = recorded.get(name).copied().unwrap_or(0);
        let of = |names: &[&str]| names.iter().map(|name| said.made[*name]).sum();
        let is_musl = variant.target == Some(MUSL);
        let made: u64 = match &**name {
            // A thread that is cancelled has begun to read.
            "read" => of(&["read", "(read, cancelled)"]),
            // In a static program the C library's functions call these by their names.
            "nanosleep" if is_musl => of(&["nanosleep", "usleep", "sleep"]),
            "open" if is_musl => of(&["open", "opendir"]),
            name => of(&[name]),
        };
        // The locks of the standard library wait as often as they must.
        if found != made && !(name == "futex" && found > made) {
            wrong.push(format!("{name}: {made} made, {found} recorded"));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", variant.name);
}

/// A program with the tracer's allocator around its own has allocated 40,000 times 1,003 bytes, of which there are 77
/// samples and not less than 15: seven standard deviations less. Another thread has freed all.
fn has_samples_of_the_heap(variant: &Variant, trace: &Path) {
    let reader = Reader::new(BufReader::new(File::open(trace).unwrap())).unwrap();
    let (mut sampled, mut freed, mut allocated) = (BTreeSet::new(), 0, 0);
    for event in reader {
        match event.unwrap().kind {
            TraceEventKind::SideData(SideRecord::HeapSample {
                sample,
                size_bytes: 1_003,
                ..
            }) => assert!(sampled.insert(sample)),
            TraceEventKind::SideData(SideRecord::HeapFree { sample, .. }) => {
                freed += usize::from(sampled.contains(&sample));
            }
            TraceEventKind::SideData(SideRecord::Allocations {
                allocated_bytes, ..
            }) => allocated += allocated_bytes,
            _ => {}
        }
    }
    let samples = sampled.len();
    assert!((15..150).contains(&samples), "{}: {samples}", variant.name);
    assert_eq!(freed, samples, "{}", variant.name);
    assert!(allocated >= 40_000 * 1_003, "{}: {allocated}", variant.name);
}

#[test]
fn calls_are_recorded_as_often_as_they_are_made_and_do_what_they_do_however_the_program_is_built() {
    let wanted = std::env::var("EXECTRACE_MATRIX").unwrap_or(DEBUG.name.to_owned());
    let is_wanted = |name: &str| wanted == "all" || wanted == name;
    let folder = tempfile::tempdir().unwrap();
    for variant in VARIANTS.iter().filter(|variant| is_wanted(variant.name)) {
        if let Some(missing) = variant.missing() {
            println!("skipped: {}: {missing}", variant.name);
            continue;
        }
        succeeds(variant, &mut variant.cargo("build"));
        let trace = folder.path().join("trace.out");
        let output = succeeds(variant, Command::new(variant.program()).arg(&trace));
        let said = Said::by(&String::from_utf8_lossy(&output.stdout));
        assert!(said.made.len() > 60 && said.made.values().all(|calls| *calls > 0));
        assert!(said.seen.len() >= 50);
        compare(variant, &said, &recorded(&trace));
        if !variant.features.is_empty() {
            has_samples_of_the_heap(variant, &trace);
        }
        println!(
            "checked: {}, {} kinds of calls",
            variant.name,
            said.seen.len()
        );
    }
    if is_wanted("strace") {
        independently(&folder.path().join("log"));
    }
    if is_wanted("harness") {
        succeeds(&DEBUG, &mut DEBUG.cargo("test"));
        println!("checked: in the harness of tests");
    }
    if is_wanted("off") {
        let mut off = DEBUG.cargo("run");
        succeeds(&DEBUG, off.env("EXECTRACE_SYSCALLS", "off"));
        println!("checked: switched off");
    }
}

/// Compares with what strace counts in the same run.
fn independently(log: &Path) {
    succeeds(&DEBUG, &mut DEBUG.cargo("build"));
    let trace = log.with_extension("trace");
    let (output, log) = match common::strace::run(&DEBUG.program(), &trace, log) {
        Ok(outcome) => outcome,
        Err(error) => return println!("skipped: strace: {error}"),
    };
    let said = Said::by(&output);
    compare(&DEBUG, &said, &recorded(&trace));
    common::strace::compare(&log, &said.made, &said.children);
    println!("checked: strace counts the same");
}
