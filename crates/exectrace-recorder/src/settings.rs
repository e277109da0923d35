//! Settings of the tracer, which is one for the process.

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
}

/// The default for [`Settings::memory_bytes`].
const DEFAULT_MEMORY_BYTES: usize = 64 << 20;

/// The settings in force, and whether they are in use.
static CURRENT: Table<(Settings, bool)> = Table::new();

impl Settings {
    /// The defaults: 64 MiB of memory.
    pub const fn new() -> Self {
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
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
