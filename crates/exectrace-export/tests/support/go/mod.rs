//! Traces of a Go program, in today's format and in that of Go 1.11 to 1.21.
//!
//! `EXECTRACE_GO` names the `go` of today, which is otherwise looked for on `PATH`;
//! `EXECTRACE_GO_OLD` that of a Go 1.21. Without them the traces are skipped, and said to be, unless
//! `EXECTRACE_REQUIRE_GO` is `1`.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use exectrace_format::{Reader, Version};

use super::expected::counts;

/// Which toolchain writes a trace.
struct Toolchain {
    variable: &'static str,
    /// The program to try where the variable is not set.
    otherwise: Option<&'static str>,
    /// Whether the trace is to be in the old format.
    is_old: bool,
}

const TOOLCHAINS: [Toolchain; 2] = [
    Toolchain {
        variable: "EXECTRACE_GO",
        otherwise: Some("go"),
        is_old: false,
    },
    Toolchain {
        variable: "EXECTRACE_GO_OLD",
        otherwise: None,
        is_old: true,
    },
];

/// A trace by each toolchain that is there, made once in a process.
pub fn traces() -> &'static [Vec<u8>] {
    static TRACES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    TRACES.get_or_init(|| TOOLCHAINS.iter().filter_map(Toolchain::trace).collect())
}

impl Toolchain {
    fn trace(&self) -> Option<Vec<u8>> {
        let named = std::env::var_os(self.variable);
        let go = named.or_else(|| self.otherwise.map(OsString::from));
        let there = go.filter(|go| Command::new(go).arg("version").output().is_ok());
        let trace = there.map(|go| run_program(&go));
        let fitting = trace.filter(|trace| {
            let version = Reader::new(trace.as_slice()).expect("a trace").version();
            (version <= Version::Go121) == self.is_old
        });
        if fitting.is_none() {
            let is_required = std::env::var("EXECTRACE_REQUIRE_GO").is_ok_and(|value| value == "1");
            let age = if self.is_old { "before" } else { "from" };
            let message = format!("{} names no Go {age} 1.22", self.variable);
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
        }
        if let Some(trace) = &fitting {
            let found = counts(trace);
            let least = [
                found.user_tasks / 7,
                found.regions / 15,
                found.logs / 7,
                found.ranges,
            ];
            assert!(
                !least.contains(&0),
                "not all that the program does: {found:?}"
            );
        }
        fitting
    }
}

/// Builds `program.go` and has it write its trace.
fn run_program(go: &OsString) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/go/program.go");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, trace) = (folder.path().join("program"), folder.path().join("trace"));
    let mut build = Command::new(go);
    build.args(["build", "-o"]).args([&program, &source]).envs([
        ("GOTOOLCHAIN", "local"),
        ("GOPROXY", "off"),
        ("GOFLAGS", "-mod=mod"),
    ]);
    run(&mut build);
    run(Command::new(&program).arg(&trace));
    fs::read(&trace).expect("the trace is there")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("the program can be run");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {message}");
}
