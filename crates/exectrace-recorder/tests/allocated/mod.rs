//! What the heap of the process holds.

/// Bytes that are allocated; 0 where that cannot be asked.
pub(crate) fn allocated_bytes() -> usize {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallinfo2` only reads the allocator's own counts, under its locks.
        let counts = unsafe { libc::mallinfo2() };
        counts.uordblks + counts.hblkhd
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    0
}
