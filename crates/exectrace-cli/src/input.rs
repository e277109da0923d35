//! Where traces come from: files, and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::progress::Progress;

/// The trace that a command looks at.
#[derive(Debug, Args)]
pub(crate) struct TraceArgument {
    /// The trace: a file, or `-` for standard input
    #[arg(value_name = "TRACE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) path: PathBuf,
}

/// A trace that is being read, with progress on the terminal.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    /// The path of a regular file.
    file: Option<PathBuf>,
    progress: Progress,
}

#[derive(Debug)]
enum Source {
    File(File),
    Stdin(io::Stdin),
}

/// What is known of an input before it is read.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// How it is called in messages.
    pub(crate) label: String,
    /// Its size in bytes, where that is known.
    pub(crate) bytes: Option<u64>,
}

/// Opens a trace.
pub(crate) fn open(path: &Path) -> anyhow::Result<(Input, Origin)> {
    let (source, origin) = if path.as_os_str() == "-" {
        let origin = Origin {
            label: "standard input".to_owned(),
            bytes: None,
        };
        (Source::Stdin(io::stdin()), origin)
    } else {
        let label = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {label}"))?;
        let metadata = file.metadata().ok();
        let is_file = metadata.as_ref().is_some_and(|metadata| metadata.is_file());
        let bytes = metadata.map(|metadata| metadata.len());
        let bytes = bytes.filter(|_| is_file);
        (Source::File(file), Origin { label, bytes })
    };
    let progress = Progress::new(&origin);
    let file = origin.bytes.map(|_| path.to_owned());
    let input = Input {
        source,
        file,
        progress,
    };
    Ok((input, origin))
}

impl Input {
    /// The same file, opened once more; `None` for what can only be read once.
    pub(crate) fn again(&self) -> Option<File> {
        File::open(self.file.as_ref()?).ok()
    }
}

/// The error for an input that fails, which says nothing of the trace in it.
pub(crate) fn unreadable(error: io::Error, label: &str) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot read {label}"))
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            Source::File(file) => file.read(buffer),
            Source::Stdin(stdin) => stdin.read(buffer),
        }?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
