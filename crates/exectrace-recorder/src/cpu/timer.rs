//! A timer that counts the processor time of one thread, and sends that thread a signal.
//!
//! The system calls are made directly: the C library's functions allocate in some versions, and a thread may
//! be enrolled where it must not. The numbers of timers are the process's own, so that any of its threads can
//! set and delete one, also that of a thread which has ended.

use std::io;
use std::ptr;
use std::time::Duration;

/// A timer of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timer(pub(super) libc::c_int);

/// The clock of the processor time of a thread, of this process.
///
/// How the number is made is a part of Linux's interface to programs (`clock_getcpuclockid(3)` and
/// `pthread_getcpuclockid(3)` make it so): the inverted number of the thread, and in the lowest three bits 4 for
/// "of a thread" and 2 for the time that the scheduler counts.
fn cpu_clock_of(thread: u64) -> libc::clockid_t {
    const OF_A_THREAD: libc::clockid_t = 4;
    const COUNTED_BY_SCHEDULER: libc::clockid_t = 2;
    let thread = thread as libc::pid_t;
    (!thread << 3) | OF_A_THREAD | COUNTED_BY_SCHEDULER
}

impl Timer {
    /// Makes a timer, not set, whose signal carries an address.
    pub(super) fn create(
        thread: u64,
        signal: libc::c_int,
        token: *const libc::c_void,
    ) -> io::Result<Self> {
        // SAFETY: zero is a valid value of every field.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_notify_thread_id = thread as libc::c_int;
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = token.cast_mut();
        let (clock, mut number): (_, libc::c_int) = (cpu_clock_of(thread), 0);
        let (event, place) = (ptr::from_ref(&event), ptr::from_mut(&mut number));
        // SAFETY: the system reads the event and writes the number, and keeps neither.
        let made = unsafe { libc::syscall(libc::SYS_timer_create, clock, event, place) };
        match made {
            0 => Ok(Self(number)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Has the timer send its signal after `first` of the thread's time, and after each `period` from then on;
    /// never, if both are 0.
    pub(super) fn set(self, first: Duration, period: Duration) {
        let spec = |duration: Duration| libc::timespec {
            tv_sec: duration.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(duration.subsec_nanos() as i32),
        };
        let times = libc::itimerspec {
            it_interval: spec(period),
            it_value: spec(first),
        };
        let (times, no_old) = (ptr::from_ref(&times), ptr::null_mut::<libc::itimerspec>());
        // SAFETY: the system reads the times, and fails if there is no such timer.
        unsafe { libc::syscall(libc::SYS_timer_settime, self.0, 0, times, no_old) };
    }

    pub(super) fn unset(self) {
        self.set(Duration::ZERO, Duration::ZERO);
    }

    pub(super) fn delete(self) {
        // SAFETY: touches no memory of ours, and fails if there is no such timer.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}
