//! The kernel's reports of when one thread leaves and gets a processor, and the memory that it writes them to.
//!
//! # Rules
//!
//! 1. The kernel reads the 112 bytes of the attributes while the call lasts, and writes nothing to them.
//! 2. A mapping is of [`PAGES`] pages, page-aligned, readable and writable, and stays until the [`Ring`] is dropped. A forked
//!    child does not have it (the kernel does not copy such mappings) and does not use the `Ring` either: it
//!    belongs to the flush thread, which is not there.
//! 3. In the first page the kernel keeps `data_head` at byte 1,024 and reads `data_tail` at byte 1,032, both aligned words.
//!    Both are accessed by atomic operations on both sides.
//! 4. The bytes between tail and head, of the pages behind the first, are not written by the kernel before the tail
//!    is moved. The kernel publishes them by the head, which is loaded with Acquire, and may write them again after the
//!    tail was stored with Release.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use super::records::ATTRIBUTES;

/// Pages for reports: a thousand of them. The page before them has head and tail.
const DATA_PAGES: usize = 8;
const PAGES: usize = DATA_PAGES + 1;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 8;

/// See the module. Dropping it ends the reports.
#[derive(Debug)]
pub(super) struct Ring {
    /// The first page.
    control: NonNull<u8>,
    page_bytes: usize,
    /// Up to here all was read.
    tail: u64,
}

// SAFETY: rule 2: the mapping is used through this value alone, and is not bound to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Asks the kernel for reports of a thread of this process.
    ///
    /// The descriptor is closed again, as the mapping keeps what it stands for: the program's table of
    /// descriptors is as it was.
    pub(super) fn open(thread: u64) -> io::Result<Self> {
        let thread = libc::pid_t::try_from(thread).map_err(io::Error::other)?;
        let (any_processor, no_group) = (-1, -1);
        let attributes = ATTRIBUTES.as_ptr();
        // SAFETY: rule 1.
        let descriptor = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                attributes,
                thread,
                any_processor,
                no_group,
                CLOEXEC,
            )
        };
        let descriptor = libc::c_int::try_from(descriptor).unwrap_or(-1);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made it, and nobody else knows of it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Self::map(&descriptor)
    }

    fn map(descriptor: &OwnedFd) -> io::Result<Self> {
        // SAFETY: the call takes no pointer.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page_bytes = usize::try_from(page_bytes).map_err(io::Error::other)?;
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let (length, descriptor) = (PAGES * page_bytes, descriptor.as_raw_fd());
        // SAFETY: a new mapping at an address that the kernel chooses touches none that there is.
        let address =
            unsafe { libc::mmap(null_mut(), length, rights, libc::MAP_SHARED, descriptor, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let control = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            control,
            page_bytes,
            tail: 0,
        })
    }

    /// A word of the first page.
    fn word(&self, at: usize) -> &AtomicU64 {
        // SAFETY: rules 2 and 3: the byte lies in the first page.
        let place = unsafe { self.control.as_ptr().add(at) };
        // SAFETY: rule 3.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    /// Hands all reports that there are over, as bytes that begin with a report, and gives their room back.
    pub(super) fn drain(&mut self, bytes: &mut Vec<u8>) {
        bytes.clear();
        // Acquire: rule 4.
        let head = self.word(1_024).load(Ordering::Acquire);
        let size = (DATA_PAGES * self.page_bytes) as u64;
        if head.wrapping_sub(self.tail) > size {
            // No kernel does that; nothing between is known.
            self.tail = head;
        }
        while self.tail != head {
            let at = (self.tail % size) as usize;
            let length = (head - self.tail).min(size - at as u64) as usize;
            // SAFETY: rule 2: `at` is less than the length of the data.
            let place = unsafe { self.control.as_ptr().add(self.page_bytes + at) };
            // SAFETY: rule 4: these bytes lie between tail and head, and end with the mapping at most.
            let piece = unsafe { std::slice::from_raw_parts(place, length) };
            bytes.extend_from_slice(piece);
            self.tail += length as u64;
        }
        // Release: rule 4.
        self.word(1_032).store(self.tail, Ordering::Release);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let address = self.control.as_ptr().cast();
        // SAFETY: rule 2; no reference into the mapping lives longer than a call of this type's.
        unsafe { libc::munmap(address, PAGES * self.page_bytes) };
    }
}

/// Nanoseconds on the clock of the reports, which is that of `Instant`.
pub(super) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is on this stack.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
