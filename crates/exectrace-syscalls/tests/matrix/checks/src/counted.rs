//! How many calls were made, by the name that they have in a trace. May be used in signal handlers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// In the order of the recorder's table.
const NAMES: &[&str] = &[
    "open",
    "openat",
    "read",
    "write",
    "readv",
    "writev",
    "pread",
    "pwrite",
    "preadv",
    "pwritev",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "stat",
    "fstat",
    "lstat",
    "fstatat",
    "statx",
    "access",
    "rename",
    "renameat",
    "unlink",
    "unlinkat",
    "mkdir",
    "rmdir",
    "link",
    "symlink",
    "readlink",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "splice",
    "flock",
    "fcntl",
    "ioctl",
    "close",
    "opendir",
    "getaddrinfo",
    "connect",
    "poll",
    "select",
    "waitpid",
    "waitid",
    "accept",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendto",
    "sendmsg",
    "shutdown",
    "nanosleep",
    "clock_nanosleep",
    "usleep",
    "sleep",
    "futex",
    "pthread_join",
    "sem_wait",
    "pthread_cond_wait",
    "epoll_wait",
    "epoll_ctl",
    "msync",
    // Made in another way, for those who list all system calls: passed on by `syscall`, and never ended.
    "(openat)",
    "(read)",
    "(close)",
    "(read, cancelled)",
];

static COUNTS: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];
static FAILED: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

/// A call was made. Returns what it returned; -1 says that it failed.
pub fn made<R: Copy + Into<i64>>(name: &str, returned: R) -> i64 {
    let place = NAMES
        .iter()
        .position(|known| *known == name)
        .expect("a known name");
    COUNTS[place].fetch_add(1, Ordering::Relaxed);
    let returned = returned.into();
    FAILED[place].fetch_add((returned == -1).into(), Ordering::Relaxed);
    returned
}

pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub fn set_errno(errno: i32) {
    // SAFETY: it is this thread's.
    unsafe { *libc::__errno_location() = errno };
}

/// A call that must succeed, and leave `errno` alone.
#[track_caller]
pub fn done<R: Copy + Into<i64>>(name: &str, call: impl FnOnce() -> R) -> i64 {
    set_errno(77);
    let returned = made(name, call());
    assert_ne!(returned, -1, "{name}: {}", std::io::Error::last_os_error());
    assert_eq!(errno(), 77, "{name}");
    returned
}

/// A call that must fail with this error.
#[track_caller]
pub fn fails<R: Copy + Into<i64>>(name: &str, error: i32, call: impl FnOnce() -> R) {
    set_errno(77);
    assert_eq!(made(name, call()), -1, "{name}");
    assert_eq!(errno(), error, "{name}");
}

static CHILDREN: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// A process was forked.
pub fn child(child: i32) {
    CHILDREN.lock().expect("no panic").push(child);
}

/// Prints a line for each name, and for each child.
pub fn print() {
    for child in CHILDREN.lock().expect("no panic").iter() {
        println!("child {child}");
    }
    for (name, (count, failed)) in NAMES.iter().zip(COUNTS.iter().zip(&FAILED)) {
        println!(
            "made {name} {} {}",
            count.load(Ordering::Relaxed),
            failed.load(Ordering::Relaxed)
        );
    }
}
