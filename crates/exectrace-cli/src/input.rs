//! Where traces come from: files, and standard input, compressed or not.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use flate2::read::MultiGzDecoder;

use crate::origin::Origin;
use crate::progress::{Position, Progress};

/// The first bytes of a file that gzip made (RFC 1952, 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The first bytes of a Zstandard frame (RFC 8878, 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The trace that a command looks at.
#[derive(Debug, Args)]
pub(crate) struct TraceArgument {
    /// The trace: a file, or `-` for standard input; may be compressed by gzip or zstd
    #[arg(value_name = "TRACE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) path: PathBuf,
}

/// A trace that is being read, with progress on the terminal.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    /// The path of a regular file that is the trace itself.
    file: Option<PathBuf>,
    progress: Progress,
}

enum Source {
    File(File),
    /// What can be read only once, and what is unpacked while it is read.
    Stream(Box<dyn Read + Send>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
            Self::Stream(_) => f.debug_tuple("Stream").finish_non_exhaustive(),
        }
    }
}

/// Opens a trace. One that gzip or zstd made smaller is unpacked while it is read, whatever the name
/// of its file.
pub(crate) fn open(path: &Path) -> anyhow::Result<(Input, Origin)> {
    let (label, path) = match path.as_os_str() == "-" {
        true => ("standard input".to_owned(), None),
        false => (path.display().to_string(), Some(path.to_owned())),
    };
    let (source, bytes) = match &path {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {label}"))?;
            let metadata = file.metadata().ok();
            let file_metadata = metadata.filter(std::fs::Metadata::is_file);
            let bytes = file_metadata.map(|metadata| metadata.len());
            let source = match bytes {
                Some(_) => Source::of_file(file),
                None => Source::of_stream(file),
            };
            (source, bytes)
        }
        None => (Source::of_stream(io::stdin()), None),
    };
    let source = source.map_err(|error| unreadable(error, &label))?;
    // The size of a compressed file says little of the trace in it.
    let bytes = bytes.filter(|_| matches!(source, Source::File(_)));
    let file = path.clone().filter(|_| bytes.is_some());
    let origin = Origin { label, bytes, path };
    let input = Input {
        source,
        file,
        progress: Progress::new(&origin),
    };
    Ok((input, origin))
}

impl Source {
    fn of_file(mut file: File) -> io::Result<Self> {
        let head = head(&mut file)?;
        file.rewind()?;
        match unpacking(&head) {
            Some(unpack) => Ok(Self::Stream(unpack(Box::new(file))?)),
            None => Ok(Self::File(file)),
        }
    }

    fn of_stream(mut stream: impl Read + Send + 'static) -> io::Result<Self> {
        let head = head(&mut stream)?;
        let unpack = unpacking(&head);
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(stream));
        match unpack {
            Some(unpack) => Ok(Self::Stream(unpack(whole)?)),
            None => Ok(Self::Stream(whole)),
        }
    }
}

/// The first bytes of an input: enough to see how it is compressed, or all if it is shorter.
fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(ZSTD.len() as u64).read_to_end(&mut head)?;
    Ok(head)
}

type Unpack = fn(Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>>;

/// How to unpack an input that begins like this; `None` if it is not compressed.
fn unpacking(head: &[u8]) -> Option<Unpack> {
    if head.starts_with(GZIP) {
        Some(|packed| Ok(Box::new(MultiGzDecoder::new(packed))))
    } else if head.starts_with(ZSTD) {
        Some(|packed| Ok(Box::new(zstd::Decoder::new(packed)?)))
    } else {
        None
    }
}

impl Input {
    /// How much of it was read, also later.
    pub(crate) fn position(&self) -> Position {
        self.progress.position()
    }

    /// The bytes alone: no progress is shown.
    pub(crate) fn silent(self) -> impl Read + Send {
        match self.source {
            Source::File(file) => Box::new(file) as Box<dyn Read + Send>,
            Source::Stream(stream) => stream,
        }
    }

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
            Source::Stream(stream) => stream.read(buffer),
        }?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
