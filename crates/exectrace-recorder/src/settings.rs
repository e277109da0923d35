//! Settings of the tracer, which is one for the process.

use std::time::Duration;

use crate::table::Table;

/// What can be set before the first recording starts.
///
/// ```
/// use exectrace_recorder::Settings;
///
/// Settings::new().memory_bytes(16 << 20).apply()?;
/// # Ok::<(), exectrace_recorder::SettingsError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are applied"]
pub struct Settings {
    memory_bytes: usize,
    call_threshold: Duration,
    socket_calls: bool,
}

/// The default for [`Settings::memory_bytes`].
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;

/// The default for [`Settings::call_threshold`]. What takes less does not touch a device and waits for nobody; a call
/// that opens a file, or copies some kilobytes from the page cache, takes more.
const DEFAULT_CALL_THRESHOLD: Duration = Duration::from_micros(1);

/// Which calls are recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallSettings {
    pub(crate) threshold: Duration,
    pub(crate) with_sockets: bool,
}

/// The settings in force, and whether they are in use.
static CURRENT: Table<(Settings, bool)> = Table::new();

impl Settings {
    /// The defaults: 64 MiB of memory; calls of the C library are recorded from a microsecond on, and those on
    /// sockets counted.
    pub const fn new() -> Self {
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
            call_threshold: DEFAULT_CALL_THRESHOLD,
            socket_calls: false,
        }
    }

    /// How much memory records may occupy, in bytes; at least 1 MiB is taken.
    ///
    /// Address space is reserved at once, but the system provides memory only as it is first used. A
    /// thread that has recorded holds 16 KiB of it until the thread ends. When all is full, records
    /// are dropped and counted. The tables of open spans and tasks come on top: some 100 bytes for
    /// each open span, at most 1,048,576 of them.
    pub const fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// How long a call of the C library has to take to be recorded; shorter ones are counted, with the time that
    /// they took together. By default a microsecond.
    ///
    /// Programs whose calls are seen have the feature `syscalls`. A call that is recorded takes some 15 bytes
    /// of the trace. Those that are counted are exact for each async task and user task, but have no place and no
    /// time of their own.
    pub const fn call_threshold(mut self, threshold: Duration) -> Self {
        self.call_threshold = threshold;
        self
    }

    /// Whether calls that send, receive and accept are recorded as others are, if they take long enough; by default
    /// they are counted and not timed.
    ///
    /// Async runtimes make such calls on sockets that do not block, and many of them. Set this for a program that
    /// blocks in them.
    pub const fn socket_calls(mut self, record: bool) -> Self {
        self.socket_calls = record;
        self
    }

    /// Makes these the settings of the process.
    ///
    /// # Errors
    /// [`SettingsError::InUse`] once a recording has been started.
    pub fn apply(self) -> Result<(), SettingsError> {
        CURRENT.change(|current| {
            if current.1 {
                return Err(SettingsError::InUse);
            }
            current.0 = self.clone();
            Ok(())
        })
    }

    /// Takes the settings into use.
    pub(crate) fn take_into_use() -> Self {
        CURRENT.change(|current| {
            current.1 = true;
            current.0.clone()
        })
    }

    pub(crate) fn memory(&self) -> usize {
        self.memory_bytes
    }

    pub(crate) fn calls(&self) -> CallSettings {
        CallSettings {
            threshold: self.call_threshold,
            with_sockets: self.socket_calls,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Why settings were not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A recording was started before, with the settings of that moment.
    #[error("the tracer is in use; apply settings before the first recording starts")]
    InUse,
}
