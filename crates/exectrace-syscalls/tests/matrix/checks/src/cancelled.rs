//! Threads that are cancelled while they wait in a call.

use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::counted::made;

unsafe extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> libc::c_int;
}

static THREAD: AtomicI64 = AtomicI64::new(0);

/// Waits for a pipe that stays empty. Nothing on its frame has a destructor.
extern "C-unwind" fn wait_for_pipe(pipe: *mut c_void) -> *mut c_void {
    // SAFETY: it has no condition.
    THREAD.store(
        unsafe { libc::syscall(libc::SYS_gettid) },
        Ordering::Release,
    );
    let mut byte = 0_u8;
    // SAFETY: the byte is there as long as the thread waits.
    unsafe { libc::read(pipe as usize as i32, (&raw mut byte).cast(), 1) };
    ptr::null_mut()
}

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

pub fn check() {
    let mut pipe = [0; 2];
    // SAFETY: there is room for two.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    for _ in 0..10 {
        THREAD.store(0, Ordering::Relaxed);
        // SAFETY: all zeros is a value of it, a number or an address.
        let mut thread: libc::pthread_t = unsafe { std::mem::zeroed() };
        // SAFETY: they differ in that the thread may be unwound, which the C library does.
        let start: Start = unsafe { std::mem::transmute(wait_for_pipe as *const ()) };
        // SAFETY: the argument is a number.
        let made_thread = unsafe {
            libc::pthread_create(
                &mut thread,
                ptr::null(),
                start,
                pipe[0] as usize as *mut c_void,
            )
        };
        assert_eq!(made_thread, 0);
        wait_until_it_waits();
        made("(read, cancelled)", 0);
        // SAFETY: the thread is there until it is joined.
        assert_eq!(unsafe { pthread_cancel(thread) }, 0);
        let mut result = ptr::null_mut();
        // SAFETY: as above.
        assert_eq!(
            made("pthread_join", unsafe {
                libc::pthread_join(thread, &mut result)
            }),
            0
        );
        // `PTHREAD_CANCELED`
        assert_eq!(result as isize, -1);
    }
}

/// Looks at what the kernel says of the thread, until it sleeps in the call.
fn wait_until_it_waits() {
    loop {
        let thread = THREAD.load(Ordering::Acquire);
        if thread != 0 && sleeps(thread) {
            return;
        }
        std::thread::yield_now();
    }
}

/// Asks by calls that are not counted.
fn sleeps(thread: i64) -> bool {
    let name = CString::new(format!("/proc/self/task/{thread}/stat")).expect("a name");
    let fd = crate::device(&name, libc::O_RDONLY);
    let mut stat = [0_u8; 64];
    // SAFETY: there is room for as much.
    let length = unsafe { libc::syscall(libc::SYS_read, fd, stat.as_mut_ptr(), stat.len()) };
    made("(read)", length);
    // SAFETY: the descriptor is used no more.
    made("(close)", unsafe { libc::syscall(libc::SYS_close, fd) });
    stat[..length.max(0) as usize]
        .windows(4)
        .any(|part| part == b") S ")
}
