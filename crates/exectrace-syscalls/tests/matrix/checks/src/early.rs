//! Calls before `main`.

use std::sync::atomic::{AtomicI64, Ordering};

static RESULTS: [AtomicI64; 4] = [const { AtomicI64::new(0) }; 4];

extern "C" fn early() {
    let mut byte = 0_u8;
    let results = [
        // SAFETY: none of them has a condition.
        unsafe { libc::fsync(-1) as i64 },
        // SAFETY: the byte is there.
        unsafe { libc::read(-1, (&raw mut byte).cast(), 1) as i64 },
        // SAFETY: the name ends with a zero.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) as i64 },
        // SAFETY: it has no condition.
        unsafe { libc::syscall(libc::SYS_getpid) },
    ];
    for (to, result) in RESULTS.iter().zip(results) {
        to.store(result, Ordering::Relaxed);
    }
}

// The first of all, before the tracer's own.
// SAFETY: the section holds addresses of functions of this type.
#[used]
#[unsafe(link_section = ".init_array.00001")]
static FIRST: extern "C" fn() = early;

// SAFETY: as above.
#[used]
#[unsafe(link_section = ".init_array")]
static LAST: extern "C" fn() = early;

pub fn check() {
    let [sync, read, open, pid] = &RESULTS;
    assert_eq!(sync.load(Ordering::Relaxed), -1);
    assert_eq!(read.load(Ordering::Relaxed), -1);
    assert!(open.load(Ordering::Relaxed) > 0);
    assert_eq!(pid.load(Ordering::Relaxed), i64::from(std::process::id()));
}
