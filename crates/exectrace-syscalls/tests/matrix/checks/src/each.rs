//! Each function at least once, with success and with failure.

use std::env;
use std::ffi::{CString, c_void};
use std::mem::{self, MaybeUninit};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use libc::{AT_FDCWD, c_int};

use crate::counted::{done, errno, fails, made};

/// Names of files in a folder of the test's own.
struct Folder(String);

impl Folder {
    fn name(&self, name: &str) -> CString {
        CString::new(format!("{}/{name}", self.0)).expect("a name")
    }
}

// SAFETY for the whole file: names end with a zero, buffers are as long as is said, results have room.
macro_rules! call {
    ($name:literal, $function:ident($($argument:expr),*)) => {
        done($name, || unsafe { libc::$function($($argument),*) as i64 })
    };
}

macro_rules! failing {
    ($name:literal, $error:ident, $function:ident($($argument:expr),*)) => {
        fails($name, libc::$error, || unsafe { libc::$function($($argument),*) as i64 })
    };
}

pub fn check() {
    let folder = format!("exectrace-calls-{}", std::process::id());
    let folder = env::temp_dir().join(folder).into_os_string();
    let folder = Folder(String::from_utf8_lossy(folder.as_bytes()).into_owned());
    let root = folder.name("");
    call!("mkdir", mkdir(root.as_ptr(), 0o700));
    failing!("mkdir", EEXIST, mkdir(root.as_ptr(), 0o700));
    contents(&folder);
    names(&folder);
    call!("rmdir", rmdir(root.as_ptr()));
    failing!("rmdir", ENOENT, rmdir(root.as_ptr()));
    sockets();
    waits();
    through_syscall();
}

fn contents(folder: &Folder) {
    let (name, copy) = (folder.name("file"), folder.name("copy"));
    failing!("open", ENOENT, open(name.as_ptr(), libc::O_RDONLY));
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC;
    let fd = call!("open", open(name.as_ptr(), flags, 0o640)) as c_int;
    let to = call!("openat", openat(AT_FDCWD, copy.as_ptr(), flags, 0o600)) as c_int;
    let mut status = MaybeUninit::<libc::stat>::uninit();
    call!("fstat", fstat(fd, status.as_mut_ptr()));
    // SAFETY: it was written.
    assert_eq!(unsafe { status.assume_init() }.st_mode & 0o777, 0o640);

    let mut bytes = *b"0123456789abcdef";
    let (place, length) = (bytes.as_mut_ptr().cast::<c_void>(), bytes.len());
    let parts = [
        libc::iovec {
            iov_base: place,
            iov_len: 8,
        },
        libc::iovec {
            iov_base: place,
            iov_len: 8,
        },
    ];
    assert_eq!(call!("write", write(fd, place, length)), 16);
    assert_eq!(call!("writev", writev(fd, parts.as_ptr(), 2)), 16);
    assert_eq!(call!("pwrite", pwrite(fd, place, length, 32)), 16);
    assert_eq!(call!("pwritev", pwritev(fd, parts.as_ptr(), 2, 48)), 16);
    assert_eq!(call!("pread", pread(fd, place, length, 56)), 8);
    assert_eq!(&bytes, b"01234567\x38\x39abcdef");
    assert_eq!(call!("preadv", preadv(fd, parts.as_ptr(), 2, 0)), 16);
    assert_eq!(call!("read", read(fd, place, length)), 16);
    assert_eq!(call!("readv", readv(fd, parts.as_ptr(), 2)), 16);
    failing!("read", EBADF, read(-1, place, 1));
    failing!("pread", EINVAL, pread(fd, place, length, -1));
    call!("fsync", fsync(fd));
    call!("fdatasync", fdatasync(fd));
    call!(
        "sync_file_range",
        sync_file_range(fd, 0, 16, libc::SYNC_FILE_RANGE_WRITE)
    );
    call!("ftruncate", ftruncate(fd, 4096));
    failing!("fallocate", EBADF, fallocate(-1, 0, 0, 4096));
    failing!("msync", EINVAL, msync(1 as *mut c_void, 1, libc::MS_SYNC));
    let (mut from, mut into) = (0_i64, 0_i64);
    assert_eq!(
        call!(
            "copy_file_range",
            copy_file_range(fd, &mut from, to, &mut into, 16, 0)
        ),
        16
    );
    assert_eq!((from, into), (16, 16));
    let mut offset = 8;
    assert_eq!(call!("sendfile", sendfile(to, fd, &mut offset, 8)), 8);
    assert_eq!(offset, 16);
    call!("flock", flock(fd, libc::LOCK_EX));
    failing!(
        "splice",
        EINVAL,
        splice(fd, ptr::null_mut(), to, ptr::null_mut(), 1, 0)
    );
    // SAFETY: all zeros is a value of it.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    call!("fcntl", fcntl(fd, libc::F_SETLKW, &lock));
    failing!("ioctl", ENOTTY, ioctl(fd, libc::TCGETS, place));
    // Not a lock, so passed on and not counted.
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_GETFD) }, libc::FD_CLOEXEC);
    call!("close", close(fd));
    call!("close", close(to));
    failing!("close", EBADF, close(-1));
}

