//! Sees the calls of a program to the C library that can block, for [exectrace](https://docs.rs/exectrace).
//!
//! It has functions with the names of the C library's: `read`, `write`, `fsync`, `nanosleep` and so on. In a program
//! that links this crate they are found first, so all that is linked into it calls them: the standard library, Tokio,
//! locks, libraries in C. Each makes the call as the C library would, and reports to the recorder which call it was,
//! how long it took, and whether it failed. This needs no privilege and no change to the program.
//!
//! # Usage
//!
//! Enable the feature `syscalls` of `exectrace` or of `exectrace-tokio`. That is all: there is nothing to call.
//!
//! # What is seen
//!
#![doc = include_str!("../ENTRY_POINTS.md")]
//!
//! *System call*: whoever made it is in the call meanwhile. *Sleep* and *wait for a thread*: whoever made it waits. *Wait
//! of the driver*: an async runtime waits for sockets, timers and signals. *Counted*: such calls mostly return at
//! once, and are counted unless the recorder's settings say otherwise.
//!
//! Of `syscall` and `fcntl` only the calls that wait are recorded: those are what the locks of the standard library
//! and of `parking_lot` wait with, and waits for locks of files. All their other calls are passed on.
//!
//! # What is not seen
//!
//! - Calls that the C library makes inside its own functions: of the loader, of its buffered files (`fread`), of
//!   `readdir`, of the thread that it starts. The call of `getaddrinfo` or `opendir` is seen, and what they call is
//!   not. In a static program some of these calls are seen.
//! - Calls from C code that was compiled with checks of buffers (`_FORTIFY_SOURCE`), where the compiler has put
//!   `__read_chk` in the place of `read`; and files' states asked for by the names that glibc had before 2.33
//!   (`__xstat`).
//! - System calls that are made without the C library, by inline assembly: those of `rustix` with its default backend.
//! - io_uring, also that of Tokio.
//! - What the kernel answers without a system call (vDSO: reading the clock).
//! - For Go's tools, where a call was made that lasts longer than a tenth of a second: it is shown while it lasts, when
//!   its stack is not known yet. Its async task or thread, and its innermost span, are. The program `exectrace` and its
//!   exports have the stack, as a record that follows the call has it.
//! - Which calls a thread makes after it has left one by `longjmp`, or by an exception of C++: they are counted, and
//!   belong to nobody.
//! - Page faults: reads of mapped files, swapped memory.
//! - Functions that are called where nothing is safe, or that do not block: allocation, memory maps, locks of the C
//!   library, `fork`, `execve`, signals.
//!
//! Each trace says by the capability `syscalls` whether calls are seen, and by `syscalls.not_seen` what is not, and
//! whether `rustix` and io_uring are in the program. That is known from the names of its symbols, so it stays unknown
//! of a program that was stripped of them; and what the compiler has dissolved in other functions has no symbol.
//!
//! # What stays as it is
//!
//! Results, `errno`, and the cancellation of threads are those of the C library. The functions allocate nothing, take
//! no lock, and may be called at any time: before `main`, in signal handlers, in forked children, by destructors
//! while a thread exits. Libraries that a program was started with (`LD_PRELOAD`) get the calls after this crate. Until
//! this crate has found them, which it does before `main`, and always in a static program, its functions make the system
//! calls themselves.
//!
//! # Platforms
//!
//! Linux on x86-64 and aarch64, with glibc or musl, dynamic or static. Elsewhere the crate is empty.
//!
//! # Linking
//!
//! - It is for programs. In a shared library (`cdylib`, `dylib`) the functions are there, but whoever the dynamic
//!   linker asks finds the C library first, so nothing is seen; the capability says so.
//! - A program has one definition of each function. cargo refuses two versions of this crate, and the linker another
//!   crate that defines the same names.
//! - Sanitizers define the same names, and so does Miri. On nightly Rust, which alone has them, the crate is empty under
//!   either. With the environment variable `EXECTRACE_SYSCALLS=off` any build leaves it empty.
//!
//! # What it costs
//!
//! While nothing records, a load, a branch and a jump in each call: 1 ns of the 205 of a `read` of one byte of
//! `/dev/zero`. While something records, 27 ns more for a call that is counted and 30 for one that is recorded, two
//! readings of the clock among them. `cargo bench -p exectrace-syscalls --bench overhead` measures it; these are of an
//! AMD EPYC with two shared cores that others were using, where calls took twice as long as otherwise, of 2026-11-28.

#![cfg_attr(not(exectrace_entry_points), forbid(unsafe_code))]

#[cfg(exectrace_entry_points)]
mod about;
#[cfg(exectrace_entry_points)]
mod entry;
#[cfg(exectrace_entry_points)]
mod files;
#[cfg(all(exectrace_entry_points, target_env = "gnu"))]
mod large_files;
#[cfg(all(
    exectrace_entry_points,
    target_env = "musl",
    target_feature = "crt-static"
))]
mod musl;
#[cfg(all(exectrace_entry_points, not(target_feature = "crt-static")))]
mod next;
#[cfg(exectrace_entry_points)]
mod paths;
#[cfg(exectrace_entry_points)]
mod raw;
#[cfg(exectrace_entry_points)]
mod sockets;
#[cfg(exectrace_entry_points)]
mod some_calls;
#[cfg(exectrace_entry_points)]
mod start;
#[cfg(exectrace_entry_points)]
mod waits;

/// A function of the C library that this crate stands in for.
#[derive(Debug)]
pub struct EntryPoint {
    function: &'static str,
    shown_as: &'static str,
    #[cfg(all(exectrace_entry_points, not(target_feature = "crt-static")))]
    next: &'static next::Next,
}

impl EntryPoint {
    /// Its name.
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// The name that its calls have in a trace.
    #[must_use]
    pub fn shown_as(&self) -> &'static str {
        self.shown_as
    }
}

/// The functions that this build stands in for: none where the crate is empty.
///
/// ```
/// let names: Vec<_> = exectrace_syscalls::entry_points().map(|point| point.function()).collect();
/// assert_eq!(names.contains(&"read"), cfg!(target_os = "linux"));
/// ```
pub fn entry_points() -> impl Iterator<Item = &'static EntryPoint> {
    static ALL: &[&&[EntryPoint]] = &[
        #[cfg(exectrace_entry_points)]
        &files::ENTRY_POINTS,
        #[cfg(exectrace_entry_points)]
        &paths::ENTRY_POINTS,
        #[cfg(all(exectrace_entry_points, target_env = "gnu"))]
        &large_files::ENTRY_POINTS,
        #[cfg(exectrace_entry_points)]
        &sockets::ENTRY_POINTS,
        #[cfg(exectrace_entry_points)]
        &waits::ENTRY_POINTS,
        #[cfg(exectrace_entry_points)]
        &some_calls::ENTRY_POINTS,
    ];
    ALL.iter().copied().copied().flatten()
}
