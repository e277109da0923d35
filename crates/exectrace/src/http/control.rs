//! Recordings into files, and the filter, by request.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::Response;

use super::answer::{Refused, text};
use super::body::Body;
use super::off_thread::off_thread;
use super::parameters::Parameters;
use super::service::Shared;
use crate::{Recording, RecordingOptions};

/// The recording that `start` has started.
#[derive(Debug, Default)]
pub(super) struct Started(Mutex<Option<(Recording, PathBuf)>>);

impl Started {
    fn lock(&self) -> MutexGuard<'_, Option<(Recording, PathBuf)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, directory: &Path, seconds: Option<Duration>) -> Result<PathBuf, Refused> {
        let mut started = self.lock();
        // One that has ended, by itself or as its file failed, or that belongs to a parent process, is in nobody's way.
        if let Some((recording, path)) = &*started
            && is_running(recording)
        {
            let reason = format!("recording already, to {}; stop that first", path.display());
            return Err(Refused::Conflict(reason));
        }
        drop(started.take());
        let mut options = RecordingOptions::new();
        if let Some(seconds) = seconds {
            options = options.stop_after(seconds);
        }
        let path = directory.join(new_name());
        let recording = options
            .start_file(&path)
            .map_err(|error| Refused::Failed(error.to_string()))?;
        *started = Some((recording, path.clone()));
        Ok(path)
    }

    fn stop(&self) -> Result<String, Refused> {
        let started = self.lock().take();
        let not_recording = || Refused::Conflict("not recording; `start` starts one".to_owned());
        let (recording, path) = started
            .filter(|(recording, _)| !recording.is_of_parent())
            .ok_or_else(not_recording)?;
        match recording.stop() {
            Ok(report) => Ok(format!("{}: {report}\n", path.display())),
            Err(error) => Err(Refused::Failed(format!("{}: {error}", path.display()))),
        }
    }
}

fn is_running(recording: &Recording) -> bool {
    !recording.is_of_parent()
        && crate::status()
            .recordings
            .iter()
            .any(|running| running.number == recording.number() && running.error.is_none())
}

/// A name that no other recording of this or another process has: of the program, the second, the process.
fn new_name() -> String {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_stem);
    let program = program.map_or("trace".into(), |name| name.to_string_lossy());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    format!("{program}-{seconds}-{}-{number}.trace", std::process::id())
}

const NO_THREAD: &str = "a thread could not be started";

/// `start`.
pub(super) async fn start(
    shared: &Arc<Shared>,
    query: Option<&str>,
) -> Result<Response<Body>, Refused> {
    let seconds = Parameters::of(query, &["seconds"])?.seconds()?;
    let directory = shared.settings.directory.clone().ok_or(Refused::NotThere(
        "recordings into files are not allowed here: `exectrace::http::Builder::directory` allows them",
    ))?;
    let shared = Arc::clone(shared);
    let started = off_thread(move || shared.started.start(&directory, seconds)).await;
    let path = started.ok_or(Refused::Failed(NO_THREAD.to_owned()))??;
    Ok(text(format!("recording to {}\n", path.display())))
}

/// `stop`.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    query: Option<&str>,
) -> Result<Response<Body>, Refused> {
    Parameters::of(query, &[])?;
    let shared = Arc::clone(shared);
    let stopped = off_thread(move || shared.started.stop()).await;
    Ok(text(stopped.ok_or(Refused::Failed(NO_THREAD.to_owned()))??))
}

/// `filter`: sets the filter that is given, by the query or the body, and says what it is.
#[cfg(feature = "tracing")]
pub(super) async fn filter(
    shared: &Shared,
    query: Option<&str>,
    body: Option<Vec<u8>>,
) -> Result<Response<Body>, Refused> {
    let parameters = Parameters::of(query, if body.is_some() { &["filter"] } else { &[] })?;
    let handle = shared.settings.handle.clone().ok_or(Refused::NotThere(
        "the filter cannot be seen here: `exectrace::http::Builder::handle` allows it",
    ))?;
    if let Some(body) = body {
        let body = String::from_utf8_lossy(&body);
        let new = match (parameters.get("filter"), body.trim()) {
            (Some(new), "") => new,
            (None, body) if !body.is_empty() => body,
            (Some(_), _) => {
                return Err(Refused::Bad(
                    "the filter is given twice: in the query and the body".to_owned(),
                ));
            }
            (None, _) => {
                let how =
                    "no filter: give it as ?filter=… or as the body, such as info,my_crate=debug";
                return Err(Refused::Bad(how.to_owned()));
            }
        };
        let new: crate::Filter = new
            .parse()
            .map_err(|error: crate::ParseFilterError| Refused::Bad(error.to_string()))?;
        let handle = handle.clone();
        // `tracing` asks about all call sites again, and locks meanwhile.
        off_thread(move || handle.reload(new))
            .await
            .ok_or(Refused::Failed(NO_THREAD.to_owned()))?;
    }
    Ok(text(format!("{}\n", handle.filter())))
}

/// `filter`, where there is none.
#[cfg(not(feature = "tracing"))]
pub(super) async fn filter(
    _: &Shared,
    _: Option<&str>,
    _: Option<Vec<u8>>,
) -> Result<Response<Body>, Refused> {
    Err(Refused::NotThere(
        "there is no filter without the feature `tracing`",
    ))
}
