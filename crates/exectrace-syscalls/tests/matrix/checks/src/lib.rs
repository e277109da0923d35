//! Makes calls in every situation that there is, checks what they return, and says how many of each were made.

mod cancelled;
mod children;
mod counted;
mod each;
mod early;
mod exits;
mod heap;
mod signals;
mod threads;

use std::env;
use std::path::Path;

pub use exectrace::Allocator;

use counted::fails;

/// `program TRACE` does all of it, and records the calls; `program child` is what a child process does.
pub fn main() {
    let argument = env::args_os().nth(1);
    match argument.as_deref() {
        Some(argument) if argument == "child" => children::executed(),
        argument => all(argument.map(Path::new)),
    }
}

/// Panics if a call does not do what the C library's function does.
pub fn all(trace: Option<&Path>) {
    early::check();
    let recording = trace.map(|path| exectrace::start(path).expect("a recording"));
    // For readers of a list of all system calls: what lies between these two is counted.
    mark(c"/exectrace-begin");
    each::check();
    threads::check();
    signals::check();
    children::check();
    exits::check();
    heap::check();
    cancelled::check();
    mark(c"/exectrace-end");
    if let Some(recording) = recording {
        println!("{}", recording.stop().expect("a whole trace"));
    }
    counted::print();
    for point in exectrace::syscalls::entry_points() {
        println!("seen {} {}", point.shown_as(), point.function());
    }
}

fn mark(name: &std::ffi::CStr) {
    // SAFETY: the name ends with a zero.
    fails("access", libc::ENOENT, || unsafe {
        libc::access(name.as_ptr(), 0)
    });
}

/// A file descriptor of this name, without a call that is counted.
fn device(name: &std::ffi::CStr, flags: i32) -> i32 {
    // SAFETY: the name ends with a zero.
    let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, name.as_ptr(), flags, 0) };
    counted::made("(openat)", fd);
    assert!(fd >= 0);
    fd as i32
}
