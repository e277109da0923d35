//! What is known of an input beside its bytes.

use std::path::PathBuf;

use same_file::Handle;

/// What is known of an input before it is read.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// How it is called in messages.
    pub(crate) label: String,
    /// The size of the trace in bytes, where that is known.
    pub(crate) bytes: Option<u64>,
    /// The file; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
}

impl Origin {
    /// Whether an open file is the one that the trace is read from.
    pub(crate) fn is(&self, other: &Handle) -> bool {
        let own = match &self.path {
            Some(path) => Handle::from_path(path),
            None => Handle::stdin(),
        };
        own.is_ok_and(|own| own == *other)
    }
}
