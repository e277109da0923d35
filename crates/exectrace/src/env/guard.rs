//! The recording of the environment, from its start to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use exectrace_recorder::has_span_sources;

use super::free_path;
use super::http::{self, Server, serve};
use super::pattern::{Named, path_of, program};
use super::variables::{self, Variables};
use super::{FromEnvError, filter, say};
use crate::{Recording, RecordingOptions, Report, SinkError, StopError};

/// The process that has a guard with a recording or a server; 0 if there is none. A forked child is another process.
static RECORDS: AtomicU32 = AtomicU32::new(0);

/// Starts the recording that the environment asks for, if it asks for one. The module [`env`](crate::env) has the
/// variables.
///
/// Call it first in `main`, and keep what it returns until the end: the recording stops when that is dropped. If the
/// process ends otherwise (`std::process::exit`), the recording is finished as well. In a process there is one such
/// recording at a time: while it runs, a further call does nothing.
///
/// ```
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #   let folder = tempfile::tempdir()?;
/// #   std::env::set_current_dir(&folder)?;
///     let trace = exectrace::from_env()?;
///     assert!(!trace.is_recording(), "nobody has set EXECTRACE");
///     Ok(())
/// }
/// ```
///
/// # Errors
/// See [`FromEnvError`]. Nothing is recorded then. Print the error and go on if a program
/// should run whatever its environment says, as `#[exectrace::main]` does.
pub fn from_env() -> Result<Guard, FromEnvError> {
    let mut variables = Variables::read()?;
    if variables.path.is_none() && variables.http.is_none() {
        prepare(&mut variables)?;
        return Ok(Guard::default());
    }
    let process = std::process::id();
    // Relaxed, here and below: it guards no memory.
    if RECORDS.swap(process, Ordering::Relaxed) == process {
        return Ok(Guard::default());
    }
    let started = start(&mut variables);
    let has_started = |guard: &Guard| guard.recording.is_some() || guard.server.is_some();
    if !started.as_ref().is_ok_and(has_started) {
        RECORDS.store(0, Ordering::Relaxed);
    }
    started
}

fn start(variables: &mut Variables) -> Result<Guard, FromEnvError> {
    let Some(pattern) = &variables.path else {
        prepare(variables)?;
        return Ok(Guard {
            recording: None,
            path: None,
            server: serve(variables)?,
        });
    };
    let name = program();
    let named = Named {
        process: std::process::id(),
        program: &name,
        time: SystemTime::now(),
    };
    let accepted = "a path, in which `%p` is the process's id, `%n` the program's name, `%t` the time, and `%%` a `%`";
    let path = path_of(pattern, &named)
        .ok_or_else(|| variables::wrong(variables::PATH, pattern, accepted))?;
    start_at(variables, &path, free_path::start)
}

/// Starts a recording into this file, which is replaced if no recording writes to it, with what else the environment asks
/// for.
#[cfg(feature = "macros")]
pub(crate) fn start_replacing(
    variables: &mut Variables,
    path: &Path,
) -> Result<Guard, FromEnvError> {
    // It is one file, which may be removed at the end.
    variables.rotate = None;
    start_at(variables, path, free_path::replace)
}

/// Starts a recording, and says which file it has.
type StartFile = fn(&Path, fn() -> RecordingOptions) -> Result<(Recording, PathBuf), FromEnvError>;

fn start_at(
    variables: &mut Variables,
    path: &Path,
    start_file: StartFile,
) -> Result<Guard, FromEnvError> {
    prepare(variables)?;
    let server = serve(variables)?;
    if let Some(rotate) = &variables.rotate {
        let rotation = rotate.rotation(path);
        let started = options().start_rotating(rotation);
        let recording = started.map_err(FromEnvError::Start)?;
        return Ok(Guard::of(recording, path, server));
    }
    let (recording, free) = start_file(path, options)?;
    if free != path {
        say(format_args!(
            "{} exists already; this process records to {}",
            path.display(),
            free.display()
        ));
    }
    Ok(Guard::of(recording, &free, server))
}

