//! Entry points that are there as static musl has them in one object file with others, which the linker takes or
//! leaves as a whole: the two that make what `epoll_wait` waits on. They are passed on and not recorded.
//!
//! The rules are those of `entry`.

use libc::c_int;

use crate::raw::{self, Word as _, words};

// SAFETY: it is what the C library's function of this name is.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_create(size: c_int) -> c_int {
    if size <= 0 {
        return raw::fail(-libc::EINVAL as isize) as c_int;
    }
    // SAFETY: it takes no address.
    (unsafe { raw::call(libc::SYS_epoll_create1, words([0])) }) as c_int
}

// SAFETY: it is what the C library's function of this name is.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn epoll_create1(flags: c_int) -> c_int {
    // SAFETY: it takes no address.
    (unsafe { raw::call(libc::SYS_epoll_create1, words([flags.word()])) }) as c_int
}
