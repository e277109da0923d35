//! Finding Go's trace tool and its validator, and building them where only `go` itself is at hand.
//!
//! A build takes some twenty seconds, so its result is kept in the target directory under the
//! version's name. Several test processes may want it at once: each builds to a name of its own
//! and renames, so the kept name always holds a whole program, whoever comes last.
//!
//! The validator is a package internal to Go, which only Go's own commands may import. An overlay
//! shows `validate/main.go` to the build as if it lay among those.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Missing;

/// The environment variable with the paths of built trace tools, separated by `:`.
///
/// Name the files `trace-go1.27.3` and the like: verdicts take the version from there.
pub const TOOLS_VARIABLE: &str = "EXECTRACE_GO_TRACE";

/// The environment variable with the path of the `go` that builds tools, instead of the one on
/// `PATH`.
const GO_VARIABLE: &str = "EXECTRACE_GO";

/// The first minor version of Go 1 whose reader knows header 25.
const OLDEST_MINOR: u32 = 25;

/// What asks Go's validator.
const VALIDATE_SOURCE: &str = include_str!("../validate/main.go");

/// What a built program does with a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Go's trace tool: reads it and prints its events.
    Print,
    /// Shows it to Go's validator.
    Validate,
}

impl Role {
    /// How the names of such programs begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Print => "trace-",
            Self::Validate => "validate-",
        }
    }

    /// What stands before the path of the trace.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Print => &["-d=parsed"],
            Self::Validate => &[],
        }
    }

    /// The package that is built.
    fn package(self) -> &'static str {
        match self {
            Self::Print => "cmd/trace",
            Self::Validate => "cmd/exectrace-validate",
        }
    }

    /// The name of the program for a version of Go.
    fn file_name(self, version: &str) -> String {
        format!("{}{version}{}", self.prefix(), env::consts::EXE_SUFFIX)
    }
}

/// One built program.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    /// The file's name without its prefix, for example `go1.27.3`.
    pub(crate) version: String,
    role: Role,
}

