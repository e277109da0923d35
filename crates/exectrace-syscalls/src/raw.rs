//! System calls without the C library: in static programs, and until the next definitions are known.
//!
//! Rules:
//!
//! 1. A caller passes the number of a system call and its arguments as the kernel wants them, from arguments that
//!    its own caller vouches for. Nothing here reads or writes through them; the kernel does.
//! 2. `errno` is the calling thread's own.

use core::arch::{asm, naked_asm};

use libc::{c_int, c_long};

/// An argument as the kernel takes it.
pub(crate) trait Word {
    fn word(self) -> usize;
}

macro_rules! words {
    ($($type:ty)*) => {
        $(impl Word for $type {
            #[inline(always)]
            fn word(self) -> usize {
                self as usize
            }
        })*
    };
}

words!(i32 u32 i64 u64 isize usize);

impl<T> Word for *const T {
    #[inline(always)]
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for *mut T {
    #[inline(always)]
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

/// The size of a set of signals in the kernel.
pub(crate) const SIGNAL_SET_BYTES: usize = 8;

/// Six arguments, the last of which are 0.
#[inline(always)]
pub(crate) fn words<const N: usize>(some: [usize; N]) -> [usize; 6] {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&some);
    all
}

/// A system call; what the kernel returned.
///
/// # Safety
///
/// Rule 1.
#[inline(always)]
unsafe fn kernel(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: rule 1; the kernel's convention is to change these three registers, and no stack.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: rule 1; the kernel's convention is to change this one register, and no stack.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// A system call in which a thread may be cancelled; what the kernel returned.
///
/// # Safety
///
/// Rule 1.
#[cfg(all(target_env = "musl", target_feature = "crt-static"))]
#[inline(always)]
unsafe fn kernel_cancellable(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    // musl ends a cancelled thread without unwinding.
    unsafe extern "C" {
        /// What musl's own functions call. It recognises a thread that waits here by its program counter.
        fn __syscall_cp(
            number: c_long,
            a: usize,
            b: usize,
            c: usize,
            d: usize,
            e: usize,
            f: usize,
        ) -> isize;
    }
    // SAFETY: rule 1.
    unsafe { __syscall_cp(number, a, b, c, d, e, f) }
}

/// A system call in which a thread may be cancelled; what the kernel returned.
///
/// # Safety
///
/// Rule 1.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
#[inline(always)]
unsafe fn kernel_cancellable(number: c_long, arguments: [usize; 6]) -> isize {
    use core::ptr;

    // Not `C-unwind`, which with `panic=abort` would end the process: see `function_type`.
    unsafe extern "C" {
        fn pthread_setcanceltype(kind: c_int, before: *mut c_int) -> c_int;
    }
    const PTHREAD_CANCEL_ASYNCHRONOUS: c_int = 1;

    let mut before = 0;
    // As the C library does it: a thread that waits can be cancelled at any of these instructions, and holds nothing.
    // SAFETY: `before` is written here, and the frame has no destructor.
    unsafe { pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &mut before) };
    // SAFETY: rule 1.
    let result = unsafe { kernel(number, arguments) };
    // SAFETY: the type that was there; the earlier one is not wanted.
    unsafe { pthread_setcanceltype(before, ptr::null_mut()) };
    result
}

/// Before the next definition is known, which is before `main`, no thread waits to be cancelled.
///
/// # Safety
///
/// Rule 1.
#[cfg(not(target_feature = "crt-static"))]
#[inline(always)]
unsafe fn kernel_cancellable(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: rule 1.
    unsafe { kernel(number, arguments) }
}

/// A system call, as the C library reports its result: -1 and `errno` if it failed.
///
/// # Safety
///
/// Rule 1.
#[inline(always)]
pub(crate) unsafe fn call(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: rule 1.
    settle(unsafe { kernel(number, arguments) })
}

/// As [`call`], where a thread may be cancelled.
///
/// # Safety
///
/// Rule 1.
#[inline(always)]
pub(crate) unsafe fn cancellable(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: rule 1.
    settle(unsafe { kernel_cancellable(number, arguments) })
}

/// As [`cancellable`], of a function that returns the number of its error and leaves `errno` alone.
///
/// # Safety
///
/// Rule 1.
#[inline(always)]
pub(crate) unsafe fn error_number(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: rule 1.
    -unsafe { kernel_cancellable(number, arguments) }
}

/// The function `poll`, which not every kind of processor has as a system call.
///
/// # Safety
///
/// Rule 1.
#[inline(always)]
pub(crate) unsafe fn poll(fds: *mut libc::pollfd, count: libc::nfds_t, timeout_ms: c_int) -> isize {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: rule 1.
    return unsafe {
        cancellable(
            libc::SYS_poll,
            words([fds.word(), count.word(), timeout_ms.word()]),
        )
    };
    #[cfg(target_arch = "aarch64")]
    {
        let mut timeout = libc::timespec {
            tv_sec: i64::from(timeout_ms / 1_000),
            tv_nsec: i64::from(timeout_ms % 1_000) * 1_000_000,
        };
        let timeout = match timeout_ms {
            0.. => &raw mut timeout,
            _ => core::ptr::null_mut(),
        };
        // SAFETY: rule 1; the timeout, which the kernel changes, is on this frame.
        unsafe {
            cancellable(
                libc::SYS_ppoll,
                [
                    fds.word(),
                    count.word(),
                    timeout.word(),
                    0,
                    SIGNAL_SET_BYTES,
                    0,
                ],
            )
        }
    }
}

#[cfg(all(target_env = "musl", target_feature = "crt-static"))]
unsafe extern "C" {
    /// The function `pthread_join`, by another name that musl has for it.
    #[link_name = "__pthread_join"]
    pub(crate) fn pthread_join(thread: libc::pthread_t, result: *mut *mut libc::c_void) -> c_int;
}

#[inline(always)]
fn settle(result: isize) -> isize {
    if (-4095..0).contains(&result) {
        fail(result) as isize
    } else {
        result
    }
}

/// Sets `errno` to an error as the kernel returns it, and returns -1.
#[cold]
pub(crate) extern "C" fn fail(result: isize) -> c_long {
    set_errno(result.unsigned_abs() as c_int);
    -1
}

pub(crate) fn errno() -> c_int {
    // SAFETY: it has no conditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: rule 2.
    unsafe { *place }
}

fn set_errno(errno: c_int) {
    // SAFETY: it has no conditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: rule 2.
    unsafe { *place = errno };
}

/// The function `syscall`, as the C library has it.
///
/// # Safety
///
/// As the system call that it makes.
#[unsafe(naked)]
pub(crate) unsafe extern "C-unwind" fn syscall() {
    #[cfg(target_arch = "x86_64")]
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 2f",
        "ret",
        "2:",
        "mov rdi, rax",
        "jmp {fail}",
        fail = sym fail,
    );
    #[cfg(target_arch = "aarch64")]
    naked_asm!(
        "mov x8, x0",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        "mov x3, x4",
        "mov x4, x5",
        "mov x5, x6",
        "svc 0",
        "cmn x0, #4095",
        "b.hs 2f",
        "ret",
        "2:",
        "b {fail}",
        fail = sym fail,
    );
}
