//! A handler that makes calls, on whatever thread it runs: also on one that has just begun or is about to end.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use crate::is_over;
use crate::watch::{Step, did};

/// Where the handler writes to: nobody reads it.
static SINK: AtomicI32 = AtomicI32::new(-1);

/// Installs the handler.
pub(crate) fn install() {
    // SAFETY: the path ends with a zero.
    let sink = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    SINK.store(sink, Ordering::Relaxed);
    // SAFETY: all zeros are a value of it: no handler, no flags, no signals.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does what handlers may do; `action` is whole.
    unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
}

extern "C" fn handler(_signal: libc::c_int) {
    // SAFETY: it has no conditions.
    let errno = unsafe { *libc::__errno_location() };
    let byte = 0_u8;
    // SAFETY: one byte is readable.
    unsafe {
        libc::write(
            SINK.load(Ordering::Relaxed),
            std::ptr::from_ref(&byte).cast(),
            1,
        )
    };
    did(Step::Signal);
    // SAFETY: it has no conditions, and is this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

/// Sends signals to the process, which the kernel gives to any of its threads.
pub(crate) fn send() {
    while !is_over() {
        // SAFETY: it has no conditions; the handler is installed.
        unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
        std::thread::sleep(Duration::from_micros(700));
    }
}
