//! How commands read traces, and what they do when one is damaged.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_format::{MAX_STATE_BYTES, ReadCause, ReadError, Reader};

use crate::failure::{Empty, Status, warn};
use crate::input::{self, Input};
use crate::origin::Origin;
use crate::output::{Out, units};

/// Reads the header of a trace.
///
/// # Errors
///
/// The input is no trace that can be read.
pub(crate) fn begin(input: Input, origin: &Origin) -> anyhow::Result<Reader<Input>> {
    reader(input).map_err(|error| of_input(error, origin))
}

/// How much memory readers may take for what lives at once, for all of the run.
static STATE_BYTES: AtomicU64 = AtomicU64::new(MAX_STATE_BYTES);

/// Sets how many MiB readers may take for what lives at once in a trace.
pub(crate) fn limit_state(mib: u64) {
    // Relaxed: it is set before anything else runs.
    STATE_BYTES.store(mib.saturating_mul(1 << 20), Ordering::Relaxed);
}

/// How much memory readers may take for what lives at once.
pub(crate) fn max_state_bytes() -> u64 {
    STATE_BYTES.load(Ordering::Relaxed)
}

/// Reads the header of a trace; of a file that can be read twice, in little memory.
pub(crate) fn reader(input: Input) -> Result<Reader<Input>, ReadError> {
    let reader = match input.again() {
        Some(file) => Reader::rereading(input, file),
        None => Reader::new(input),
    }?;
    Ok(reader.with_max_state_bytes(max_state_bytes()))
}

/// The error of a reader with the name of its input.
pub(crate) fn of_input(error: ReadError, origin: &Origin) -> anyhow::Error {
    match error.cause {
        ReadCause::Io(error) => input::unreadable(error, &origin.label),
        ReadCause::NotATrace if origin.bytes == Some(0) => {
            anyhow::Error::new(Empty).context(format!("cannot read {}", origin.label))
        }
        _ => anyhow::Error::new(error).context(format!("cannot read {}", origin.label)),
    }
}

/// The damage of a trace of which something was read: unless it was the input that failed.
///
/// # Errors
///
/// The input failed, which says nothing of the trace.
pub(crate) fn damage_of_trace(error: ReadError, origin: &Origin) -> anyhow::Result<ReadError> {
    match error.cause {
        ReadCause::Io(_) => Err(of_input(error, origin)),
        _ => Ok(error),
    }
}

/// A trace ended in damage after something of it was read: the answer stands, of a part of the
/// trace, and a warning says which.
pub(crate) fn damaged(error: ReadError, origin: &Origin, out: &mut Out) -> anyhow::Result<Status> {
    let error = damage_of_trace(error, origin)?;
    // The answer first: standard error is not buffered.
    out.flush()?;
    warn(&part(&error, origin));
    Ok(Status::Failed)
}

/// The warning for a damaged trace: which part of it the answer covers.
pub(crate) fn part(error: &ReadError, origin: &Origin) -> String {
    let share = origin.bytes.map_or_else(String::new, |bytes| {
        let missing = bytes.saturating_sub(error.offset);
        format!(
            "; {} of the file lie behind it",
            units::percent(missing, bytes)
        )
    });
    let label = crate::output::printable(&origin.label);
    format!("{label} is damaged, and this covers what comes before: {error}{share}")
}
