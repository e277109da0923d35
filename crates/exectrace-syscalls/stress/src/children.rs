//! Children: some go on with what their parent has, some execute another program.

use std::process::Command;
use std::time::Duration;

use crate::is_over;
use crate::watch::{Step, did};

/// Forks children that make calls, and end without running anything of their parent's.
pub(crate) fn fork() {
    while !is_over() {
        // SAFETY: the child calls only functions that may be called in a child of a process with threads.
        let child = unsafe { libc::fork() };
        match child {
            0 => in_child(),
            -1 => panic!("fork: {}", std::io::Error::last_os_error()),
            _ => {
                let mut status = 0;
                // SAFETY: `status` is writable.
                let ended = unsafe { libc::waitpid(child, &mut status, 0) };
                // A signal may have come to this thread.
                if ended == child {
                    assert_eq!(status, 0, "a forked child failed");
                    did(Step::Fork);
                }
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn in_child() -> ! {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    let made = unsafe { libc::pipe(ends.as_mut_ptr()) };
    let mut bytes = [0_u8; 8];
    // SAFETY: the bytes are readable, as many as said.
    let written = unsafe { libc::write(ends[1], bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: the bytes are writable, as many as said.
    let read = unsafe { libc::read(ends[0], bytes.as_mut_ptr().cast(), bytes.len()) };
    let is_good = made == 0 && written == 8 && read == 8;
    // SAFETY: it ends the process and returns nowhere.
    unsafe { libc::_exit(if is_good { 0 } else { 1 }) }
}

/// Executes another program, over and over.
pub(crate) fn execute() {
    while !is_over() {
        let status = Command::new("true").status().expect("a program");
        assert!(status.success());
        did(Step::Execute);
        std::thread::sleep(Duration::from_millis(20));
    }
}
