//! Entry points of which some calls are recorded, and all others are passed on: `syscall`, which locks of Rust's
//! standard library and of `parking_lot` use to wait, and `fcntl`, which waits for locks of files.
//!
//! The rules are those of `entry`, and:
//!
//! 4. `syscall` is a jump, so that whatever is called through it finds registers and stack as its caller left them.

use core::arch::naked_asm;

use exectrace_recorder::calls::{self, Call};
#[cfg(not(target_feature = "crt-static"))]
use libc::c_void;
use libc::{c_int, c_long};

use crate::EntryPoint;
use crate::entry::{function_type, sets_errno};
use crate::raw;

#[cfg(not(target_feature = "crt-static"))]
static SYSCALL: crate::next::Next =
    crate::next::Next::new(c"syscall", raw::syscall as *const () as *mut ());

/// Passes on what is not `futex`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C-unwind" fn syscall() {
    #[cfg(all(not(target_feature = "crt-static"), target_arch = "x86_64"))]
    naked_asm!(
        "cmp rdi, {futex_number}",
        "je {futex}",
        "jmp qword ptr [rip + {next}]",
        futex_number = const libc::SYS_futex,
        futex = sym futex,
        next = sym SYSCALL,
    );
    #[cfg(all(target_feature = "crt-static", target_arch = "x86_64"))]
    naked_asm!(
        "cmp rdi, {futex_number}",
        "je {futex}",
        "jmp {next}",
        futex_number = const libc::SYS_futex,
        futex = sym futex,
        next = sym raw::syscall,
    );
    #[cfg(all(not(target_feature = "crt-static"), target_arch = "aarch64"))]
    naked_asm!(
        "cmp x0, #{futex_number}",
        "b.ne 2f",
        "b {futex}",
        "2:",
        "adrp x16, {next}",
        "ldr x16, [x16, :lo12:{next}]",
        "br x16",
        futex_number = const libc::SYS_futex,
        futex = sym futex,
        next = sym SYSCALL,
    );
    #[cfg(all(target_feature = "crt-static", target_arch = "aarch64"))]
    naked_asm!(
        "cmp x0, #{futex_number}",
        "b.ne 2f",
        "b {futex}",
        "2:",
        "b {next}",
        futex_number = const libc::SYS_futex,
        futex = sym futex,
        next = sym raw::syscall,
    );
}

/// What `syscall` is to its callers.
type Syscall = function_type!((c_long); usize => c_long);

/// Jumped to by `syscall`, so it has seven words as its arguments. Whoever passes fewer has the kernel ignore the others.
unsafe extern "C-unwind" fn futex(
    number: c_long,
    word: usize,
    operation: usize,
    value: usize,
    timeout: usize,
    other_word: usize,
    other_value: usize,
) -> c_long {
    #[cfg(not(target_feature = "crt-static"))]
    let next = SYSCALL.function();
    #[cfg(target_feature = "crt-static")]
    let next = raw::syscall as *const () as *mut ();
    // SAFETY: both are what the C library calls `syscall`.
    let next = unsafe { core::mem::transmute::<*mut (), Syscall>(next) };
    let call = if exectrace_recorder::is_enabled() && waits(operation) {
        calls::begin(Call::FutexWait)
    } else {
        None
    };
    // SAFETY: rule 1.
    let returned = unsafe {
        next(
            number,
            word,
            operation,
            value,
            timeout,
            other_word,
            other_value,
        )
    };
    if let Some(call) = call {
        sets_errno(call, returned, ());
    }
    returned
}

fn waits(operation: usize) -> bool {
    const FUTEX_WAIT_REQUEUE_PI: c_int = 11;
    const FUTEX_LOCK_PI2: c_int = 13;

    let operation = operation as c_int & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    matches!(
        operation,
        libc::FUTEX_WAIT
            | libc::FUTEX_WAIT_BITSET
            | libc::FUTEX_LOCK_PI
            | FUTEX_WAIT_REQUEUE_PI
            | FUTEX_LOCK_PI2
    )
}

/// The arguments of `fcntl` that wait for another process or thread.
#[cfg(not(target_feature = "crt-static"))]
fn waits_for_lock(command: c_int) -> bool {
    matches!(command, libc::F_SETLKW | libc::F_OFD_SETLKW)
}

#[cfg(not(target_feature = "crt-static"))]
macro_rules! fcntl {
    ($name:ident, $text:literal, $next:ident, $before:ident) => {
        static $next: crate::next::Next =
            crate::next::Next::new($text, $before as *const () as *mut ());

        // SAFETY: it is what the C library's function of this name is, by rule 1.
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(
            fd: c_int,
            command: c_int,
            argument: *mut c_void,
        ) -> c_int {
            let next = $next.function();
            // SAFETY: rule 1 of `next`.
            let next = unsafe { core::mem::transmute::<*mut (), Fcntl>(next) };
            let call = if waits_for_lock(command) {
                calls::begin(Call::Fcntl)
            } else {
                None
            };
            // SAFETY: rule 1; a command that has no argument has it ignored.
            let returned = unsafe { next(fd, command, argument) };
            if let Some(call) = call {
                sets_errno(call, returned, ());
            }
            returned
        }

        unsafe extern "C-unwind" fn $before(
            fd: c_int,
            command: c_int,
            argument: *mut c_void,
        ) -> c_int {
            if !$next.resolve() {
                crate::next::forget_error();
                return raw::fail(-libc::ENOSYS as isize) as c_int;
            }
            // SAFETY: rule 1.
            unsafe { $name(fd, command, argument) }
        }
    };
}

#[cfg(not(target_feature = "crt-static"))]
type Fcntl = function_type!((c_int, c_int); usize => c_int);

#[cfg(not(target_feature = "crt-static"))]
fcntl!(fcntl, c"fcntl", FCNTL, fcntl_before);
#[cfg(all(not(target_feature = "crt-static"), target_env = "gnu"))]
fcntl!(fcntl64, c"fcntl64", FCNTL64, fcntl64_before);

pub(crate) static ENTRY_POINTS: &[EntryPoint] = &[
    EntryPoint {
        function: "syscall",
        shown_as: Call::FutexWait.name(),
        #[cfg(not(target_feature = "crt-static"))]
        next: &SYSCALL,
    },
    #[cfg(not(target_feature = "crt-static"))]
    EntryPoint {
        function: "fcntl",
        shown_as: Call::Fcntl.name(),
        next: &FCNTL,
    },
    #[cfg(all(not(target_feature = "crt-static"), target_env = "gnu"))]
    EntryPoint {
        function: "fcntl64",
        shown_as: Call::Fcntl.name(),
        next: &FCNTL64,
    },
];
