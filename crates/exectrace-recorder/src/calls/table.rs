//! The calls that are recorded: one row for each.

/// How a call shows in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallClass {
    /// A system call: whoever made it is in the call.
    Syscall,
    /// Whoever made it waits for an instant.
    Sleep,
    /// Whoever made it waits for another thread: for a lock, a notification, a thread's end.
    Futex,
    /// A thread waits for sockets, timers and signals, mostly as the driver of an async runtime.
    Driver,
    /// A call on a socket that mostly does not block: counted, unless the settings say otherwise.
    Socket,
}

macro_rules! calls {
    ($($call:ident = $number:literal, $name:literal, $class:ident;)*) => {
        /// A function of the C library that can block.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Call {
            $(
                #[doc = concat!("`", $name, "`")]
                $call = $number,
            )*
        }

        impl Call {
            /// All calls, by their numbers, which begin with 0.
            pub const ALL: &[Self] = &[$(Self::$call),*];

            /// The function's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$call => $name,)*
                }
            }

            /// How it shows in a trace.
            #[must_use]
            pub const fn class(self) -> CallClass {
                match self {
                    $(Self::$call => CallClass::$class,)*
                }
            }
        }
    };
}

calls! {
    Open = 0, "open", Syscall;
    Openat = 1, "openat", Syscall;
    Read = 2, "read", Syscall;
    Write = 3, "write", Syscall;
    Readv = 4, "readv", Syscall;
    Writev = 5, "writev", Syscall;
    Pread = 6, "pread", Syscall;
    Pwrite = 7, "pwrite", Syscall;
    Preadv = 8, "preadv", Syscall;
    Pwritev = 9, "pwritev", Syscall;
    Fsync = 10, "fsync", Syscall;
    Fdatasync = 11, "fdatasync", Syscall;
    SyncFileRange = 12, "sync_file_range", Syscall;
    Stat = 13, "stat", Syscall;
    Fstat = 14, "fstat", Syscall;
    Lstat = 15, "lstat", Syscall;
    Fstatat = 16, "fstatat", Syscall;
    Statx = 17, "statx", Syscall;
    Access = 18, "access", Syscall;
    Rename = 19, "rename", Syscall;
    Renameat = 20, "renameat", Syscall;
    Unlink = 21, "unlink", Syscall;
    Unlinkat = 22, "unlinkat", Syscall;
    Mkdir = 23, "mkdir", Syscall;
    Rmdir = 24, "rmdir", Syscall;
    Link = 25, "link", Syscall;
    Symlink = 26, "symlink", Syscall;
    Readlink = 27, "readlink", Syscall;
    Ftruncate = 28, "ftruncate", Syscall;
    Fallocate = 29, "fallocate", Syscall;
    CopyFileRange = 30, "copy_file_range", Syscall;
    Sendfile = 31, "sendfile", Syscall;
    Splice = 32, "splice", Syscall;
    Flock = 33, "flock", Syscall;
    Fcntl = 34, "fcntl", Syscall;
    Ioctl = 35, "ioctl", Syscall;
    Close = 36, "close", Syscall;
    Opendir = 37, "opendir", Syscall;
    Getaddrinfo = 38, "getaddrinfo", Syscall;
    Connect = 39, "connect", Syscall;
    Poll = 40, "poll", Syscall;
    Select = 41, "select", Syscall;
    Waitpid = 42, "waitpid", Syscall;
    Waitid = 43, "waitid", Syscall;
    Accept = 44, "accept", Socket;
    Recv = 45, "recv", Socket;
    Recvfrom = 46, "recvfrom", Socket;
    Recvmsg = 47, "recvmsg", Socket;
    Send = 48, "send", Socket;
    Sendto = 49, "sendto", Socket;
    Sendmsg = 50, "sendmsg", Socket;
    Shutdown = 51, "shutdown", Socket;
    Nanosleep = 52, "nanosleep", Sleep;
    ClockNanosleep = 53, "clock_nanosleep", Sleep;
    Usleep = 54, "usleep", Sleep;
    Sleep = 55, "sleep", Sleep;
    FutexWait = 56, "futex", Futex;
    PthreadJoin = 57, "pthread_join", Futex;
    SemWait = 58, "sem_wait", Futex;
    PthreadCondWait = 59, "pthread_cond_wait", Futex;
    EpollWait = 60, "epoll_wait", Driver;
    EpollCtl = 61, "epoll_ctl", Socket;
    Msync = 62, "msync", Syscall;
}

impl Call {
    /// The call of a number.
    pub(crate) fn of_number(number: u64) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

/// Numbers of calls, with room for more: they are bits of a word.
pub(crate) const CALLS: usize = 64;

const _: () = assert!(Call::ALL.len() < CALLS);

#[cfg(test)]
mod tests {
    use exectrace_format::conventions::WAITING_CALLS;

    use super::*;

    #[test]
    fn readers_know_the_calls_in_which_one_waits() {
        let waits = |call: &&Call| matches!(call.class(), CallClass::Sleep | CallClass::Futex);
        let names: Vec<_> = Call::ALL
            .iter()
            .filter(waits)
            .map(|call| call.name())
            .collect();
        assert_eq!(names, WAITING_CALLS);
    }
}
