//! Calls in a signal handler, which interrupts calls and everything else.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::counted::{errno, fails, made, set_errno};
use crate::device;

const SIGNALS: u32 = 500;

static NULL: AtomicI32 = AtomicI32::new(-1);
static HANDLED: AtomicU32 = AtomicU32::new(0);
static WRONG: AtomicU32 = AtomicU32::new(0);

extern "C" fn handle(_: libc::c_int) {
    let before = errno();
    // SAFETY: the byte is there.
    let written =
        unsafe { libc::write(NULL.load(Ordering::Relaxed), c"x".as_ptr().cast(), 1) as i64 };
    made("write", written);
    // SAFETY: it has no condition.
    let failed = made("fsync", unsafe { libc::fsync(-1) });
    if written != 1 || failed != -1 || errno() != libc::EBADF {
        WRONG.fetch_add(1, Ordering::Relaxed);
    }
    set_errno(before);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

pub fn check() {
    NULL.store(device(c"/dev/null", libc::O_WRONLY), Ordering::Relaxed);
    // SAFETY: all zeros is a value of it.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler calls what may be called in one.
    assert_eq!(
        unsafe { libc::sigaction(libc::SIGALRM, &action, ptr::null_mut()) },
        0
    );
    set_timer(200);
    while HANDLED.load(Ordering::Relaxed) < SIGNALS {
        // SAFETY: it has no condition.
        fails("fdatasync", libc::EBADF, || unsafe { libc::fdatasync(-1) });
    }
    set_timer(0);
    assert_eq!(WRONG.load(Ordering::Relaxed), 0);
}

fn set_timer(period_us: libc::suseconds_t) {
    let period = libc::timeval {
        tv_sec: 0,
        tv_usec: period_us,
    };
    let timer = libc::itimerval {
        it_interval: period,
        it_value: period,
    };
    // SAFETY: both are there.
    let set = unsafe {
        libc::syscall(
            libc::SYS_setitimer,
            libc::ITIMER_REAL,
            &timer,
            ptr::null_mut::<libc::itimerval>(),
        )
    };
    assert_eq!(set, 0);
}
