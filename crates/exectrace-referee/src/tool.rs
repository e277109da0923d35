//! Finding Go's trace tool, and building it where only `go` itself is at hand.
//!
//! A build takes some twenty seconds, so its result is kept in the target directory under the
//! version's name. Several test processes may want it at once: each builds to a name of its own
//! and renames, so the kept name always holds a whole program, whoever comes last.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Missing;

/// The environment variable with the paths of built trace tools, separated by `:`.
///
/// Name the files `trace-go1.27.3` and the like: verdicts take the version from there.
pub const TOOLS_VARIABLE: &str = "EXECTRACE_GO_TRACE";

/// The first minor version of Go 1 whose reader knows header 25.
const OLDEST_MINOR: u32 = 25;

/// One built trace tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    /// The file's name without `trace-`, for example `go1.27.3`.
    pub(crate) version: String,
}

impl Tool {
    fn at(path: PathBuf) -> Result<Self, Missing> {
        if !path.is_file() {
            return Err(Missing::NoTool { path });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let version = name.strip_prefix("trace-").unwrap_or(&name).to_owned();
        Ok(Self { path, version })
    }
}

/// The tools of this process, looked for once.
pub(crate) fn find_once() -> Result<Vec<Tool>, Missing> {
    static FOUND: OnceLock<Result<Vec<Tool>, Missing>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<Vec<Tool>, Missing> {
    if let Some(tools) = named(env::var_os(TOOLS_VARIABLE))? {
        return Ok(tools);
    }
    let version = go_version()?;
    let folder = cache_folder();
    let path = folder.join(format!("trace-{version}{}", env::consts::EXE_SUFFIX));
    if !path.is_file() {
        build(&folder, &path)?;
    }
    Ok(vec![Tool { path, version }])
}

/// The tools that the variable's `value` names; `None` if it is unset or names none.
fn named(value: Option<OsString>) -> Result<Option<Vec<Tool>>, Missing> {
    let Some(value) = value else { return Ok(None) };
    let paths = env::split_paths(&value).filter(|path| !path.as_os_str().is_empty());
    let tools = paths.map(Tool::at).collect::<Result<Vec<_>, _>>()?;
    Ok((!tools.is_empty()).then_some(tools))
}

/// Asks the `go` on `PATH` for its version, for example `go1.27.3`.
fn go_version() -> Result<String, Missing> {
    let output = go()
        .args(["env", "GOVERSION"])
        .output()
        .map_err(|_| Missing::NoGo)?;
    if !output.status.success() {
        return Err(Missing::BuildFailed {
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    // A build from Go's repository says `devel go1.28-0123abc …`.
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
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

/// Builds the trace tool to `path`, which lies in `folder`.
fn build(folder: &Path, path: &Path) -> Result<(), Missing> {
    let failed = |message: String| Missing::BuildFailed { message };
    fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
    // The build's own cache, of a hundred megabytes, goes when the build is over.
    let go_cache = tempfile::tempdir_in(folder).map_err(|error| failed(error.to_string()))?;
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let output = go()
        .current_dir(folder)
        .args(["build", "-o"])
        .arg(&unfinished)
        .arg("cmd/trace")
        // The build needs nothing from outside and must not depend on the user's settings.
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOCACHE", go_cache.path())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(failed(message.trim().to_owned()));
    }
    fs::rename(&unfinished, path).map_err(|error| failed(error.to_string()))
}

/// The `go` on `PATH` itself, never a newer one that it would fetch.
fn go() -> Command {
    let mut command = Command::new("go");
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