fn names(folder: &Folder) {
    let (file, copy, other) = (
        folder.name("file"),
        folder.name("copy"),
        folder.name("other"),
    );
    let mut status = MaybeUninit::<libc::stat>::uninit();
    call!("stat", stat(file.as_ptr(), status.as_mut_ptr()));
    // SAFETY: it was written.
    assert_eq!(unsafe { status.assume_init_ref() }.st_size, 4096);
    call!("symlink", symlink(file.as_ptr(), other.as_ptr()));
    call!("lstat", lstat(other.as_ptr(), status.as_mut_ptr()));
    // SAFETY: it was written.
    assert_eq!(
        unsafe { status.assume_init_ref() }.st_mode & libc::S_IFMT,
        libc::S_IFLNK
    );
    call!(
        "fstatat",
        fstatat(AT_FDCWD, other.as_ptr(), status.as_mut_ptr(), 0)
    );
    failing!(
        "stat",
        ENOENT,
        stat(c"/exectrace-nothing".as_ptr(), status.as_mut_ptr())
    );
    let mut more = MaybeUninit::<[u8; 256]>::uninit();
    let mask = 0x7ff_u32;
    // By name, as not every C library's header has it.
    unsafe extern "C" {
        fn statx(
            folder: c_int,
            path: *const libc::c_char,
            flags: c_int,
            mask: u32,
            result: *mut c_void,
        ) -> c_int;
    }
    // SAFETY: as above.
    done("statx", || unsafe {
        statx(AT_FDCWD, file.as_ptr(), 0, mask, more.as_mut_ptr().cast())
    });
    let mut target = [0_u8; 256];
    let length = call!(
        "readlink",
        readlink(other.as_ptr(), target.as_mut_ptr().cast(), target.len())
    );
    assert_eq!(&target[..length as usize], file.as_bytes());
    call!("access", access(file.as_ptr(), libc::R_OK));
    failing!("access", ENOENT, access(c"/exectrace-nothing".as_ptr(), 0));
    call!("unlink", unlink(other.as_ptr()));
    call!("link", link(file.as_ptr(), other.as_ptr()));
    call!("rename", rename(other.as_ptr(), copy.as_ptr()));
    call!(
        "renameat",
        renameat(AT_FDCWD, copy.as_ptr(), AT_FDCWD, other.as_ptr())
    );
    failing!("rename", ENOENT, rename(copy.as_ptr(), other.as_ptr()));
    call!("unlinkat", unlinkat(AT_FDCWD, other.as_ptr(), 0));
    // SAFETY: as above.
    let list = made(
        "opendir",
        if unsafe { libc::opendir(file.as_ptr()) }.is_null() {
            -1
        } else {
            0
        },
    );
    assert_eq!((list, errno()), (-1, libc::ENOTDIR));
    // Two names of one file were moved onto each other, which leaves one of them.
    call!("unlink", unlink(file.as_ptr()));
    // SAFETY: as above.
    made("unlink", unsafe { libc::unlink(copy.as_ptr()) });
}

