//! A Go toolchain, for tests that compare with what Go computes.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the `go` program to use; otherwise it is looked for on `PATH`.
const GO_VARIABLE: &str = "EXECTRACE_GO";
/// Go's rules for charging time have been those of today since this minor version.
const OLDEST_MINOR: u32 = 26;

/// A Go toolchain, and a folder for what it makes.
pub(crate) struct Go {
    program: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Go {
    /// Finds a toolchain; without one, says that the caller's test is skipped.
    ///
    /// # Panics
    ///
    /// If there is none although `EXECTRACE_REQUIRE_GO` is `1`.
    pub(crate) fn find() -> Option<Self> {
        let program = env::var_os(GO_VARIABLE).map_or_else(|| PathBuf::from("go"), PathBuf::from);
        let version = Command::new(&program).arg("version").output();
        let minor = version.ok().and_then(|output| {
            let text = String::from_utf8(output.stdout).ok()?;
            let minor = text
                .split("go1.")
                .nth(1)?
                .split(|c: char| !c.is_ascii_digit())
                .next()?;
            minor.parse::<u32>().ok()
        });
        if minor.is_some_and(|minor| minor >= OLDEST_MINOR) {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            return Some(Self { program, folder });
        }
        let required =
            env::var_os(exectrace_referee::REQUIRE_VARIABLE).is_some_and(|one| one == "1");
        let message =
            format!("no Go of version 1.{OLDEST_MINOR} or later, on PATH or in {GO_VARIABLE}");
        assert!(!required, "{message}");
        eprintln!("skipped: {message}");
        None
    }

    fn go(&self, arguments: &[&OsStr]) -> Vec<u8> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", "off")
            .env("GOFLAGS", "");
        run(&mut command)
    }

    /// Builds the program of one file of `tests/go_sources`.
    fn build(&self, name: &str) -> PathBuf {
        let source = source(name);
        let program = self.folder.path().join(name);
        self.go(&[
            "build".as_ref(),
            "-o".as_ref(),
            program.as_ref(),
            source.as_ref(),
        ]);
        program
    }

    /// Records a trace of the Go program `tests/go_sources/program`.
    pub(crate) fn trace(&self, scale: u32) -> PathBuf {
        let program = self.build("program");
        let trace = self.folder.path().join(format!("{scale}.trace"));
        run(Command::new(program).arg(&trace).arg(scale.to_string()));
        trace
    }

    /// Records a trace of the Go program `tests/go_sources/allocating`.
    pub(crate) fn trace_of_allocating(&self) -> PathBuf {
        let program = self.build("allocating");
        let trace = self.folder.path().join("allocating.trace");
        run(Command::new(program).arg(&trace));
        trace
    }

    /// The lines that `tests/go_sources/summary` prints of a trace.
    pub(crate) fn summary(&self, trace: &Path) -> Vec<String> {
        let program = self.inside("summary");
        lines(Command::new(program).arg(trace))
    }

    /// What Go computes as the minimum mutator utilisation in windows of these lengths, with the
    /// labels as `tests/go_sources/utilization` says.
    pub(crate) fn minimum_utilization(&self, trace: &Path, windows_ns: &[u64]) -> Vec<f64> {
        let program = self.inside("utilization");
        let windows = windows_ns.iter().map(u64::to_string);
        let share = |line: &String| {
            let (_, share) = line.split_once(' ').expect("a window and its share");
            share.parse().expect("a number")
        };
        let lines = lines(Command::new(program).arg(trace).args(windows));
        lines.iter().map(share).collect()
    }

    /// The program of one file of `tests/go_sources` that uses internal packages.
    fn inside(&self, name: &str) -> PathBuf {
        let program = self.folder.path().join(name);
        if !program.exists() {
            self.build_inside(name, &program);
        }
        program
    }

    /// Builds a program that uses internal packages, by an overlay that puts it in Go's own tree.
    fn build_inside(&self, name: &str, program: &Path) {
        let root = self.go(&["env".as_ref(), "GOROOT".as_ref()]);
        let root = String::from_utf8(root).expect("a path");
        let inside = Path::new(root.trim())
            .join("src/cmd/exectrace")
            .join(name)
            .join("main.go");
        let overlay = self.folder.path().join("overlay.json");
        let replace = serde_json::json!({ "Replace": { inside.to_string_lossy(): source(name) } });
        fs::write(&overlay, replace.to_string()).expect("the folder can be written");
        self.go(&[
            "build".as_ref(),
            "-overlay".as_ref(),
            overlay.as_ref(),
            "-o".as_ref(),
            program.as_ref(),
            format!("cmd/exectrace/{name}").as_ref(),
        ]);
    }

    /// How many events of each kind `go tool trace -d=parsed` prints, transitions by what they are
    /// of.
    pub(crate) fn event_counts(&self, trace: &Path) -> BTreeMap<String, u64> {
        let parsed = self.go(&[
            "tool".as_ref(),
            "trace".as_ref(),
            "-d=parsed".as_ref(),
            trace.as_ref(),
        ]);
        let mut counts = BTreeMap::new();
        for line in String::from_utf8_lossy(&parsed)
            .lines()
            .filter(|line| line.starts_with("M="))
        {
            let kind = line.split(' ').nth(3).unwrap_or_default();
            let name = match kind {
                "StateTransition" if line.contains(" GoID=") => "StateTransition Goroutine",
                "StateTransition" => "StateTransition Proc",
                kind => kind,
            };
            let name = name.to_owned();
            *counts.entry(name).or_default() += 1;
        }
        counts
    }

    /// What `go tool trace -pprof` writes.
    pub(crate) fn pprof(&self, kind: &str, trace: &Path) -> Vec<u8> {
        let kind = format!("-pprof={kind}");
        self.go(&[
            "tool".as_ref(),
            "trace".as_ref(),
            kind.as_ref(),
            trace.as_ref(),
        ])
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/go_sources")
        .join(name)
        .join("main.go")
}

/// The lines that a program prints.
fn lines(command: &mut Command) -> Vec<String> {
    let text = String::from_utf8(run(command)).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program can be run");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {message}");
    output.stdout
}
