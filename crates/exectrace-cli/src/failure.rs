//! How errors are shown: one cause a line, then what to try.
//!
//! Errors travel as [`anyhow::Error`]. What to try is found here, by their causes, so that one
//! cause has one remedy whichever command meets it.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use exectrace_format::{FramingError, OrderError, ReadCause, ReadError};

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All is well.
    Ok,
    /// A check failed, or the trace is damaged and the answer is of a part of it.
    Failed,
    /// The program that was run has ended with this exit status.
    OfProgram(u8),
}

/// The command line asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    message: String,
    remedy: String,
}

impl Usage {
    /// An error of the command line: what is wrong, and what to try.
    pub(crate) fn error(message: impl Into<String>, remedy: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self {
            message: message.into(),
            remedy: remedy.into(),
        })
    }
}

/// There is nothing in a file.
#[derive(Debug, thiserror::Error)]
#[error("the file is empty")]
pub(crate) struct Empty;

const OK: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// What a shell shows of a program that was ended by SIGPIPE: 128 and the signal's number.
const BROKEN_PIPE: u8 = 141;

/// Shows the error, if there is one, and gives back the exit status of the program.
pub(crate) fn conclude(outcome: anyhow::Result<Status>) -> ExitCode {
    let code = match outcome {
        Ok(Status::Ok) => OK,
        Ok(Status::Failed) => FAILED,
        Ok(Status::OfProgram(code)) => code,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => BROKEN_PIPE,
        Err(error) => {
            // If standard error is closed as well, nobody can read the message.
            let _ = report(&error, &mut anstream::stderr().lock());
            match error.downcast_ref::<Usage>() {
                Some(_) => USAGE,
                None => FAILED,
            }
        }
    };
    ExitCode::from(code)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        let json = cause.downcast_ref::<serde_json::Error>();
        io.map(io::Error::kind)
            .or_else(|| json.and_then(serde_json::Error::io_error_kind))
            == Some(ErrorKind::BrokenPipe)
    })
}

/// Prints a warning to standard error.
pub(crate) fn warn(message: &str) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    let _ = writeln!(
        anstream::stderr().lock(),
        "{style}warning{style:#}: {message}"
    );
}

fn report(error: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let bold = Style::new().bold();
    let mut shown = String::new();
    for (index, cause) in error.chain().enumerate() {
        let message = printable_lines(&cause.to_string());
        // Errors of this project name their cause in their own message.
        if shown.ends_with(&message) {
            continue;
        }
        if index == 0 {
            writeln!(out, "{red}error{red:#}: {message}")?;
        } else {
            writeln!(out, "  {bold}cause{bold:#}: {message}")?;
        }
        shown = message;
    }
    if let Some(remedy) = remedy(error) {
        writeln!(out, "  {bold}try{bold:#}: {remedy}")?;
    }
    Ok(())
}

/// A message as a terminal may be given it; it may have several lines.
fn printable_lines(message: &str) -> String {
    let lines = message.split('\n').map(crate::output::printable);
    lines.collect::<Vec<_>>().join("\n")
}

/// What to try.
fn remedy(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(usage) = cause.downcast_ref::<Usage>() {
            return Some(usage.remedy.clone());
        }
        if cause.is::<Empty>() {
            return Some(REMEDY_OF_EMPTY.to_owned());
        }
        if let Some(read) = cause.downcast_ref::<ReadError>() {
            return Some(remedy_of_reading(&read.cause).to_owned());
        }
        let io = cause.downcast_ref::<io::Error>()?;
        remedy_of_io(io).map(str::to_owned)
    })
}

/// What to try when there is nothing in a file.
const REMEDY_OF_EMPTY: &str = "the file that the recording was started with; nothing is written \
                               to it before the recording has begun";

/// What to try when a trace cannot be read.
pub(crate) fn remedy_of_reading(cause: &ReadCause) -> &'static str {
    match cause {
        ReadCause::NotATrace => {
            "a file that exectrace, or Go's runtime/trace, wrote; it begins with `go 1.` and a \
             version, if gzip or zstd did not compress it"
        }
        ReadCause::UnsupportedVersion(_) => {
            "a newer exectrace; this one knows the traces of Go 1.11 to 1.27"
        }
        ReadCause::Io(_) => "the command again, with a file that can be read to its end",
        ReadCause::Order(OrderError::StateTooLarge(_)) => {
            "--state-memory with more MiB, if the machine has them"
        }
        ReadCause::Framing(
            FramingError::PayloadCut { .. }
            | FramingError::HeadCut { .. }
            | FramingError::Incomplete,
        ) => {
            "a copy that is not cut off. What lies before the damage is good: \
             `exectrace cut TRACE -o PART` keeps it as a whole trace"
        }
        _ => {
            "another copy of the file. What lies before the damage is good: \
             `exectrace cut TRACE -o PART` keeps it as a whole trace. If exectrace wrote the \
             trace and nothing changed it since, this is a bug that we want to know of"
        }
    }
}

fn remedy_of_io(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::NotFound => "the path as `ls` shows it; `-` reads standard input",
        ErrorKind::PermissionDenied => "a file that you may read, in a directory you may write to",
        ErrorKind::IsADirectory => "the path of a file in that directory",
        ErrorKind::StorageFull => "a place with more room",
        _ => return None,
    })
}
