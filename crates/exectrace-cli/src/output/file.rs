//! Files that commands write: whole, or not at all.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use exectrace_export::ExportError;
use exectrace_format::{CompactEvent, Reader};
use same_file::Handle;
use tempfile::NamedTempFile;

use super::printable;
use crate::failure::Usage;
use crate::origin::Origin;

/// Where a command writes.
#[derive(Debug, Args)]
pub(crate) struct OutputArgument {
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
}

impl OutputArgument {
    /// Begins to write what is made of a trace; see [`OutputFile`].
    pub(crate) fn create(&self, origin: &Origin) -> anyhow::Result<OutputFile> {
        OutputFile::create(&self.output, origin)
    }

    /// Refuses to write over another file that the command reads.
    pub(crate) fn refuse(&self, read: &Path) -> anyhow::Result<()> {
        refuse_file(&self.output, |output| {
            Handle::from_path(read).is_ok_and(|read| read == *output)
        })
    }
}

/// A file that is being written beside its final place, where it appears when it is whole. What
/// takes bytes but is no file (a pipe, a device, standard output) is written to directly.
#[derive(Debug)]
pub(crate) struct OutputFile {
    label: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Beside(BufWriter<NamedTempFile>, PathBuf),
    Directly(BufWriter<File>),
    Stdout(BufWriter<io::Stdout>),
}

impl OutputFile {
    /// Begins to write what is to be at `path` and is made of the trace of `origin`.
    ///
    /// # Errors
    ///
    /// The two are one file, be it by a link; or the file cannot be made.
    pub(crate) fn create(path: &Path, origin: &Origin) -> anyhow::Result<Self> {
        refuse_file(path, |output| origin.is(output))?;
        if is_stdout(path) {
            if io::stdout().is_terminal() {
                return Err(Usage::error(
                    "the terminal cannot show this output",
                    "-o FILE, or a pipe after the command",
                ));
            }
            return Ok(Self {
                label: "standard output".to_owned(),
                kind: Kind::Stdout(BufWriter::new(io::stdout())),
            });
        }
        let label = path.display().to_string();
        let kind = open(path).with_context(|| format!("cannot write {label}"))?;
        Ok(Self { label, kind })
    }

    /// The error for an output that failed.
    pub(crate) fn cannot_write(&self, error: io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("cannot write {}", self.label))
    }

    /// The error for an export that came to nothing.
    pub(crate) fn cannot_export(&self, error: ExportError) -> anyhow::Error {
        match error {
            ExportError::Write(error) => self.cannot_write(error),
            other => other.into(),
        }
    }

    /// Ends the file and puts it in its place; gives back its name for people, where there is one.
    pub(crate) fn finish(self) -> anyhow::Result<Option<String>> {
        self.conclude(|_| Ok(()))
    }

    /// As [`finish`](Self::finish), for a trace: it is put in its place only if it is valid.
    pub(crate) fn finish_trace(self) -> anyhow::Result<Option<String>> {
        self.conclude(check_trace)
    }

    fn conclude(
        self,
        check: impl FnOnce(&mut File) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<String>> {
        let Self { label, kind } = self;
        let failed = || format!("cannot write {label}");
        match kind {
            Kind::Beside(file, path) => {
                let mut file = file
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)
                    .with_context(failed)?;
                check(file.as_file_mut())?;
                file.persist(&path)
                    .map_err(|error| error.error)
                    .with_context(failed)?;
            }
            Kind::Directly(mut file) => file.flush().with_context(failed)?,
            Kind::Stdout(mut stdout) => {
                stdout.flush().with_context(failed)?;
                return Ok(None);
            }
        }
        Ok(Some(printable(&label).into_owned()))
    }
}

/// Whether the output is standard output. It is not opened by its path, which would begin at the front of the
/// file that it was redirected to.
fn is_stdout(path: &Path) -> bool {
    [Path::new("-"), Path::new("/dev/stdout")].contains(&path)
}

/// Refuses to write over a file that is being read.
fn refuse_file(path: &Path, is_read: impl FnOnce(&Handle) -> bool) -> anyhow::Result<()> {
    let output = match is_stdout(path) {
        true => Handle::stdout(),
        false => Handle::from_path(path),
    };
    // What is not there yet is not read.
    let Ok(output) = output else { return Ok(()) };
    let is_file = |output: &Handle| output.as_file().metadata().is_ok_and(|it| it.is_file());
    if is_file(&output) && is_read(&output) {
        return Err(Usage::error(
            format!("{} is what the command reads", path.display()),
            "another file for the output",
        ));
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<Kind> {
    // A link keeps pointing to what it points to.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_special = path
        .metadata()
        .is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if is_special {
        let file = File::options().write(true).open(path)?;
        return Ok(Kind::Directly(BufWriter::new(file)));
    }
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".exectrace-");
    let builder = with_usual_permissions(&mut builder);
    let folder = folder.unwrap_or(Path::new("."));
    let file = builder.tempfile_in(folder);
    let file = file.map_err(|error| without_temporary_name(&error, folder))?;
    Ok(Kind::Beside(BufWriter::new(file), path.to_owned()))
}

/// Why no file could be made in a folder, without the name that the file would have had for a while.
fn without_temporary_name(error: &io::Error, folder: &Path) -> io::Error {
    match folder.metadata() {
        Ok(_) => error.kind().into(),
        Err(error) => error,
    }
}

/// Temporary files are for their owner alone; this one becomes an ordinary file.
#[cfg(unix)]
fn with_usual_permissions<'a, 'b>(
    builder: &'a mut tempfile::Builder<'b, 'b>,
) -> &'a mut tempfile::Builder<'b, 'b> {
    use std::os::unix::fs::PermissionsExt;

    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn with_usual_permissions<'a, 'b>(
    builder: &'a mut tempfile::Builder<'b, 'b>,
) -> &'a mut tempfile::Builder<'b, 'b> {
    builder
}

/// Reads the trace that was written. It costs as much as writing it, and no reader is ever given a
/// trace of ours that it cannot take.
fn check_trace(file: &mut File) -> anyhow::Result<()> {
    file.rewind()?;
    let mut read = || -> Result<(), exectrace_format::ReadError> {
        let mut reader = Reader::new(&mut *file)?;
        let mut event = CompactEvent::default();
        while reader.next_into(&mut event)? {}
        Ok(())
    };
    // Not as a cause, for which there would be a remedy: this trace is not the person's.
    read().map_err(|error| {
        anyhow!("{error}").context(
            "the new trace would not be valid, so it was not kept; this is a bug of exectrace that \
             we want to know of",
        )
    })
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kind {
            Kind::Beside(file, _) => file.write(bytes),
            Kind::Directly(file) => file.write(bytes),
            Kind::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Beside(file, _) => file.flush(),
            Kind::Directly(file) => file.flush(),
            Kind::Stdout(stdout) => stdout.flush(),
        }
    }
}
