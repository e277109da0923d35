//! Threads of the tracer's own.
//!
//! They are not started by `std`. Since Rust 1.89 a thread that `std` starts takes a lock first
//! (`std::sys::…::stack_overflow::thread_info`). If a process forks while one of its threads holds that lock, as each does
//! that begins or ends, the child's next thread waits for it for ever, and with it a recording that the child starts. That
//! happens about once in 3,000 forks of a program whose threads do nothing else. What is lost is the message for an
//! overflow of these threads' stacks, and the name that `std::thread` knows.
//!
//! # Protocol
//!
//! 1. The work is in a box. Its address goes to the new thread, and to nobody else: if there is a thread, that owns the
//!    box; if there is none, who asked for it still does.

use std::ffi::CStr;
use std::io;

/// What a thread does.
type Work = Box<dyn FnOnce() + Send>;

/// Starts a thread that does this, under a name for the system. A panic ends the thread alone.
#[cfg(unix)]
pub(crate) fn spawn(name: &'static CStr, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use std::mem::MaybeUninit;

    /// As much as `std` gives, of which the system takes what is used.
    const STACK_BYTES: usize = 2 << 20;

    let named = move || {
        set_name(name);
        work();
    };
    let work: Box<Work> = Box::new(Box::new(named));
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: fills the attributes, which are writable.
    let status = unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(status));
    }
    // An error leaves the system's default, which does as well.
    // SAFETY: the attributes were filled above.
    unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK_BYTES) };
    // SAFETY: as above.
    unsafe {
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED)
    };
    let work = Box::into_raw(work);
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes were filled above; rule 1: `run` gets the address of a box that it owns.
    let status =
        unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, work.cast()) };
    // SAFETY: the attributes were filled above, and are not used any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if status != 0 {
        // SAFETY: rule 1: there is no thread, so the box is still ours.
        drop(unsafe { Box::from_raw(work) });
        return Err(io::Error::from_raw_os_error(status));
    }
    Ok(())
}

#[cfg(unix)]
extern "C" fn run(work: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: rule 1.
    let work = unsafe { Box::from_raw(work.cast::<Work>()) };
    // Unwinding must not leave the function that the system called.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(*work));
    // Nor must what it panics with, which could panic again when it is dropped.
    let _ = ended.map_err(std::mem::forget);
    std::ptr::null_mut()
}

/// Names the calling thread; of a longer name the system takes the first 15 bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_name(name: &'static CStr) {
    // SAFETY: the text lives for ever, and only the name of the calling thread changes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Other systems have each their own way, which is not worth its code.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn set_name(_: &'static CStr) {}

/// Where processes do not fork, `std` does it.
#[cfg(not(unix))]
pub(crate) fn spawn(name: &'static CStr, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work: Work = Box::new(work);
    let name = name.to_string_lossy().into_owned();
    std::thread::Builder::new().name(name).spawn(work).map(drop)
}