fn sockets() {
    let mut pair = [0; 2];
    // SAFETY: there is room for two.
    assert_eq!(
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) },
        0
    );
    let [one, other] = pair;
    let mut bytes = *b"01234567";
    let (place, length) = (bytes.as_mut_ptr().cast::<c_void>(), bytes.len());
    assert_eq!(call!("send", send(one, place, length, 0)), 8);
    assert_eq!(
        call!("sendto", sendto(one, place, length, 0, ptr::null(), 0)),
        8
    );
    assert_eq!(call!("recv", recv(other, place, length, 0)), 8);
    assert_eq!(
        call!(
            "recvfrom",
            recvfrom(other, place, length, 0, ptr::null_mut(), ptr::null_mut())
        ),
        8
    );
    let mut part = libc::iovec {
        iov_base: place,
        iov_len: length,
    };
    // SAFETY: all zeros is a value of it.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    assert_eq!(call!("sendmsg", sendmsg(one, &message, 0)), 8);
    assert_eq!(call!("recvmsg", recvmsg(other, &mut message, 0)), 8);
    failing!(
        "recv",
        EAGAIN,
        recv(other, place, length, libc::MSG_DONTWAIT)
    );
    failing!(
        "accept",
        EINVAL,
        accept(one, ptr::null_mut(), ptr::null_mut())
    );
    failing!("connect", EBADF, connect(-1, ptr::null(), 0));

    let mut fds = [libc::pollfd {
        fd: one,
        events: libc::POLLIN,
        revents: 0,
    }];
    assert_eq!(call!("poll", poll(fds.as_mut_ptr(), 1, 0)), 0);
    let mut no_time = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let none = ptr::null_mut();
    assert_eq!(
        call!("select", select(0, none, none, none, &mut no_time)),
        0
    );
    epoll(one, other);
    call!("shutdown", shutdown(one, libc::SHUT_RDWR));
    call!("close", close(one));
    call!("close", close(other));
    getaddrinfo();
}

fn epoll(one: c_int, other: c_int) {
    // SAFETY: it has no condition.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    // SAFETY: it has no condition.
    assert_eq!(unsafe { libc::epoll_create(0) }, -1);
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN as u32,
        u64: 7,
    };
    call!(
        "epoll_ctl",
        epoll_ctl(epoll, libc::EPOLL_CTL_ADD, one, &mut event)
    );
    failing!(
        "epoll_ctl",
        EEXIST,
        epoll_ctl(epoll, libc::EPOLL_CTL_ADD, one, &mut event)
    );
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
    assert_eq!(
        call!("epoll_wait", epoll_wait(epoll, events.as_mut_ptr(), 4, 1)),
        0
    );
    assert_eq!(call!("send", send(other, c"x".as_ptr().cast(), 1, 0)), 1);
    assert_eq!(
        call!("epoll_wait", epoll_wait(epoll, events.as_mut_ptr(), 4, -1)),
        1
    );
    assert_eq!({ events[0].u64 }, 7);
    assert_eq!(
        call!(
            "epoll_wait",
            epoll_pwait(epoll, events.as_mut_ptr(), 4, 0, ptr::null())
        ),
        1
    );
    call!("close", close(epoll));
}

fn getaddrinfo() {
    // SAFETY: all zeros is a value of it.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_flags = libc::AI_NUMERICHOST;
    let mut found = ptr::null_mut();
    // SAFETY: as above.
    let result =
        unsafe { libc::getaddrinfo(c"127.0.0.1".as_ptr(), ptr::null(), &hints, &mut found) };
    assert_eq!(made("getaddrinfo", result), 0);
    // SAFETY: it was found, and is used no more.
    unsafe { libc::freeaddrinfo(found) };
    // SAFETY: as above.
    let result =
        unsafe { libc::getaddrinfo(c"no address".as_ptr(), ptr::null(), &hints, &mut found) };
    made("getaddrinfo", if result == 0 { 0 } else { -1 });
    assert_eq!(result, libc::EAI_NONAME);
}

