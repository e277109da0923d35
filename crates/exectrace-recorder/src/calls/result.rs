//! How a call ended, as a word of its record.

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// It succeeded; what it returned.
    Done(u64),
    /// It failed, with this number of an error.
    Failed(u16),
}

impl CallResult {
    const FAILED: u64 = 1 << 63;

    /// A wait of the class [`Driver`](super::CallClass::Driver) has ended: so many sources were ready, and it meant
    /// to wait for `timeout_ms` milliseconds at most, or for ever if that is negative.
    #[must_use]
    pub const fn of_driver(ready: u32, timeout_ms: i32) -> Self {
        // 0 is left for who does not say it.
        let timeout = if timeout_ms < 0 {
            1
        } else {
            timeout_ms as u64 + 2
        };
        Self::Done(ready as u64 | timeout << 32)
    }

    pub(super) fn to_word(self) -> u64 {
        match self {
            Self::Done(value) => value & !Self::FAILED,
            Self::Failed(errno) => Self::FAILED | u64::from(errno),
        }
    }

    /// What a wait for the driver came to.
    pub(crate) fn driver(self) -> DriverResult {
        let Self::Done(value) = self else {
            // A signal came.
            return DriverResult {
                ready: 0,
                timeout: Timeout::Unknown,
            };
        };
        let timeout = match value >> 32 {
            0 => Timeout::Unknown,
            1 => Timeout::Never,
            more => Timeout::Milliseconds(more - 2),
        };
        let ready = value & u64::from(u32::MAX);
        DriverResult { ready, timeout }
    }

    pub(crate) fn of_word(word: u64) -> Self {
        match word & Self::FAILED {
            0 => Self::Done(word),
            _ => Self::Failed(word as u16),
        }
    }
}

/// What a wait for the driver came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverResult {
    /// So many sources were ready.
    pub(crate) ready: u64,
    pub(crate) timeout: Timeout,
}

/// How long a wait for the driver was to last at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    Unknown,
    Never,
    Milliseconds(u64),
}
