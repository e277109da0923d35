//! Entry points that take a file descriptor: reads, writes, and what else waits for a device.

use crate::entry::entry_points;

entry_points! {
    fn read(fd: c_int, buffer: *mut c_void, length: size_t) -> ssize_t = Read sets_errno {
        raw::cancellable(libc::SYS_read, words([fd.word(), buffer.word(), length]))
    }
    fn write(fd: c_int, buffer: *const c_void, length: size_t) -> ssize_t = Write sets_errno {
        raw::cancellable(libc::SYS_write, words([fd.word(), buffer.word(), length]))
    }
    fn readv(fd: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t = Readv sets_errno {
        raw::cancellable(libc::SYS_readv, words([fd.word(), parts.word(), count.word()]))
    }
    fn writev(fd: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t = Writev sets_errno {
        raw::cancellable(libc::SYS_writev, words([fd.word(), parts.word(), count.word()]))
    }
    fn pread(fd: c_int, buffer: *mut c_void, length: size_t, offset: off_t) -> ssize_t = Pread sets_errno {
        raw::cancellable(libc::SYS_pread64, words([fd.word(), buffer.word(), length, offset.word()]))
    }
    fn pwrite(fd: c_int, buffer: *const c_void, length: size_t, offset: off_t) -> ssize_t = Pwrite sets_errno {
        raw::cancellable(libc::SYS_pwrite64, words([fd.word(), buffer.word(), length, offset.word()]))
    }
    fn preadv(fd: c_int, parts: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t = Preadv sets_errno {
        raw::cancellable(libc::SYS_preadv, words([fd.word(), parts.word(), count.word(), offset.word()]))
    }
    fn pwritev(fd: c_int, parts: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t = Pwritev sets_errno {
        raw::cancellable(libc::SYS_pwritev, words([fd.word(), parts.word(), count.word(), offset.word()]))
    }
    fn fsync(fd: c_int) -> c_int = Fsync sets_errno {
        raw::cancellable(libc::SYS_fsync, words([fd.word()]))
    }
    fn fdatasync(fd: c_int) -> c_int = Fdatasync sets_errno {
        raw::cancellable(libc::SYS_fdatasync, words([fd.word()]))
    }
    fn sync_file_range(fd: c_int, offset: off_t, length: off_t, flags: c_uint) -> c_int = SyncFileRange sets_errno {
        raw::cancellable(libc::SYS_sync_file_range, words([fd.word(), offset.word(), length.word(), flags.word()]))
    }
    fn msync(address: *mut c_void, length: size_t, flags: c_int) -> c_int = Msync sets_errno {
        raw::cancellable(libc::SYS_msync, words([address.word(), length, flags.word()]))
    }
    fn ftruncate(fd: c_int, length: off_t) -> c_int = Ftruncate sets_errno {
        raw::call(libc::SYS_ftruncate, words([fd.word(), length.word()]))
    }
    fn fallocate(fd: c_int, mode: c_int, offset: off_t, length: off_t) -> c_int = Fallocate sets_errno {
        raw::cancellable(libc::SYS_fallocate, words([fd.word(), mode.word(), offset.word(), length.word()]))
    }
    fn copy_file_range(
        from: c_int, from_offset: *mut off_t, to: c_int, to_offset: *mut off_t, length: size_t, flags: c_uint
    ) -> ssize_t = CopyFileRange sets_errno {
        raw::cancellable(
            libc::SYS_copy_file_range,
            [from.word(), from_offset.word(), to.word(), to_offset.word(), length, flags.word()],
        )
    }
    fn sendfile(to: c_int, from: c_int, offset: *mut off_t, length: size_t) -> ssize_t = Sendfile sets_errno {
        raw::call(libc::SYS_sendfile, words([to.word(), from.word(), offset.word(), length]))
    }
    fn splice(
        from: c_int, from_offset: *mut off_t, to: c_int, to_offset: *mut off_t, length: size_t, flags: c_uint
    ) -> ssize_t = Splice sets_errno {
        raw::cancellable(
            libc::SYS_splice,
            [from.word(), from_offset.word(), to.word(), to_offset.word(), length, flags.word()],
        )
    }
    fn flock(fd: c_int, operation: c_int) -> c_int = Flock sets_errno {
        raw::call(libc::SYS_flock, words([fd.word(), operation.word()]))
    }
    // musl's does more than the system call.
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn close(fd: c_int) -> c_int = Close sets_errno {
        raw::cancellable(libc::SYS_close, words([fd.word()]))
    }
    // One word is what any request takes at most; a caller that passes none has it ignored.
    #[cfg(not(target_feature = "crt-static"))]
    fn ioctl(fd: c_int, request: libc::c_ulong; argument: *mut c_void) -> c_int = Ioctl sets_errno {
        raw::call(libc::SYS_ioctl, words([fd.word(), request.word(), argument.word()]))
    }
}
