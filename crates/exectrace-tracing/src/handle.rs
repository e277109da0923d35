//! The handle that starts, stops and changes the filter at run time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use exectrace_recorder::{
    Recording, RecordingOptions, Report, StartError, StopError, TooManySpanSources, note,
};

use crate::control::Control;
use crate::filter::Filter;
use crate::filters;
use crate::interest;

/// Starts and stops recordings and changes the filter of one Layer or Subscriber, at any time and
/// from any thread.
///
/// Clones are the same handle. None of its methods makes the threads that record take a lock.
///
/// A handle has at most one recording at a time; it stops when the last clone is dropped, its errors
/// unseen unless its options have a callback. Recordings that
/// [`exectrace_recorder::start`] or another handle started hold the same records; they run and stop
/// for themselves.
#[derive(Clone, Debug)]
pub struct Handle {
    control: Arc<Control>,
    /// Only handles hold it: when the last is gone the recording stops.
    recording: Arc<Mutex<Option<Recording>>>,
    failure: Option<TooManySpanSources>,
}

/// Why a [`Handle`] could not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// `start` while the handle's recording runs.
    #[error("this handle is recording already")]
    AlreadyRecording,
    /// `stop` while it does not.
    #[error("this handle is not recording")]
    NotRecording,
    /// There were too many Layers and Subscribers when this one was made, so it records nothing.
    #[error("the layer or subscriber of this handle records nothing: {0}")]
    TooManySources(TooManySpanSources),
    /// The recording did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The recording stopped, and not all of it reached its destination.
    #[error(transparent)]
    Stop(#[from] StopError),
}

impl Handle {
    pub(crate) fn new(control: Arc<Control>, failure: Option<TooManySpanSources>) -> Self {
        Self {
            control,
            recording: Arc::default(),
            failure,
        }
    }

    /// Starts recording into a new file at `path`, replacing one that is there.
    ///
    /// # Errors
    /// [`HandleError::AlreadyRecording`]; [`HandleError::TooManySources`];
    /// [`HandleError::Start`] if the file cannot be made.
    pub fn start(&self, path: impl AsRef<Path>) -> Result<(), HandleError> {
        self.start_with(|| RecordingOptions::new().start_file(path))
    }

    /// Starts the recording that `start` starts, with any options and any destination:
    ///
    /// ```
    /// use exectrace_recorder::RecordingOptions;
    ///
    /// let (_subscriber, handle) = exectrace_tracing::subscriber();
    /// handle.start_with(|| {
    ///     let options = RecordingOptions::new().on_error(|error| eprintln!("trace: {error}"));
    ///     options.start_writer(std::io::sink())
    /// })?;
    /// assert!(handle.is_recording());
    /// let report = handle.stop()?;
    /// assert!(!handle.is_recording());
    /// # drop(report);
    /// # Ok::<_, exectrace_tracing::HandleError>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(
        &self,
        start: impl FnOnce() -> Result<Recording, StartError>,
    ) -> Result<(), HandleError> {
        if let Some(failure) = self.failure {
            return Err(HandleError::TooManySources(failure));
        }
        let mut recording = self.recording();
        // In a forked child: it is the parent's.
        drop(recording.take_if(|recording| recording.is_of_parent()));
        if recording.is_some() {
            return Err(HandleError::AlreadyRecording);
        }
        *recording = Some(start()?);
        Ok(())
    }

    /// Stops the recording, and returns when all of it is written.
    ///
    /// # Errors
    /// [`HandleError::NotRecording`]; [`HandleError::Stop`] if something could not be written, with
    /// the report of what was.
    pub fn stop(&self) -> Result<Report, HandleError> {
        // The lock is not held while the recording stops, which takes as long as its sink does.
        let recording = self.recording().take();
        let recording = recording.ok_or(HandleError::NotRecording)?;
        Ok(recording.stop()?)
    }

    /// Whether this handle's recording runs.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        let recording = self.recording();
        recording
            .as_ref()
            .is_some_and(|recording| !recording.is_of_parent())
    }

    /// The filter that holds now.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.control.filter()
    }

    /// Replaces the filter. It holds for all spans and events made after this returns; spans that
    /// are recorded already stay so. Running recordings get a log that says so.
    ///
    /// ```
    /// let (_subscriber, handle) = exectrace_tracing::subscriber();
    /// handle.reload("my_crate=debug".parse::<exectrace_tracing::Filter>()?);
    /// handle.modify(|filter| filter.set_target("my_crate::noisy", tracing_core::Level::WARN));
    /// assert!(!handle.filter().records("my_crate::noisy", tracing_core::Level::INFO));
    /// # Ok::<_, tracing_subscriber::filter::ParseError>(())
    /// ```
    pub fn reload(&self, filter: impl Into<Filter>) {
        let filter = filter.into();
        self.modify(|current| *current = filter);
    }

    /// Changes the filter, as [`reload`](Self::reload) does. Of two changes at once, both happen.
    pub fn modify(&self, change: impl FnOnce(&mut Filter)) {
        let filter = self.control.change_filter(change);
        note(&format!("filter changed to {filter}"));
        filters::describe();
        interest::rebuild();
    }

    fn recording(&self) -> std::sync::MutexGuard<'_, Option<Recording>> {
        // A panic while it was locked came from `start`, before anything was stored.
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
