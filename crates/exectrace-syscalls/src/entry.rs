//! What every entry point does: it asks the recorder, makes the call, and reports how it ended.
//!
//! Rules:
//!
//! 1. An entry point passes its arguments on unchanged, to a function with its own signature, and does nothing else
//!    with them. So whatever its caller must see to is what the caller of the C library's function must see to.
//! 2. No value on its frame has a destructor, and it holds no lock: a thread may be cancelled in the call, or leave
//!    it by `longjmp` or by an unwinding exception.
//! 3. It allocates nothing and does not panic, so that it may be called at any moment: before `main`, in a signal
//!    handler, in a forked child, while a thread exits. The recorder's functions promise the same, and that `errno`
//!    stays as it is.

use core::ffi::c_int;

use exectrace_recorder::calls::{CallResult, OpenCall};

use crate::raw;

/// What a function returned, and what that means.
pub(crate) trait Returned: Copy {
    fn number(self) -> i64;
}

impl Returned for i32 {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Returned for u32 {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Returned for i64 {
    fn number(self) -> i64 {
        self
    }
}

impl Returned for isize {
    fn number(self) -> i64 {
        self as i64
    }
}

impl<T> Returned for *mut T {
    fn number(self) -> i64 {
        // Null is the only failure; the address says nothing.
        if self.is_null() { -1 } else { 0 }
    }
}

/// Of a function that returns -1, or null, and sets `errno`.
#[inline(always)]
pub(crate) fn sets_errno<A>(call: OpenCall, returned: impl Returned, _arguments: A) {
    let result = match returned.number() {
        -1 => CallResult::Failed(number_of_error(raw::errno())),
        number => CallResult::Done(number.unsigned_abs()),
    };
    call.end(result);
}

/// Of a function that returns 0, or the number of its error.
#[inline(always)]
#[cfg_attr(target_feature = "crt-static", allow(dead_code))]
pub(crate) fn returns_error<A>(call: OpenCall, returned: c_int, _arguments: A) {
    call.end(match returned {
        0 => CallResult::Done(0),
        error => CallResult::Failed(number_of_error(error)),
    });
}

/// Of `getaddrinfo`, whose errors have numbers of their own, but for one.
#[cfg(not(target_feature = "crt-static"))]
pub(crate) fn resolves_name<A>(call: OpenCall, returned: c_int, _arguments: A) {
    call.end(match returned {
        0 => CallResult::Done(0),
        libc::EAI_SYSTEM => CallResult::Failed(number_of_error(raw::errno())),
        _ => CallResult::Failed(0),
    });
}

/// Of a function that cannot fail.
#[cfg(not(target_feature = "crt-static"))]
pub(crate) fn cannot_fail<A>(call: OpenCall, returned: impl Returned, _arguments: A) {
    call.end(CallResult::Done(returned.number().unsigned_abs()));
}

/// Of `epoll_wait` and what is like it: how long it was to wait says what its result means.
pub(crate) fn waits_for_sources(call: OpenCall, returned: c_int, arguments: impl WaitsForSources) {
    call.end(match u32::try_from(returned) {
        Ok(ready) => CallResult::of_driver(ready, arguments.timeout_ms()),
        Err(_) => CallResult::Failed(number_of_error(raw::errno())),
    });
}

/// The arguments of a function that waits for sources.
pub(crate) trait WaitsForSources {
    /// How long it waits at most; for ever if that is negative.
    fn timeout_ms(&self) -> c_int;
}

impl<E> WaitsForSources for (c_int, E, c_int, c_int) {
    fn timeout_ms(&self) -> c_int {
        self.3
    }
}

impl<E, M> WaitsForSources for (c_int, E, c_int, c_int, M) {
    fn timeout_ms(&self) -> c_int {
        self.3
    }
}

fn number_of_error(error: c_int) -> u16 {
    u16::try_from(error).unwrap_or(0)
}

/// Defines entry points, each in a module of its name, and the list `ENTRY_POINTS` of them.
///
/// Arguments after a semicolon are variadic. The last part says what makes the call while the next definition is not
/// known, and always in static programs: in braces a system call; in parentheses, where there is none, what the
/// function returns if it does not exist.
macro_rules! entry_points {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(; $more:ident: $more_type:ty)?) -> $result:ty
            = $call:ident $outcome:ident $system:tt
    )*) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports)]
                use libc::{c_char, c_int, c_long, c_uint, c_void, off_t, size_t, ssize_t};
                use exectrace_recorder::calls::{self, Call};
                #[allow(unused_imports)]
                use crate::raw::{self, Word as _, words};

                $crate::entry::forward! {
                    $name($($argument: $type),* $(; $more: $more_type)?) -> $result, $system
                }

                // SAFETY: it is what the C library's function of this name is, by rule 1.
                #[unsafe(no_mangle)]
                unsafe extern "C-unwind" fn $name(
                    $($argument: $type,)* $($more: $more_type,)?
                ) -> $result {
                    if exectrace_recorder::is_enabled() {
                        // SAFETY: rule 1.
                        unsafe { recorded($($argument,)* $($more,)?) }
                    } else {
                        // The last thing, so that it is a jump.
                        // SAFETY: rule 1.
                        unsafe { forward($($argument,)* $($more,)?) }
                    }
                }

                /// # Safety
                ///
                /// As the function that it calls.
                // Not inlined, as its frame is not for calls that are not recorded.
                #[inline(never)]
                unsafe extern "C-unwind" fn recorded(
                    $($argument: $type,)* $($more: $more_type,)?
                ) -> $result {
                    let call = calls::begin(Call::$call);
                    // SAFETY: rule 1.
                    let returned = unsafe { forward($($argument,)* $($more,)?) };
                    if let Some(call) = call {
                        $crate::entry::$outcome(call, returned, ($($argument,)*));
                    }
                    returned
                }
            }
        )*

        pub(crate) static ENTRY_POINTS: &[$crate::EntryPoint] = &[
            $(
                $(#[$attribute])*
                $crate::EntryPoint {
                    function: stringify!($name),
                    shown_as: exectrace_recorder::calls::Call::$call.name(),
                    #[cfg(not(target_feature = "crt-static"))]
                    next: &$name::NEXT,
                },
            )*
        ];
    };
}
pub(crate) use entry_points;

