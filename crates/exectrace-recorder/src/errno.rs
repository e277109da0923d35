//! The number of the thread's last error, for what must leave it as it is: what runs in the middle of the program's
//! own calls, and in signal handlers.

/// The number, where the system has one.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errno(libc::c_int);

#[cfg(target_os = "linux")]
impl Errno {
    /// The number now.
    pub(crate) fn get() -> Self {
        // SAFETY: it has no conditions.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: it is this thread's own, and always there.
        Self(unsafe { *place })
    }

    /// Makes it what it was.
    pub(crate) fn restore(self) {
        // SAFETY: it has no conditions.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: it is this thread's own, and always there.
        unsafe { *place = self.0 };
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errno;

#[cfg(not(target_os = "linux"))]
impl Errno {
    pub(crate) fn get() -> Self {
        Self
    }

    pub(crate) fn restore(self) {}
}
