//! Builds the peers' programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::plan::Program;

/// Where the programs' sources are.
fn sources() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the programs go: beside the driver's own build, for they are built in another way.
fn target() -> PathBuf {
    let own = std::env::current_exe().ok();
    // target/release/exectrace-peers
    let target = own.as_deref().and_then(|exe| exe.parent()?.parent());
    target
        .map_or_else(|| sources().join("target"), Path::to_owned)
        .join("programs")
}

/// A program that was built before, in that folder.
pub(crate) fn find(program: Program, folder: &Path) -> Result<PathBuf, String> {
    let name = match program {
        Program::Package(name) => format!("peer-{name}"),
        Program::Go => "peer-go".to_owned(),
    };
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("not there: {}", path.display())),
    }
}

/// Builds a program; returns its path, or why there is none.
pub(crate) fn build(program: Program) -> Result<PathBuf, String> {
    match program {
        Program::Package(name) => build_package(name),
        Program::Go => build_go(),
    }
}

/// One invocation for each package: the features of one peer's dependencies are none of another's.
fn build_package(name: &str) -> Result<PathBuf, String> {
    eprintln!("building peer-{name}");
    let package = format!("peer-{name}");
    let target = target();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", &package])
        .arg("--manifest-path")
        .arg(sources().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // Tokio's hooks on tasks are there only with it; all peers have the same Tokio.
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr);
        let reason = text
            .lines()
            .find(|line| line.starts_with("error"))
            .unwrap_or("no reason given");
        return Err(format!("not built: {reason}"));
    }
    Ok(target.join("release").join(package))
}

/// Go's toolchain: `EXECTRACE_GO`, or `go` on the PATH.
fn build_go() -> Result<PathBuf, String> {
    let go = std::env::var_os("EXECTRACE_GO").unwrap_or_else(|| "go".into());
    let program = target().join("peer-go");
    let built = Command::new(&go)
        .args(["build", "-o"])
        .arg(&program)
        .arg("main.go")
        .current_dir(sources().join("programs/go"))
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=mod")
        .output()
        .map_err(|error| format!("no Go toolchain (EXECTRACE_GO, or `go`): {error}"))?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr);
        return Err(format!("not built: {}", text.lines().last().unwrap_or("")));
    }
    Ok(program)
}
