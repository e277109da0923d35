//! Calls in processes that are forked, and in programs that they become.

use std::env;
use std::ptr;

use crate::counted::{self, made};
use crate::device;

const CHILDREN: usize = 20;

pub fn check() {
    for _ in 0..CHILDREN {
        // SAFETY: the child makes system calls only.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = forked();
            // SAFETY: nothing of the parent's runs.
            unsafe { libc::_exit(status) };
        }
        wait_for(child);
    }
    // `fork` by its number, through `syscall`.
    // SAFETY: as above.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        // SAFETY: nothing of the parent's runs.
        unsafe { libc::_exit(forked()) };
    }
    wait_for(child as i32);
    // SAFETY: the arguments end with null.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let arguments = [c"program".as_ptr(), c"child".as_ptr(), ptr::null()];
        // SAFETY: the arguments end with null.
        unsafe { libc::execv(c"/proc/self/exe".as_ptr(), arguments.as_ptr()) };
        // SAFETY: nothing of the parent's runs.
        unsafe { libc::_exit(99) };
    }
    wait_for(child);
}

/// 0 if all is well.
fn forked() -> i32 {
    let zero = device(c"/dev/zero", libc::O_RDONLY);
    let mut bytes = [1_u8; 16];
    for _ in 0..100 {
        // SAFETY: the bytes are there.
        if unsafe { libc::read(zero, bytes.as_mut_ptr().cast(), bytes.len()) } != 16 {
            return 1;
        }
        // SAFETY: it has no condition.
        if unsafe { libc::fsync(-1) } != -1 || counted::errno() != libc::EBADF {
            return 2;
        }
    }
    bytes.iter().map(|byte| i32::from(*byte)).sum()
}

fn wait_for(child: i32) {
    counted::child(child);
    let mut status = 0;
    // SAFETY: the status is there.
    assert_eq!(
        made("waitpid", unsafe { libc::waitpid(child, &mut status, 0) }),
        child.into()
    );
    assert_eq!(status, 0);
}

/// What the program does that a child becomes. In the harness of tests it runs no test.
pub fn executed() {
    assert_eq!(env::args().count(), 2);
    std::process::exit(forked());
}
