//! The names that glibc has for the same functions with 64-bit sizes, which on these machines are the same.

use crate::entry::entry_points;

entry_points! {
    fn open64(path: *const c_char, flags: c_int; mode: libc::mode_t) -> c_int = Open sets_errno {
        raw::cancellable(libc::SYS_openat, words([libc::AT_FDCWD.word(), path.word(), flags.word(), mode.word()]))
    }
    fn openat64(folder: c_int, path: *const c_char, flags: c_int; mode: libc::mode_t) -> c_int = Openat sets_errno {
        raw::cancellable(libc::SYS_openat, words([folder.word(), path.word(), flags.word(), mode.word()]))
    }
    fn pread64(fd: c_int, buffer: *mut c_void, length: size_t, offset: off_t) -> ssize_t = Pread sets_errno {
        raw::cancellable(libc::SYS_pread64, words([fd.word(), buffer.word(), length, offset.word()]))
    }
    fn pwrite64(fd: c_int, buffer: *const c_void, length: size_t, offset: off_t) -> ssize_t = Pwrite sets_errno {
        raw::cancellable(libc::SYS_pwrite64, words([fd.word(), buffer.word(), length, offset.word()]))
    }
    fn preadv64(fd: c_int, parts: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t = Preadv sets_errno {
        raw::cancellable(libc::SYS_preadv, words([fd.word(), parts.word(), count.word(), offset.word()]))
    }
    fn pwritev64(fd: c_int, parts: *const libc::iovec, count: c_int, offset: off_t) -> ssize_t = Pwritev sets_errno {
        raw::cancellable(libc::SYS_pwritev, words([fd.word(), parts.word(), count.word(), offset.word()]))
    }
    fn stat64(path: *const c_char, result: *mut libc::stat64) -> c_int = Stat sets_errno {
        raw::call(libc::SYS_newfstatat, words([libc::AT_FDCWD.word(), path.word(), result.word(), 0]))
    }
    fn lstat64(path: *const c_char, result: *mut libc::stat64) -> c_int = Lstat sets_errno {
        raw::call(
            libc::SYS_newfstatat,
            words([libc::AT_FDCWD.word(), path.word(), result.word(), libc::AT_SYMLINK_NOFOLLOW.word()]),
        )
    }
    fn fstat64(fd: c_int, result: *mut libc::stat64) -> c_int = Fstat sets_errno {
        raw::call(libc::SYS_fstat, words([fd.word(), result.word()]))
    }
    fn fstatat64(
        folder: c_int, path: *const c_char, result: *mut libc::stat64, flags: c_int
    ) -> c_int = Fstatat sets_errno {
        raw::call(libc::SYS_newfstatat, words([folder.word(), path.word(), result.word(), flags.word()]))
    }
    fn ftruncate64(fd: c_int, length: off_t) -> c_int = Ftruncate sets_errno {
        raw::call(libc::SYS_ftruncate, words([fd.word(), length.word()]))
    }
    fn fallocate64(fd: c_int, mode: c_int, offset: off_t, length: off_t) -> c_int = Fallocate sets_errno {
        raw::cancellable(libc::SYS_fallocate, words([fd.word(), mode.word(), offset.word(), length.word()]))
    }
    fn sendfile64(to: c_int, from: c_int, offset: *mut off_t, length: size_t) -> ssize_t = Sendfile sets_errno {
        raw::call(libc::SYS_sendfile, words([to.word(), from.word(), offset.word(), length]))
    }
}
