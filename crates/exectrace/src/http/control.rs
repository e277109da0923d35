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
use super::posted::Posted;
use super::service::Shared;
use crate::{Recording, RecordingOptions, StartError};

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
        let (recording, path) = start_new(directory, names(), seconds)?;
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

/// Starts a recording into the first file of these names that there is not yet.
fn start_new(
    directory: &Path,
    names: impl Iterator<Item = String>,
    seconds: Option<Duration>,
) -> Result<(Recording, PathBuf), Refused> {
    let mut taken = String::new();
    for name in names {
        let mut options = RecordingOptions::new();
        if let Some(seconds) = seconds {
            options = options.stop_after(seconds);
        }
        let path = directory.join(name);
        match options.start_new_file(&path) {
            Ok(recording) => return Ok((recording, path)),
            // Of a process with the same number in another container, or of whoever puts files there.
            Err(error @ (StartError::Exists { .. } | StartError::InUse { .. })) => {
                taken = error.to_string();
            }
            Err(error) => return Err(Refused::Failed(error.to_string())),
        }
    }
    Err(Refused::Failed(taken))
}

/// Names of files that are tried: of the program, the second, the process, and how many there were before.
fn names() -> impl Iterator<Item = String> {
    const MAX_NAMES: usize = 100;
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_stem);
    let program = program.map_or("trace".into(), |name| name.to_string_lossy().into_owned());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let name = move || {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        format!("{program}-{seconds}-{}-{number}.trace", std::process::id())
    };
    std::iter::repeat_with(name).take(MAX_NAMES)
}

/// Does what may wait on a thread of its own, of which there are only so many.
async fn change<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Result<T, Refused> {
    let busy = || {
        let limit = shared.changes.limit();
        Refused::Busy(format!(
            "{limit} other requests are being done; try again later"
        ))
    };
    let permit = shared.changes.take().ok_or_else(busy)?;
    let shared = Arc::clone(shared);
    let done = off_thread(move || {
        let done = work(&shared);
        drop(permit);
        done
    });
    let no_thread = || Refused::Failed("a thread could not be started".to_owned());
    done.await.ok_or_else(no_thread)
}

/// `start`.
pub(super) async fn start(
    shared: &Arc<Shared>,
    parameters: &str,
) -> Result<Response<Body>, Refused> {
    let seconds = Parameters::of(Some(parameters), &["seconds"])?.seconds()?;
    let directory = shared.settings.directory.clone().ok_or(Refused::NotThere(
        "recordings into files are not allowed here: `exectrace::http::Builder::directory` allows them",
    ))?;
    let path = change(shared, move |shared| {
        shared.started.start(&directory, seconds)
    })
    .await??;
    Ok(text(format!("recording to {}\n", path.display())))
}

/// `stop`.
pub(super) async fn stop(
    shared: &Arc<Shared>,
    parameters: &str,
) -> Result<Response<Body>, Refused> {
    Parameters::of(Some(parameters), &[])?;
    Ok(text(change(shared, |shared| shared.started.stop()).await??))
}

/// `filter`: sets the filter that is given, by the query or the body, and says what it is.
#[cfg(feature = "tracing")]
pub(super) async fn filter(
    shared: &Arc<Shared>,
    query: Option<&str>,
    posted: Option<Posted>,
) -> Result<Response<Body>, Refused> {
    let Some(posted) = posted else {
        Parameters::of(query, &[])?;
        return Ok(text(format!("{}\n", handle(shared)?.filter())));
    };
    let new = match posted.text_unless_form_of("filter") {
        Some(body) if Parameters::of(query, &["filter"])?.get("filter").is_none() => {
            body.to_owned()
        }
        Some(_) => {
            return Err(Refused::Bad(
                "the filter is given twice: in the query and the body".to_owned(),
            ));
        }
        None => {
            let parameters = posted.with_query(query)?;
            let parameters = Parameters::of(Some(&parameters), &["filter"])?;
            let none =
                "no filter: give it as ?filter=… or as the body, such as info,my_crate=debug";
            parameters
                .get("filter")
                .ok_or_else(|| Refused::Bad(none.to_owned()))?
                .to_owned()
        }
    };
    let handle = handle(shared)?;
    let new: crate::Filter = new
        .parse()
        .map_err(|error: crate::ParseFilterError| Refused::Bad(error.to_string()))?;
    // `tracing` asks about all call sites again, and locks meanwhile.
    let reloaded = handle.clone();
    change(shared, move |_| reloaded.reload(new)).await?;
    Ok(text(format!("{}\n", handle.filter())))
}

#[cfg(feature = "tracing")]
fn handle(shared: &Shared) -> Result<crate::Handle, Refused> {
    shared.settings.handle.clone().ok_or(Refused::NotThere(
        "the filter cannot be seen here: `exectrace::http::Builder::handle` allows it",
    ))
}

/// `filter`, where there is none.
#[cfg(not(feature = "tracing"))]
pub(super) async fn filter(
    _: &Arc<Shared>,
    _: Option<&str>,
    _: Option<Posted>,
) -> Result<Response<Body>, Refused> {
    Err(Refused::NotThere(
        "there is no filter without the feature `tracing`",
    ))
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::http::Builder;

    #[test]
    fn so_many_requests_change_something_at_once_and_one_more_is_asked_to_wait() {
        let folder = tempfile::tempdir().unwrap();
        let service = Builder::new().directory(folder.path()).service();
        let shared = service.shared();
        let mut context = Context::from_waker(Waker::noop());
        let held = shared.started.lock();
        let start = || Box::pin(start(shared, ""));
        let mut starts: Vec<_> = (0..shared.changes.limit()).map(|_| start()).collect();
        for start in &mut starts {
            assert!(start.as_mut().poll(&mut context).is_pending());
        }
        let one_more = start().as_mut().poll(&mut context);
        assert!(matches!(one_more, Poll::Ready(Err(Refused::Busy(_)))));
        drop(held);
        let mut started = 0;
        for mut start in starts {
            let answer = loop {
                match start.as_mut().poll(&mut context) {
                    Poll::Ready(answer) => break answer,
                    Poll::Pending => std::thread::yield_now(),
                }
            };
            match answer {
                Ok(_) => started += 1,
                Err(refused) => assert!(matches!(refused, Refused::Conflict(_)), "{refused:?}"),
            }
        }
        assert_eq!(started, 1);
        shared.started.stop().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_recording_goes_neither_into_a_file_that_is_there_nor_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(folder.path().join("there"), "something").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("link")).unwrap();
        let start = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            start_new(folder.path(), names, None)
        };
        let (recording, path) = start(&["there", "link", "new"]).unwrap();
        recording.stop().unwrap();
        assert_eq!(path, folder.path().join("new"));
        assert!(
            matches!(start(&["there"]), Err(Refused::Failed(reason)) if reason.contains("there exists already"))
        );
        assert!(!elsewhere.exists());
        assert_eq!(
            std::fs::read(folder.path().join("there")).unwrap(),
            b"something"
        );
    }
}