/// Defines `forward`, which makes the call: through the next definition.
#[cfg(not(target_feature = "crt-static"))]
macro_rules! forward {
    ($name:ident($($argument:ident: $type:ty),* $(; $more:ident: $more_type:ty)?) -> $result:ty, $system:tt) => {
        pub(super) static NEXT: crate::next::Next = crate::next::Next::new(
            match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            },
            before as *const () as *mut (),
        );

        type Function = $crate::entry::function_type!(($($type),*) $(; $more_type)? => $result);

        /// # Safety
        ///
        /// As the function that it calls.
        #[inline(always)]
        unsafe fn forward($($argument: $type,)* $($more: $more_type,)?) -> $result {
            let function = NEXT.function();
            // SAFETY: rule 1 of `next`: it is a function of this signature.
            let function = unsafe { core::mem::transmute::<*mut (), Function>(function) };
            // SAFETY: rule 1.
            unsafe { function($($argument,)* $($more,)?) }
        }

        unsafe extern "C-unwind" fn before($($argument: $type,)* $($more: $more_type,)?) -> $result {
            $crate::entry::before!(($($argument)* $($more)?) $system)
        }
    };
}

/// Defines `forward`, which makes the call: by a system call.
#[cfg(target_feature = "crt-static")]
macro_rules! forward {
    ($name:ident($($argument:ident: $type:ty),* $(; $more:ident: $more_type:ty)?) -> $result:ty, $system:tt) => {
        /// # Safety
        ///
        /// As the function that it stands in for.
        #[inline(always)]
        unsafe fn forward($($argument: $type,)* $($more: $more_type,)?) -> $result {
            $crate::entry::before!(($($argument)* $($more)?) $system)
        }
    };
}
pub(crate) use forward;

/// The call without a next definition.
macro_rules! before {
    (($($argument:ident)*) { $($system:tt)* }) => {{
        // SAFETY: rule 1; the system call is the one that the C library's function makes.
        (unsafe { $($system)* }) as _
    }};
    // As the call is the first, it is not in a place where the dynamic linker cannot be asked.
    (($($argument:ident)*) ($missing:expr)) => {
        if NEXT.resolve() {
            // SAFETY: rule 1.
            unsafe { forward($($argument),*) }
        } else {
            crate::next::forget_error();
            raw::fail(-libc::ENOSYS as isize);
            $missing
        }
    };
}
pub(crate) use before;

/// The type of a pointer to a function of the C library, which a thread that is cancelled leaves by unwinding.
///
/// With `panic=abort` a function that calls `C-unwind` ends the process when it is unwound. So there the type does not
/// say it, as none does with which the program itself declares these functions; and frames that have no destructors
/// are passed over, by tables that are there with this option too.
#[cfg(panic = "unwind")]
macro_rules! function_type {
    (($($type:ty),*) => $result:ty) => { unsafe extern "C-unwind" fn($($type),*) -> $result };
    (($($type:ty),*); $more:ty => $result:ty) => { unsafe extern "C-unwind" fn($($type),*, ...) -> $result };
}
/// The same with `panic=abort`.
#[cfg(not(panic = "unwind"))]
macro_rules! function_type {
    (($($type:ty),*) => $result:ty) => { unsafe extern "C" fn($($type),*) -> $result };
    (($($type:ty),*); $more:ty => $result:ty) => { unsafe extern "C" fn($($type),*, ...) -> $result };
}
pub(crate) use function_type;
