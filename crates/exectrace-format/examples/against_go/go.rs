//! The Go toolchain: makes the trace, and reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// A Go toolchain.
pub(crate) struct Go {
    program: OsString,
    root: PathBuf,
    pub(crate) version: String,
}

impl Go {
    /// The one that `EXECTRACE_GO` names, else that on the path.
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var_os("EXECTRACE_GO").unwrap_or_else(|| "go".into());
        let root = run(go(&program).args(["env", "GOROOT"])).ok()?;
        let version = run(go(&program).arg("version")).ok()?;
        Some(Self {
            root: root.trim().into(),
            version: version.trim().to_string(),
            program,
        })
    }

    /// Makes a trace of about this size.
    pub(crate) fn trace(&self, folder: &Path, megabytes: u64) -> Result<PathBuf, Error> {
        let (program, trace) = (folder.join("program"), folder.join("go.trace"));
        let mut build = go(&self.program);
        build.arg("build").arg("-o").arg(&program);
        run(build.arg(source("program.go")))?;
        run(Command::new(program).arg(&trace).arg(megabytes.to_string()))?;
        Ok(trace)
    }

    /// Builds `reader.go`. Only Go's own tree may use its readers, so the file is laid into it,
    /// as an overlay that nobody else sees.
    pub(crate) fn reader(&self, folder: &Path) -> Result<PathBuf, Error> {
        let (overlay, reader) = (folder.join("overlay.json"), folder.join("reader"));
        let within = self.root.join("src/cmd/exectrace_reader/main.go");
        let replaced = format!("{:?}: {:?}", within, source("reader.go"));
        std::fs::write(&overlay, format!("{{\"Replace\": {{{replaced}}}}}"))?;
        let mut build = go(&self.program);
        build.current_dir(self.root.join("src/cmd"));
        build.arg("build").arg("-overlay").arg(overlay);
        run(build.arg("-o").arg(&reader).arg("cmd/exectrace_reader"))?;
        Ok(reader)
    }
}

/// A source file beside this one.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/against_go")
        .join(name)
}

/// Go as it is installed: it must fetch nothing.
fn go(program: &OsString) -> Command {
    let mut command = Command::new(program);
    command.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off")]);
    command.envs([("GOFLAGS", ""), ("GOWORK", "off")]);
    command
}

/// Runs a command, for what it prints.
fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {message}").into())
}
