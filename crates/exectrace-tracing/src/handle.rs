//! The handle that starts and stops recordings and changes the filter at run time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use exectrace_recorder::{
    Recording, RecordingOptions, Report, StartError, StopError, TooManySpanSources, note,
};

use crate::control::Control;
use crate::filter::Filter;
use crate::filters;
use crate::interest;

/// Starts and stops recordings, and changes the filter of one Layer or Subscriber, at any time and
/// from any thread.
///
/// All clones refer to the same recording and filter. No method blocks the threads that record.
///
/// A handle has at most one recording at a time. The recording stops when the last clone is dropped; its
/// errors are then lost, unless its options have a callback for them. Recordings that were started otherwise
/// (by another handle, or by [`exectrace_recorder::start`]) contain the same records, and are independent.
#[derive(Clone, Debug)]
pub struct Handle {
    control: Arc<Control>,
    /// Held by handles only, so that the recording stops when the last one is dropped.
    recording: Arc<Mutex<Option<Recording>>>,
    failure: Option<TooManySpanSources>,
}

/// The error of starting or stopping a recording through a [`Handle`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// `start` was called while the handle's recording runs.
    #[error("this handle is recording already")]
    AlreadyRecording,
    /// `stop` was called while the handle has no recording.
    #[error("this handle is not recording")]
    NotRecording,
    /// The Layer or Subscriber records nothing, because too many existed when it was made.
    #[error("the layer or subscriber of this handle records nothing: {0}")]
    TooManySources(TooManySpanSources),
    /// The recording did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The recording was stopped, but not all of it reached its destination.
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

    /// Starts recording into a file at `path`. A file that exists there is replaced.
    ///
    /// # Errors
    /// [`HandleError::AlreadyRecording`]; [`HandleError::TooManySources`];
    /// [`HandleError::Start`] if the file cannot be made.
    pub fn start(&self, path: impl AsRef<Path>) -> Result<(), HandleError> {
        self.start_with(|| RecordingOptions::new().start_file(path))
    }

    /// Starts the recording that the closure starts, with any options and destination:
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
        // In a forked child the recording is the parent's.
        drop(recording.take_if(|recording| recording.is_of_parent()));
        if recording.is_some() {
            return Err(HandleError::AlreadyRecording);
        }
        *recording = Some(start()?);
        Ok(())
    }

    /// Stops the recording. Returns after all of it has been written.
    ///
    /// # Errors
    /// [`HandleError::NotRecording`]; [`HandleError::Stop`] if not all could be written. That error has the
    /// report of what was written.
    pub fn stop(&self) -> Result<Report, HandleError> {
        // The lock is not held while the recording stops, which takes as long as its sink takes.
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

    /// The current filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        self.control.filter()
    }

    /// Replaces the filter, for all spans and events created after this returns. A span that is being
    /// recorded remains so. Running recordings get a log of the change.
    ///
    /// ```
    /// let (_subscriber, handle) = exectrace_tracing::subscriber();
    /// handle.reload("my_crate=debug".parse::<exectrace_tracing::Filter>()?);
    /// handle.modify(|filter| filter.set_target("my_crate::noisy", tracing_core::Level::WARN));
    /// assert!(!handle.filter().records("my_crate::noisy", tracing_core::Level::INFO));
    /// # Ok::<_, exectrace_tracing::ParseFilterError>(())
    /// ```
    pub fn reload(&self, filter: impl Into<Filter>) {
        let filter = filter.into();
        self.modify(|current| *current = filter);
    }

    /// Changes the filter in place, otherwise as [`reload`](Self::reload). If two threads change it at once,
    /// both changes take effect.
    pub fn modify(&self, change: impl FnOnce(&mut Filter)) {
        let filter = self.control.change_filter(change);
        note(&format!("filter changed to {filter}"));
        filters::update();
        interest::rebuild();
    }

    fn recording(&self) -> std::sync::MutexGuard<'_, Option<Recording>> {
        // If a thread panicked while it held the lock, it did so in `start`, before anything was stored.
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
