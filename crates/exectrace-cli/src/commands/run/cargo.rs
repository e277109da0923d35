//! Commands of cargo: the flags that Tokio's hooks and stacks need, and where they build.
//!
//! Cargo takes flags from one source only: the environment, else the sections of the target in its configuration
//! files, else `build.rustflags`. So those that are in force are looked up, ours are added, and all are passed by the
//! variable that goes before the others. As other flags would have everything built again, there is a target folder
//! of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use cargo_config2::{Config, Flags};
use serde::Deserialize;

/// What a program needs to be seen whole.
const FLAGS: [&[&str]; 2] = [
    &["--cfg", "tokio_unstable"],
    &["-C", "force-frame-pointers=yes"],
];

/// A command of cargo.
#[derive(Debug)]
pub(super) struct Cargo {
    program: OsString,
    /// Options of the command that say which packages it is about, and for which machine it builds.
    manifest: Option<OsString>,
    target: Option<String>,
    target_folder: PathBuf,
}

/// What cargo says of a workspace, as far as is asked.
#[derive(Debug, Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
}

impl Cargo {
    /// The command, if it is one of cargo.
    ///
    /// # Errors
    /// Cargo cannot say where it builds, as where there is no package.
    pub(super) fn of(program: &OsStr, arguments: &[OsString]) -> anyhow::Result<Option<Self>> {
        if Path::new(program).file_stem() != Some(OsStr::new("cargo")) {
            return Ok(None);
        }
        let mut cargo = Self {
            program: program.to_owned(),
            manifest: option(arguments, "--manifest-path"),
            target: option(arguments, "--target").and_then(|target| target.into_string().ok()),
            target_folder: PathBuf::new(),
        };
        let given = option(arguments, "--target-dir").map(PathBuf::from);
        cargo.target_folder = match given {
            Some(folder) => folder,
            None => cargo.metadata(&["--no-deps"])?.target_directory,
        };
        Ok(Some(cargo))
    }

    /// The folder that cargo would build in by itself.
    pub(super) fn target_folder(&self) -> &Path {
        &self.target_folder
    }

    /// Adds our flags to those that are in force, and sets another target folder.
    ///
    /// # Errors
    /// Cargo's configuration cannot be read.
    pub(super) fn set_flags(&self, command: &mut Command) -> anyhow::Result<()> {
        let flags = self.flags().context("cannot read cargo's configuration")?;
        command.env("CARGO_ENCODED_RUSTFLAGS", flags);
        command.env("CARGO_TARGET_DIR", self.target_folder.join("exectrace-run"));
        Ok(())
    }

    fn flags(&self) -> Result<String, cargo_config2::Error> {
        let config = Config::load()?;
        let target = self.machine(&config)?;
        let mut flags = config.rustflags(target)?.unwrap_or_default();
        add_to(&mut flags);
        flags.encode()
    }

    /// The machine for which it builds.
    fn machine(&self, config: &Config) -> Result<String, cargo_config2::Error> {
        match &self.target {
            Some(target) => Ok(target.clone()),
            None => Ok(config.host_triple()?.to_owned()),
        }
    }

    /// Whether a package that it builds depends on exectrace, if that is known.
    pub(super) fn has_exectrace(&self) -> Option<bool> {
        let machine = self.machine(&Config::load().ok()?).ok()?;
        // Those of other machines may not be there yet, and would be downloaded.
        let metadata = self.metadata(&["--filter-platform", &machine]).ok()?;
        let mut packages = metadata.packages.iter();
        Some(packages.any(|package| package.name == "exectrace"))
    }

    fn metadata(&self, options: &[&str]) -> anyhow::Result<Metadata> {
        let mut command = Command::new(&self.program);
        command
            .args(["metadata", "--format-version", "1"])
            .args(options);
        if let Some(manifest) = &self.manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        // What is wrong, cargo says itself.
        command.stderr(Stdio::inherit());
        let output = command.output().context("cannot start cargo")?;
        if !output.status.success() {
            anyhow::bail!("cargo cannot say where it builds");
        }
        serde_json::from_slice(&output.stdout).context("cannot understand what cargo says")
    }
}

/// Adds those of our flags that are not there.
fn add_to(flags: &mut Flags) {
    for ours in FLAGS {
        let is_there = flags.flags.windows(ours.len()).any(|there| there == ours)
            || flags.flags.contains(&ours.concat())
            || flags.flags.contains(&ours.join("="));
        if !is_there {
            ours.iter().for_each(|flag| flags.push(*flag));
        }
    }
}

/// The value of an option of the command; what is behind `--` is for the program that it runs.
fn option(arguments: &[OsString], name: &str) -> Option<OsString> {
    let of_cargo = arguments.iter().take_while(|argument| *argument != "--");
    let mut of_cargo = of_cargo.peekable();
    while let Some(argument) = of_cargo.next() {
        if argument == name {
            return of_cargo.peek().map(|value| (*value).clone());
        }
        let text = argument.to_str();
        if let Some(value) = text.and_then(|text| text.strip_prefix(name)?.strip_prefix('=')) {
            return Some(value.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn options_are_those_before_the_programs_own() {
        let given = arguments("run --target=a --manifest-path b/Cargo.toml -- --target-dir c");
        assert_eq!(option(&given, "--target"), Some("a".into()));
        assert_eq!(
            option(&given, "--manifest-path"),
            Some("b/Cargo.toml".into())
        );
        assert_eq!(option(&given, "--target-dir"), None);
        assert_eq!(option(&arguments("run --target"), "--target"), None);
    }

    #[test]
    fn our_flags_come_behind_those_of_the_user_and_none_twice() {
        let added = |text: &str| {
            let mut flags = Flags::from_space_separated(text);
            add_to(&mut flags);
            flags.flags.join(" ")
        };
        let ours = "--cfg tokio_unstable -C force-frame-pointers=yes";
        assert_eq!(added(""), ours);
        assert_eq!(
            added("-C target-cpu=native"),
            format!("-C target-cpu=native {ours}")
        );
        for there in [ours, "--cfg=tokio_unstable -Cforce-frame-pointers=yes"] {
            assert_eq!(added(there), there);
        }
    }
}
