//! Entry points that take the name of a file.

use crate::entry::entry_points;

entry_points! {
    // The mode is there for callers that create a file; others have whatever stands in its register ignored.
    fn open(path: *const c_char, flags: c_int; mode: libc::mode_t) -> c_int = Open sets_errno {
        raw::cancellable(libc::SYS_openat, words([libc::AT_FDCWD.word(), path.word(), flags.word(), mode.word()]))
    }
    fn openat(folder: c_int, path: *const c_char, flags: c_int; mode: libc::mode_t) -> c_int = Openat sets_errno {
        raw::cancellable(libc::SYS_openat, words([folder.word(), path.word(), flags.word(), mode.word()]))
    }
    fn stat(path: *const c_char, result: *mut libc::stat) -> c_int = Stat sets_errno {
        raw::call(libc::SYS_newfstatat, words([libc::AT_FDCWD.word(), path.word(), result.word(), 0]))
    }
    fn lstat(path: *const c_char, result: *mut libc::stat) -> c_int = Lstat sets_errno {
        raw::call(
            libc::SYS_newfstatat,
            words([libc::AT_FDCWD.word(), path.word(), result.word(), libc::AT_SYMLINK_NOFOLLOW.word()]),
        )
    }
    fn fstat(fd: c_int, result: *mut libc::stat) -> c_int = Fstat sets_errno {
        raw::call(libc::SYS_fstat, words([fd.word(), result.word()]))
    }
    fn fstatat(
        folder: c_int, path: *const c_char, result: *mut libc::stat, flags: c_int
    ) -> c_int = Fstatat sets_errno {
        raw::call(libc::SYS_newfstatat, words([folder.word(), path.word(), result.word(), flags.word()]))
    }
    fn statx(
        folder: c_int, path: *const c_char, flags: c_int, mask: c_uint, result: *mut c_void
    ) -> c_int = Statx sets_errno {
        raw::call(libc::SYS_statx, words([folder.word(), path.word(), flags.word(), mask.word(), result.word()]))
    }
    fn access(path: *const c_char, mode: c_int) -> c_int = Access sets_errno {
        raw::call(libc::SYS_faccessat, words([libc::AT_FDCWD.word(), path.word(), mode.word()]))
    }
    fn rename(from: *const c_char, to: *const c_char) -> c_int = Rename sets_errno {
        raw::call(
            libc::SYS_renameat2,
            words([libc::AT_FDCWD.word(), from.word(), libc::AT_FDCWD.word(), to.word()]),
        )
    }
    fn renameat(
        from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char
    ) -> c_int = Renameat sets_errno {
        raw::call(libc::SYS_renameat2, words([from_folder.word(), from.word(), to_folder.word(), to.word()]))
    }
    // musl has it since 2024 only.
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn renameat2(
        from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char, flags: c_uint
    ) -> c_int = Renameat sets_errno {
        raw::call(
            libc::SYS_renameat2,
            words([from_folder.word(), from.word(), to_folder.word(), to.word(), flags.word()]),
        )
    }
    fn unlink(path: *const c_char) -> c_int = Unlink sets_errno {
        raw::call(libc::SYS_unlinkat, words([libc::AT_FDCWD.word(), path.word()]))
    }
    fn unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int = Unlinkat sets_errno {
        raw::call(libc::SYS_unlinkat, words([folder.word(), path.word(), flags.word()]))
    }
    fn mkdir(path: *const c_char, mode: libc::mode_t) -> c_int = Mkdir sets_errno {
        raw::call(libc::SYS_mkdirat, words([libc::AT_FDCWD.word(), path.word(), mode.word()]))
    }
    fn mkdirat(folder: c_int, path: *const c_char, mode: libc::mode_t) -> c_int = Mkdir sets_errno {
        raw::call(libc::SYS_mkdirat, words([folder.word(), path.word(), mode.word()]))
    }
    fn rmdir(path: *const c_char) -> c_int = Rmdir sets_errno {
        raw::call(libc::SYS_unlinkat, words([libc::AT_FDCWD.word(), path.word(), libc::AT_REMOVEDIR.word()]))
    }
    fn link(from: *const c_char, to: *const c_char) -> c_int = Link sets_errno {
        raw::call(libc::SYS_linkat, words([libc::AT_FDCWD.word(), from.word(), libc::AT_FDCWD.word(), to.word()]))
    }
    fn linkat(
        from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char, flags: c_int
    ) -> c_int = Link sets_errno {
        raw::call(
            libc::SYS_linkat,
            words([from_folder.word(), from.word(), to_folder.word(), to.word(), flags.word()]),
        )
    }
    fn symlink(target: *const c_char, path: *const c_char) -> c_int = Symlink sets_errno {
        raw::call(libc::SYS_symlinkat, words([target.word(), libc::AT_FDCWD.word(), path.word()]))
    }
    fn symlinkat(target: *const c_char, folder: c_int, path: *const c_char) -> c_int = Symlink sets_errno {
        raw::call(libc::SYS_symlinkat, words([target.word(), folder.word(), path.word()]))
    }
    // musl's does more than the system call.
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn readlink(path: *const c_char, buffer: *mut c_char, length: size_t) -> ssize_t = Readlink sets_errno {
        raw::call(libc::SYS_readlinkat, words([libc::AT_FDCWD.word(), path.word(), buffer.word(), length]))
    }
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn readlinkat(
        folder: c_int, path: *const c_char, buffer: *mut c_char, length: size_t
    ) -> ssize_t = Readlink sets_errno {
        raw::call(libc::SYS_readlinkat, words([folder.word(), path.word(), buffer.word(), length]))
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn opendir(path: *const c_char) -> *mut libc::DIR = Opendir sets_errno (core::ptr::null_mut())
}
