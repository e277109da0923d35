//! Entry points of sockets, of the driver of an async runtime, and of what waits for many descriptors.

use crate::entry::entry_points;

entry_points! {
    fn connect(
        fd: c_int, address: *const libc::sockaddr, length: libc::socklen_t
    ) -> c_int = Connect sets_errno {
        raw::cancellable(libc::SYS_connect, words([fd.word(), address.word(), length.word()]))
    }
    fn accept(
        fd: c_int, address: *mut libc::sockaddr, length: *mut libc::socklen_t
    ) -> c_int = Accept sets_errno {
        raw::cancellable(libc::SYS_accept, words([fd.word(), address.word(), length.word()]))
    }
    fn accept4(
        fd: c_int, address: *mut libc::sockaddr, length: *mut libc::socklen_t, flags: c_int
    ) -> c_int = Accept sets_errno {
        raw::cancellable(libc::SYS_accept4, words([fd.word(), address.word(), length.word(), flags.word()]))
    }
    fn recv(fd: c_int, buffer: *mut c_void, length: size_t, flags: c_int) -> ssize_t = Recv sets_errno {
        raw::cancellable(libc::SYS_recvfrom, words([fd.word(), buffer.word(), length, flags.word()]))
    }
    fn recvfrom(
        fd: c_int, buffer: *mut c_void, length: size_t, flags: c_int,
        address: *mut libc::sockaddr, address_length: *mut libc::socklen_t
    ) -> ssize_t = Recvfrom sets_errno {
        raw::cancellable(
            libc::SYS_recvfrom,
            [fd.word(), buffer.word(), length, flags.word(), address.word(), address_length.word()],
        )
    }
    fn send(fd: c_int, buffer: *const c_void, length: size_t, flags: c_int) -> ssize_t = Send sets_errno {
        raw::cancellable(libc::SYS_sendto, words([fd.word(), buffer.word(), length, flags.word()]))
    }
    fn sendto(
        fd: c_int, buffer: *const c_void, length: size_t, flags: c_int,
        address: *const libc::sockaddr, address_length: libc::socklen_t
    ) -> ssize_t = Sendto sets_errno {
        raw::cancellable(
            libc::SYS_sendto,
            [fd.word(), buffer.word(), length, flags.word(), address.word(), address_length.word()],
        )
    }
    // musl's do more than the system call.
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn recvmsg(fd: c_int, message: *mut libc::msghdr, flags: c_int) -> ssize_t = Recvmsg sets_errno {
        raw::cancellable(libc::SYS_recvmsg, words([fd.word(), message.word(), flags.word()]))
    }
    #[cfg(any(not(target_feature = "crt-static"), target_env = "gnu"))]
    fn sendmsg(fd: c_int, message: *const libc::msghdr, flags: c_int) -> ssize_t = Sendmsg sets_errno {
        raw::cancellable(libc::SYS_sendmsg, words([fd.word(), message.word(), flags.word()]))
    }
    fn shutdown(fd: c_int, how: c_int) -> c_int = Shutdown sets_errno {
        raw::call(libc::SYS_shutdown, words([fd.word(), how.word()]))
    }
    fn poll(fds: *mut libc::pollfd, count: libc::nfds_t, timeout_ms: c_int) -> c_int = Poll sets_errno {
        raw::poll(fds, count, timeout_ms)
    }
    #[cfg(not(target_feature = "crt-static"))]
    fn ppoll(
        fds: *mut libc::pollfd, count: libc::nfds_t, timeout: *const libc::timespec, mask: *const libc::sigset_t
    ) -> c_int = Poll sets_errno (-1)
    #[cfg(not(target_feature = "crt-static"))]
    fn select(
        count: c_int, read: *mut libc::fd_set, write: *mut libc::fd_set, except: *mut libc::fd_set,
        timeout: *mut libc::timeval
    ) -> c_int = Select sets_errno (-1)
    #[cfg(not(target_feature = "crt-static"))]
    fn pselect(
        count: c_int, read: *mut libc::fd_set, write: *mut libc::fd_set, except: *mut libc::fd_set,
        timeout: *const libc::timespec, mask: *const libc::sigset_t
    ) -> c_int = Select sets_errno (-1)
    #[cfg(not(target_feature = "crt-static"))]
    fn getaddrinfo(
        node: *const c_char, service: *const c_char, hints: *const libc::addrinfo,
        result: *mut *mut libc::addrinfo
    ) -> c_int = Getaddrinfo resolves_name (libc::EAI_FAIL)
    fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut libc::epoll_event) -> c_int = EpollCtl sets_errno {
        raw::call(libc::SYS_epoll_ctl, words([epoll.word(), operation.word(), fd.word(), event.word()]))
    }
    fn epoll_wait(
        epoll: c_int, events: *mut libc::epoll_event, count: c_int, timeout_ms: c_int
    ) -> c_int = EpollWait waits_for_sources {
        raw::cancellable(
            libc::SYS_epoll_pwait,
            [epoll.word(), events.word(), count.word(), timeout_ms.word(), 0, raw::SIGNAL_SET_BYTES],
        )
    }
    fn epoll_pwait(
        epoll: c_int, events: *mut libc::epoll_event, count: c_int, timeout_ms: c_int,
        mask: *const libc::sigset_t
    ) -> c_int = EpollWait waits_for_sources {
        raw::cancellable(
            libc::SYS_epoll_pwait,
            [epoll.word(), events.word(), count.word(), timeout_ms.word(), mask.word(), raw::SIGNAL_SET_BYTES],
        )
    }
}
