//! What happens before `main`: the next definitions are found, and the recorder learns that there are entry points.
//!
//! Rule 1: the dynamic linker, or the C library of a static program, calls each function of the section once, on the
//! thread that `main` will run on, when what the program is linked with is in place.

#[cfg(not(target_feature = "crt-static"))]
use crate::entry_points;

extern "C" fn start() {
    #[cfg(not(target_feature = "crt-static"))]
    resolve_all();
    crate::about::announce();
}

/// Early, so that no call in a signal handler has to ask the dynamic linker.
#[cfg(not(target_feature = "crt-static"))]
fn resolve_all() {
    // What the C library lacks keeps its system call.
    let missing = entry_points().filter(|point| !point.next.resolve()).count();
    if missing > 0 {
        crate::next::forget_error();
    }
}

// The number has it run before those of the standard library and of the program.
// SAFETY: rule 1; the section holds addresses of functions of this type.
#[used]
#[unsafe(link_section = ".init_array.00090")]
static START: extern "C" fn() = start;
