//! The calls of the system that have no function in the standard library. None changes anything.
//!
//! # Rules
//!
//! 1. A pointer that a call gets is to a value on this stack that is large enough for what the call says it writes, or
//!    comes with its length, which the call does not exceed. The call keeps no pointer.
//! 2. A value that was not written is all zeros, which is a value of its type: numbers and arrays of bytes.
//! 3. The calls on descriptors only read. A number whose descriptor is closed or another one meanwhile gives an
//!    error, or what is true of the other one.

use std::mem::size_of;
use std::ptr::from_mut;

/// What the system counted of the process, since it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) cpu_ns: i64,
    pub(super) minor_faults: i64,
    pub(super) major_faults: i64,
    pub(super) voluntary_switches: i64,
    pub(super) involuntary_switches: i64,
}

pub(super) fn usage() -> Option<Usage> {
    // SAFETY: rule 2.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: rule 1.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, from_mut(&mut usage)) };
    let ns = |time: libc::timeval| {
        let (seconds, microseconds) = (wide(time.tv_sec), wide(time.tv_usec));
        let in_seconds = seconds.saturating_mul(1_000_000_000);
        in_seconds.saturating_add(microseconds.saturating_mul(1_000))
    };
    (result == 0).then(|| Usage {
        cpu_ns: ns(usage.ru_utime).saturating_add(ns(usage.ru_stime)),
        minor_faults: wide(usage.ru_minflt),
        major_faults: wide(usage.ru_majflt),
        voluntary_switches: wide(usage.ru_nvcsw),
        involuntary_switches: wide(usage.ru_nivcsw),
    })
}

/// A number of the system's, whose width depends on the system.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

/// How many files the process may open.
pub(super) fn open_files_limit() -> Option<libc::rlim_t> {
    // SAFETY: rule 2.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: rule 1.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, from_mut(&mut limit)) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

pub(super) fn page_bytes() -> u64 {
    // SAFETY: the call takes no pointer.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4_096)
}

/// An option of a socket; `None` if the number is no socket's, or it has no such option.
pub(super) fn socket_option<const N: usize>(
    descriptor: i32,
    level: i32,
    name: i32,
) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    let mut length = libc::socklen_t::try_from(N).ok()?;
    let (place, length) = (from_mut(&mut bytes).cast(), from_mut(&mut length));
    // SAFETY: rules 1 and 3.
    let result = unsafe { libc::getsockopt(descriptor, level, name, place, length) };
    (result == 0).then_some(bytes)
}

/// The bytes of a socket's address, of which unused ones are 0.
pub(super) fn socket_address(descriptor: i32) -> Option<[u8; size_of::<libc::sockaddr_in6>()]> {
    let mut bytes = [0u8; size_of::<libc::sockaddr_in6>()];
    let mut length = libc::socklen_t::try_from(bytes.len()).ok()?;
    let (place, length) = (from_mut(&mut bytes).cast(), from_mut(&mut length));
    // SAFETY: rules 1 and 3. An address is written byte by byte, so the place need not be aligned.
    let result = unsafe { libc::getsockname(descriptor, place, length) };
    (result == 0).then_some(bytes)
}
