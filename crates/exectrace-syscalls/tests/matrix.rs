//! Builds a program that makes each call a known number of times, in the ways in which programs are built, and runs
//! it. The program checks itself what calls return, that `errno` is as it must be, and that threads can be cancelled.
//!
//! `EXECTRACE_MATRIX=all` builds it in all ways, as `.ci/run syscalls` does; otherwise once.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// Lines `made NAME CALLS FAILED` of the program.
fn made(output: &Output) -> BTreeMap<String, (u64, u64)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.strip_prefix("made "));
    lines
        .map(|line| {
            let mut parts = line.split(' ');
            let name = parts.next().unwrap().to_owned();
            let mut number = || parts.next().unwrap().parse().unwrap();
            (name, (number(), number()))
        })
        .collect()
}

#[test]
fn calls_do_what_they_do_without_the_tracer_however_the_program_is_built() {
    let all = std::env::var("EXECTRACE_MATRIX").is_ok_and(|value| value == "all");
    let variants = if all { VARIANTS } else { &VARIANTS[..1] };
    let folder = tempfile::tempdir().unwrap();
    for variant in variants {
        if let Some(missing) = variant.missing() {
            println!("skipped: {}: {missing}", variant.name);
            continue;
        }
        succeeds(variant, &mut variant.cargo("build"));
        let trace = folder.path().join("trace.out");
        let output = succeeds(variant, Command::new(variant.program()).arg(&trace));
        let made = made(&output);
        assert!(made.len() > 60 && made.values().all(|(calls, _)| *calls > 0));
        println!("checked: {}", variant.name);
    }
    if all {
        succeeds(&DEBUG, &mut DEBUG.cargo("test"));
        println!("checked: in the harness of tests");
        let mut off = DEBUG.cargo("run");
        succeeds(&DEBUG, off.env("EXECTRACE_SYSCALLS", "off"));
        println!("checked: switched off");
    }
}
