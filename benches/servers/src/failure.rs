//! What can go wrong, and with which status the program then ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::arguments::USAGE;

/// Why there are no figures, or none to rely on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line.
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    /// A load tool is not on `PATH`.
    #[error(
        "{program} is not on PATH; install it, on Debian and Ubuntu with `apt install {package}`"
    )]
    NoLoadTool {
        program: &'static str,
        package: &'static str,
    },
    /// Go's tools are named or required, and cannot be used.
    #[error(transparent)]
    NoReferee(#[from] exectrace_referee::Missing),
    /// There is no `/proc` to ask for processor times.
    #[error("cannot read {}, which says what the server has used; this takes Linux: {source}", path.display())]
    NoProcessorTimes { path: PathBuf, source: io::Error },
    /// A load tool did not do what it was asked to.
    #[error("{program}: {message}")]
    Load {
        program: &'static str,
        message: String,
    },
    /// The build with the flags failed; cargo has said why.
    #[error("cannot build the servers with {flags}: {message}")]
    Build {
        flags: &'static str,
        message: String,
    },
    /// The server's process did not keep to what was agreed with it.
    #[error("the server {what}: {message}")]
    Child { what: String, message: String },
    /// A server could not run.
    #[error("cannot {what}: {message}")]
    Serve { what: &'static str, message: String },
    /// Something with a file.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Traces are not valid, or records were lost. All has been said.
    #[error("{0} of the traces are not what they should be")]
    Traces(usize),
}

impl Failure {
    /// 2 where nothing was measured for want of something here, 1 for all else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_)
            | Self::NoLoadTool { .. }
            | Self::NoReferee(_)
            | Self::NoProcessorTimes { .. } => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