impl Tool {
    fn at(path: PathBuf, role: Role) -> Result<Self, Missing> {
        if !path.is_file() {
            return Err(Missing::NoTool { path });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let version = name.strip_prefix(role.prefix()).unwrap_or(&name).to_owned();
        Ok(Self {
            path,
            version,
            role,
        })
    }

    /// The validator that lies beside a trace tool, if there is one.
    fn validator_beside(&self) -> Option<Self> {
        let path = self
            .path
            .with_file_name(Role::Validate.file_name(&self.version));
        Self::at(path, Role::Validate).ok()
    }

    /// The command that shows `trace` to it.
    pub(crate) fn command(&self, trace: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(self.role.arguments())
            .arg(trace)
            .stdin(Stdio::null());
        command
    }
}

/// The trace tools of this process, looked for once.
pub(crate) fn find_once() -> Result<Vec<Tool>, Missing> {
    static FOUND: OnceLock<Result<Vec<Tool>, Missing>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// The validators of this process, looked for once: those beside `tools`, or else the one that the
/// `go` at hand builds.
pub(crate) fn find_validators_once(tools: &[Tool]) -> Result<Vec<Tool>, Missing> {
    static FOUND: OnceLock<Result<Vec<Tool>, Missing>> = OnceLock::new();
    let find = || {
        let beside: Vec<_> = tools.iter().filter_map(Tool::validator_beside).collect();
        match beside.is_empty() {
            true => built(Role::Validate).map(|validator| vec![validator]),
            false => Ok(beside),
        }
    };
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<Vec<Tool>, Missing> {
    if let Some(tools) = named(env::var_os(TOOLS_VARIABLE))? {
        return Ok(tools);
    }
    Ok(vec![built(Role::Print)?])
}

/// The program that the `go` at hand builds, from the cache if it has built it before.
fn built(role: Role) -> Result<Tool, Missing> {
    let version = go_version()?;
    let folder = cache_folder();
    let path = folder.join(role.file_name(&version));
    if !path.is_file() {
        build(role, &folder, &path)?;
    }
    Tool::at(path, role)
}

/// The tools that the variable's `value` names; `None` if it is unset or names none.
fn named(value: Option<OsString>) -> Result<Option<Vec<Tool>>, Missing> {
    let Some(value) = value else { return Ok(None) };
    let paths = env::split_paths(&value).filter(|path| !path.as_os_str().is_empty());
    let tools = paths
        .map(|path| Tool::at(path, Role::Print))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((!tools.is_empty()).then_some(tools))
}

/// Asks `go` for one of its settings.
fn go_env(setting: &str) -> Result<String, Missing> {
    let output = go()
        .args(["env", setting])
        .output()
        .map_err(|_| Missing::NoGo)?;
    if !output.status.success() {
        return Err(Missing::BuildFailed {
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks `go` for its version, for example `go1.27.3`.
fn go_version() -> Result<String, Missing> {
    // A build from Go's repository says `devel go1.28-0123abc …`.
    let said = go_env("GOVERSION")?;
    let version = said
        .split_whitespace()
        .find(|word| word.starts_with("go1."));
    match version.map(|version| (version, minor(version))) {
        Some((version, Some(minor))) if minor >= OLDEST_MINOR => Ok(version.to_owned()),
        _ => Err(Missing::TooOld { version: said }),
    }
}

/// The 27 of `go1.27.3`, `go1.27` or `go1.27rc1`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// Builds a program to `path`, which lies in `folder`.
fn build(role: Role, folder: &Path, path: &Path) -> Result<(), Missing> {
    let failed = |error: &dyn std::fmt::Display| Missing::BuildFailed {
        message: error.to_string(),
    };
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    // The build's own cache, of a hundred megabytes, goes when the build is over.
    let scratch = tempfile::tempdir_in(folder).map_err(|error| failed(&error))?;
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let mut command = go();
    command.current_dir(folder).args(["build", "-o"]);
    command.arg(&unfinished);
    if role == Role::Validate {
        let overlay = overlay(scratch.path(), &go_env("GOROOT")?);
        command
            .arg("-overlay")
            .arg(overlay.map_err(|error| failed(&error))?);
    }
    let output = command
        .arg(role.package())
        // The build needs nothing from outside and must not depend on the user's settings.
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOCACHE", scratch.path().join("cache"))
        .output()
        .map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr).trim()));
    }
    fs::rename(&unfinished, path).map_err(|error| failed(&error))
}

/// Writes the overlay that shows [`VALIDATE_SOURCE`] to a build as one of Go's own commands.
fn overlay(folder: &Path, goroot: &str) -> io::Result<PathBuf> {
    let (source, overlay) = (folder.join("main.go"), folder.join("overlay.json"));
    fs::write(&source, VALIDATE_SOURCE)?;
    let shown = Path::new(goroot)
        .join("src")
        .join(Role::Validate.package())
        .join("main.go");
    // Rust's way to quote a string is JSON's for all that paths of tools hold.
    fs::write(
        &overlay,
        format!("{{\"Replace\": {{{shown:?}: {source:?}}}}}"),
    )?;
    Ok(overlay)
}

/// The `go` at hand itself, never a newer one that it would fetch.
fn go() -> Command {
    let named = env::var_os(GO_VARIABLE).filter(|path| !path.is_empty());
    let mut command = Command::new(named.unwrap_or_else(|| "go".into()));
    command.env("GOTOOLCHAIN", "local").stdin(Stdio::null());
    command
}

/// A folder for built tools: in the target directory that this test program runs from, which
/// cargo marks with `CACHEDIR.TAG` when it makes one, or else beside the program itself.
///
/// Never in a directory where other users may write: what lies there is going to be run.
fn cache_folder() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let mut folders = program.ancestors().skip(1);
    let beside = folders.clone().next().unwrap_or(Path::new("."));
    folders
        .find(is_target)
        .unwrap_or(beside)
        .join("exectrace-referee")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_releases_and_candidates() {
        assert_eq!(minor("go1.27.3"), Some(27));
        assert_eq!(minor("go1.25"), Some(25));
        assert_eq!(minor("go1.26rc1"), Some(26));
        assert_eq!(minor("go2"), None);
    }

    #[test]
    fn a_named_tool_that_is_not_there_is_not_passed_over() {
        let missing = named(Some("/nonexistent/trace-go1.27.3".into())).unwrap_err();
        assert!(matches!(missing, Missing::NoTool { .. }));
        assert!(named(Some("".into())).unwrap().is_none());
    }
}