/// Whether it was said that nothing is recorded.
static HAS_SAID_NOTHING: AtomicBool = AtomicBool::new(false);

/// Options that say what goes wrong when it does.
fn options() -> RecordingOptions {
    let options = RecordingOptions::new().on_error(|error| {
        // A slow write is in the report.
        if !matches!(error, SinkError::Slow { .. }) {
            say(format_args!("{error}"));
        }
    });
    options.on_nothing_recorded(|nothing| {
        if nothing.cause.is_fault() {
            HAS_SAID_NOTHING.store(true, Ordering::Relaxed);
            say(format_args!(
                "nothing is recorded: {}",
                nothing.cause.text()
            ));
        }
    })
}

fn prepare(variables: &mut Variables) -> Result<(), FromEnvError> {
    variables.apply_settings().map_err(FromEnvError::Settings)?;
    if variables.install == Some(true) {
        filter::install()?;
    }
    variables.apply_filter();
    Ok(())
}

/// The recording that the environment has asked for, if it has. It stops when this is dropped.
#[derive(Debug, Default)]
#[must_use = "the recording stops when this is dropped"]
pub struct Guard {
    recording: Option<Recording>,
    path: Option<PathBuf>,
    /// It stops when it is dropped.
    server: Option<Server>,
}

impl Guard {
    fn of(recording: Recording, path: &Path, server: Option<Server>) -> Self {
        let absolute = std::path::absolute(path);
        Self {
            recording: Some(recording),
            path: Some(absolute.unwrap_or_else(|_| path.to_owned())),
            server,
        }
    }

    /// Whether there is a recording, of this process.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        let recording = self.recording.as_ref();
        recording.is_some_and(|recording| !recording.is_of_parent())
    }

    /// The file of the recording, as an absolute path. With `EXECTRACE_ROTATE`, the path of which its files have the
    /// folder and the begin of their names.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where traces are served over HTTP, if `EXECTRACE_HTTP` is set and that could be done.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(http::address)
    }

    /// Stops the recording, and returns after all of it has been written; `None` if there was no recording.
    ///
    /// # Errors
    /// As [`Recording::stop`].
    pub fn stop(mut self) -> Result<Option<Report>, StopError> {
        self.finish().transpose()
    }

    fn finish(&mut self) -> Option<Result<Report, StopError>> {
        let recording = self.recording.take()?;
        if !recording.is_of_parent() {
            RECORDS.store(0, Ordering::Relaxed);
        }
        Some(recording.stop())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_recording() {
            // In a forked child there is nothing to stop, and nothing to be said.
            if self.path.is_none() && self.server.is_some() {
                // It only served traces. In a forked child the number is that of its parent, and stays.
                let (process, order) = (std::process::id(), Ordering::Relaxed);
                let _ = RECORDS.compare_exchange(process, 0, order, order);
            }
            return;
        }
        // An error was printed when it happened.
        if let Some(Ok(report)) = self.finish() {
            warn_of(&report);
        }
    }
}

/// Says what a reader of the trace would miss.
fn warn_of(report: &Report) {
    if report.records_dropped > 0 {
        say(format_args!(
            "{} of {} records were lost; EXECTRACE_MEMORY gives them more room",
            report.records_dropped,
            report.records + report.records_dropped
        ));
    }
    if cfg!(feature = "tracing") && !has_span_sources() {
        say(format_args!(
            "no spans or events are in the trace, as the program has no subscriber that records: add exectrace::layer() \
             to its subscriber, or, if it has none, call exectrace::init() or set EXECTRACE_SUBSCRIBER=install"
        ));
    } else if let Some(cause) = report.nothing_cause()
        && cause.is_fault()
        && !HAS_SAID_NOTHING.load(Ordering::Relaxed)
    {
        say(format_args!("nothing was recorded: {}", cause.text()));
    }
}
