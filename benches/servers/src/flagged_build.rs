//! The servers built with the flags that show all of Tokio's tasks and where they wait.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Tokio's hooks for tasks, and stacks.
pub(crate) const FLAGS: &str = "--cfg tokio_unstable -C force-frame-pointers=yes";

/// Builds this package with [`FLAGS`], into a target directory of its own, and returns the program.
pub(crate) fn build(this_program: &Path) -> Result<PathBuf, Failure> {
    let failed = |message: String| Failure::Build {
        flags: FLAGS,
        message,
    };
    // `target/release/exectrace-servers`: the new target directory is put beside `release`.
    let target = this_program.ancestors().nth(2);
    let target = target.ok_or_else(|| failed("this program lies in no target directory".into()))?;
    let target = target.join("unstable");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", FLAGS)
        // It would be taken instead.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| failed(format!("cannot run cargo: {error}")))?;
    if !status.success() {
        return Err(failed(format!("cargo ended with {status}")));
    }
    let program = this_program.file_name().unwrap_or_default();
    Ok(target.join("release").join(program))
}
