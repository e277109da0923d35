//! Names of Linux's numbers of errors.

/// By their numbers, from 1 on, as in `asm-generic/errno-base.h` and `asm-generic/errno.h`; empty where a number has
/// no name.
const NAMES: &str = "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT \
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS \
    EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC \
    EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA \
    ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ \
    EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ \
    EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE \
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN \
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL \
    EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD \
    ENOTRECOVERABLE ERFKILL EHWPOISON";

/// The name of an error; empty where it has none.
pub(super) fn name(errno: u64) -> &'static str {
    let place = errno
        .checked_sub(1)
        .and_then(|place| usize::try_from(place).ok());
    let name = place.and_then(|place| NAMES.split_ascii_whitespace().nth(place));
    name.filter(|&name| name != "-").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn errors_have_the_names_that_linux_gives_them() {
        let known = [
            (2, "ENOENT"),
            (11, "EAGAIN"),
            (40, "ELOOP"),
            (42, "ENOMSG"),
            (59, "EBFONT"),
            (95, "EOPNOTSUPP"),
            (110, "ETIMEDOUT"),
            (111, "ECONNREFUSED"),
            (133, "EHWPOISON"),
        ];
        for (errno, expected) in known {
            assert_eq!(name(errno), expected, "{errno}");
        }
        for errno in [0, 41, 58, 134, u64::MAX] {
            assert_eq!(name(errno), "", "{errno}");
        }
    }
}
