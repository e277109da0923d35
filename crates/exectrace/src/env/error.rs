//! Why the environment's wish was not fulfilled.

use std::io;
use std::path::PathBuf;

use crate::{SettingsError, StartError};

/// Why [`from_env`](crate::from_env) did not do what the environment asks for. Nothing is recorded then.
///
/// Its text ends with the cause, which is therefore not its `source()` as well.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromEnvError {
    /// A variable has a value that it does not accept.
    Value {
        /// The name of the variable.
        variable: &'static str,
        /// Its value; what is not Unicode in it is replaced.
        value: String,
        /// What it accepts, with examples.
        accepted: &'static str,
        /// What is wrong with the value, where more than that is known.
        cause: Option<String>,
    },
    /// A variable asks for something that is not in this build.
    NeedsFeature {
        /// The name of the variable.
        variable: &'static str,
        /// The feature of the crate `exectrace` that has it.
        feature: &'static str,
    },
    /// A variable asks for something that exectrace does not have yet.
    NotYet {
        /// The name of the variable.
        variable: &'static str,
        /// What it asks for.
        what: &'static str,
    },
    /// The folder for the trace could not be made.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// `EXECTRACE_SUBSCRIBER=install` is set, and the process has a global subscriber already.
    HasSubscriber,
    /// A variable changes a setting, and a recording was started before.
    Settings(SettingsError),
    /// The recording did not start.
    Start(StartError),
}

impl std::fmt::Display for FromEnvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value {
                variable,
                value,
                accepted,
                cause,
            } => {
                write!(f, "{variable}={value:?} is not understood; {variable} accepts {accepted}")?;
                match cause {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
            Self::NeedsFeature { variable, feature } => write!(
                f,
                "{variable} needs the feature `{feature}` of the crate exectrace, which this program was built without"
            ),
            Self::NotYet { variable, what } => {
                write!(f, "{variable} asks for {what}, which exectrace does not have yet")
            }
            Self::Folder { path, cause } => {
                write!(f, "cannot make the folder {}: {cause}", path.display())
            }
            Self::HasSubscriber => f.write_str(
                "EXECTRACE_SUBSCRIBER=install is set, and a global tracing subscriber is set already; \
                 add exectrace::layer() to that one instead",
            ),
            Self::Settings(cause) => write!(f, "the settings cannot be changed: {cause}"),
            Self::Start(cause) => std::fmt::Display::fmt(cause, f),
        }
    }
}

impl std::error::Error for FromEnvError {}
