//! The definitions that the entry points stand in front of, found by name.
//!
//! Rules:
//!
//! 1. A [`Next`] holds the address of a function that has the signature of its entry point: one of this crate at
//!    first, then the next definition of the same name in the order in which the dynamic linker looks for names.
//! 2. It changes from the one to the other once; both are right at any time, so no order is needed between the
//!    store and the loads.

use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The function that an entry point calls.
// The function comes first, for code that jumps there.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Next {
    function: AtomicPtr<()>,
    name: &'static CStr,
}

impl Next {
    /// `before` is called until the next definition of `name` is known. Both have the signature of the entry point.
    pub(crate) const fn new(name: &'static CStr, before: *mut ()) -> Self {
        Self {
            function: AtomicPtr::new(before),
            name,
        }
    }

    /// The function to call.
    #[inline(always)]
    pub(crate) fn function(&self) -> *mut () {
        // Rule 2.
        self.function.load(Ordering::Relaxed)
    }

    /// Finds the next definition, and returns whether there is one.
    pub(crate) fn resolve(&self) -> bool {
        let found = self.find();
        if !found.is_null() {
            // Rule 2.
            self.function.store(found.cast(), Ordering::Relaxed);
        }
        !found.is_null()
    }
}

impl Next {
    /// The next definition, or null.
    ///
    /// glibc has two functions `pthread_cond_wait` and two `pthread_cond_timedwait`, which take other condition
    /// variables: those of before 2003, and today's. Asked for the name alone, versions of glibc before 2.36 give
    /// the older one. So those are asked for with today's version first.
    #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
    fn find(&self) -> *mut libc::c_void {
        if self.name.to_bytes().starts_with(b"pthread_cond_") {
            let version = c"GLIBC_2.3.2".as_ptr();
            // SAFETY: both texts end with a zero.
            let found = unsafe { libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), version) };
            if !found.is_null() {
                return found;
            }
        }
        self.find_any()
    }

    #[cfg(not(all(target_env = "gnu", target_arch = "x86_64")))]
    fn find(&self) -> *mut libc::c_void {
        self.find_any()
    }

    fn find_any(&self) -> *mut libc::c_void {
        // SAFETY: the name ends with a zero.
        unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) }
    }
}

/// What `dlerror` would say of a name that was not found is not the program's.
pub(crate) fn forget_error() {
    // SAFETY: it has no conditions; its text is not read.
    let _ = unsafe { libc::dlerror() };
}

/// Whether who asks the dynamic linker for the name gets something else than the next definition: that is an entry
/// point, as in a program. Those of a shared library come after the C library in that order.
pub(crate) fn is_in_front(next: &Next) -> bool {
    // SAFETY: the name ends with a zero.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, next.name.as_ptr()) };
    !ptr::eq(found.cast(), next.function())
}
