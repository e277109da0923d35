//! Entry points that wait for an instant, a child process or another thread.

use crate::entry::entry_points;

entry_points! {
    fn waitpid(child: libc::pid_t, status: *mut c_int, options: c_int) -> libc::pid_t = Waitpid sets_errno {
        raw::cancellable(libc::SYS_wait4, words([child.word(), status.word(), options.word()]))
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn wait(status: *mut c_int) -> libc::pid_t = Waitpid sets_errno {
        raw::cancellable(libc::SYS_wait4, words([(-1_i32).word(), status.word()]))
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn wait4(
        child: libc::pid_t, status: *mut c_int, options: c_int, usage: *mut libc::rusage
    ) -> libc::pid_t = Waitpid sets_errno {
        raw::cancellable(libc::SYS_wait4, words([child.word(), status.word(), options.word(), usage.word()]))
    }
    fn waitid(kind: c_uint, id: libc::id_t, result: *mut libc::siginfo_t, options: c_int) -> c_int = Waitid sets_errno {
        raw::cancellable(libc::SYS_waitid, words([kind.word(), id.word(), result.word(), options.word()]))
    }
    fn nanosleep(time: *const libc::timespec, left: *mut libc::timespec) -> c_int = Nanosleep sets_errno {
        raw::cancellable(libc::SYS_nanosleep, words([time.word(), left.word()]))
    }
    fn clock_nanosleep(
        clock: libc::clockid_t, flags: c_int, time: *const libc::timespec, left: *mut libc::timespec
    ) -> c_int = ClockNanosleep returns_error {
        raw::error_number(
            libc::SYS_clock_nanosleep,
            words([clock.word(), flags.word(), time.word(), left.word()]),
        )
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn usleep(time_us: c_uint) -> c_int = Usleep sets_errno (-1)
    #[cfg(not(target_feature = "crt-static"))]
    fn sleep(time_s: c_uint) -> c_uint = Sleep cannot_fail (time_s)
    #[cfg(not(target_feature = "crt-static"))]
    fn pthread_join(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int = PthreadJoin returns_error (libc::ENOSYS)
    #[cfg(all(target_feature = "crt-static", target_env = "musl"))]
    fn pthread_join(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int = PthreadJoin returns_error {
        raw::pthread_join(thread, result)
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn pthread_cond_wait(
        condition: *mut libc::pthread_cond_t, mutex: *mut libc::pthread_mutex_t
    ) -> c_int = PthreadCondWait returns_error (libc::ENOSYS)
    #[cfg(not(target_feature = "crt-static"))]
    fn pthread_cond_timedwait(
        condition: *mut libc::pthread_cond_t, mutex: *mut libc::pthread_mutex_t, until: *const libc::timespec
    ) -> c_int = PthreadCondWait returns_error (libc::ENOSYS)
    #[cfg(not(target_feature = "crt-static"))]
    fn sem_wait(semaphore: *mut libc::sem_t) -> c_int = SemWait sets_errno (-1)
    #[cfg(not(target_feature = "crt-static"))]
    fn sem_timedwait(
        semaphore: *mut libc::sem_t, until: *const libc::timespec
    ) -> c_int = SemWait sets_errno (-1)
}