fn waits() {
    let short = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let wrong = libc::timespec {
        tv_sec: 0,
        tv_nsec: -1,
    };
    call!("nanosleep", nanosleep(&short, ptr::null_mut()));
    failing!("nanosleep", EINVAL, nanosleep(&wrong, ptr::null_mut()));
    call!(
        "clock_nanosleep",
        clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &short, ptr::null_mut())
    );
    // SAFETY: as above.
    let result =
        unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &wrong, ptr::null_mut()) };
    made("clock_nanosleep", if result == 0 { 0 } else { -1 });
    assert_eq!(result, libc::EINVAL);
    call!("usleep", usleep(1_000));
    assert_eq!(call!("sleep", sleep(0)), 0);
    failing!("waitpid", ECHILD, waitpid(-1, ptr::null_mut(), 0));
    failing!(
        "waitid",
        ECHILD,
        waitid(libc::P_ALL, 0, ptr::null_mut(), libc::WEXITED)
    );
    threads_of_c();
}

/// What waits for threads in C, where nobody else is to be waited for.
fn threads_of_c() {
    let mut semaphore = MaybeUninit::<libc::sem_t>::uninit();
    // SAFETY: there is room for it.
    assert_eq!(unsafe { libc::sem_init(semaphore.as_mut_ptr(), 0, 1) }, 0);
    call!("sem_wait", sem_wait(semaphore.as_mut_ptr()));
    let past = libc::timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    failing!(
        "sem_wait",
        ETIMEDOUT,
        sem_timedwait(semaphore.as_mut_ptr(), &past)
    );
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let mut condition = libc::PTHREAD_COND_INITIALIZER;
    // SAFETY: both are there, and used by this thread only.
    assert_eq!(unsafe { libc::pthread_mutex_lock(&mut mutex) }, 0);
    // SAFETY: as above, and the mutex is locked.
    let result = unsafe { libc::pthread_cond_timedwait(&mut condition, &mut mutex, &past) };
    made("pthread_cond_wait", if result == 0 { 0 } else { -1 });
    assert_eq!(result, libc::ETIMEDOUT);
}

/// All seven words arrive, and what is no wait is passed on.
fn through_syscall() {
    let word = 1_u32;
    let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let no_time = ptr::null::<libc::timespec>();
    fails("futex", libc::EAGAIN, || unsafe {
        libc::syscall(libc::SYS_futex, &word, wait, 2, no_time)
    });
    let short = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    fails("futex", libc::ETIMEDOUT, || unsafe {
        libc::syscall(libc::SYS_futex, &word, wait, 1, &short)
    });
    // Six arguments: none of the bits that it is waited for is not an error, but no bit at all is.
    let bits = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let none = ptr::null::<u32>();
    fails("futex", libc::EINVAL, || unsafe {
        libc::syscall(libc::SYS_futex, &word, bits, 1, &short, none, 0_u32)
    });
    fails("futex", libc::EAGAIN, || unsafe {
        libc::syscall(libc::SYS_futex, &word, bits, 2, &short, none, !0_u32)
    });
    let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word is there.
    assert_eq!(unsafe { libc::syscall(libc::SYS_futex, &word, wake, 1) }, 0);
    // SAFETY: a page that nobody else has.
    let page = unsafe {
        libc::syscall(
            libc::SYS_mmap,
            0,
            4096,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert!(page > 0);
    // SAFETY: it is used no more.
    assert_eq!(unsafe { libc::syscall(libc::SYS_munmap, page, 4096) }, 0);
    // SAFETY: it has no condition.
    assert_eq!(unsafe { libc::syscall(-1) }, -1);
    assert_eq!(errno(), libc::ENOSYS);
}
