//! Walking a chain of frame pointers.
//!
//! A function compiled with frame pointers keeps in a register the address of its *frame record*:
//! two words, the address of its caller's frame record and the address where it returns to. So the
//! records of all active functions form a chain, from the leaf up, at growing addresses.
//!
//! # Protocol
//!
//! Nothing is trusted to be a frame record: code without frame pointers keeps anything in that
//! register. What is safe to read is decided by address alone.
//!
//! 1. A walk is given two addresses, `here` in the frame of a running function and `limit` in that
//!    of a function that called it, directly or not, and has not returned. Both lie in the one stack
//!    that the thread was created with. All bytes from `here` to `limit` are then mapped, readable,
//!    and used by no other thread's calls, for as long as the walk runs: a thread's stack is one
//!    mapping, and below its highest frame down to the stack pointer all of it exists.
//!    A thread that runs on another stack (a signal's, a fiber's) is outside the bounds its own
//!    stack has, and is not walked.
//! 2. Two words are read at an address only if it is a multiple of 8, both words lie between `here`
//!    and `limit`, and it is above the last one: so each walk ends, after at most
//!    `(limit - here) / 16` reads.
//! 3. The words are read by a machine instruction and not as Rust values: what lies there may be a
//!    part of anything, or nothing.
//! 4. What was read by [`walk`] is believed only if the chain leads to exactly the frame record that was
//!    expected at its end, which the function at `limit` has given.
//! 5. A walk from code that a signal has interrupted, or that allocates ([`walk_interrupted`]), has no such end. There
//!    `here` is the stack pointer at the interruption, or in the frame of the function that walks, and `limit` the end of
//!    the stack that the thread was created with. What it reads is believed as far as rule 2 holds: who uses it says where a chain may have gone wrong.

use crate::cpu::WalkEnd;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod machine {
    use std::arch::asm;

    pub(super) const IS_KNOWN: bool = true;

    #[inline(always)]
    pub(super) fn frame_pointer() -> usize {
        let value;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, rbp", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    /// # Safety
    /// - The 16 bytes at `address` are readable.
    #[inline(always)]
    pub(super) unsafe fn load(address: usize) -> (usize, usize) {
        let (caller, returns_to);
        // SAFETY: reads two words that are readable, as the caller says, and nothing else.
        unsafe {
            asm!(
                "mov {caller}, [{address}]",
                "mov {returns_to}, [{address} + 8]",
                address = in(reg) address,
                caller = out(reg) caller,
                returns_to = out(reg) returns_to,
                options(readonly, nostack, preserves_flags),
            );
        }
        (caller, returns_to)
    }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
mod machine {
    use std::arch::asm;

    pub(super) const IS_KNOWN: bool = true;

    /// Return addresses may carry a signature above the bits of user space.
    const ADDRESS_MASK: usize = (1 << 48) - 1;

    #[inline(always)]
    pub(super) fn frame_pointer() -> usize {
        let value;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, x29", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    /// # Safety
    /// - The 16 bytes at `address` are readable.
    #[inline(always)]
    pub(super) unsafe fn load(address: usize) -> (usize, usize) {
        let (caller, returns_to): (usize, usize);
        // SAFETY: reads two words that are readable, as the caller says, and nothing else.
        unsafe {
            asm!(
                "ldp {caller}, {returns_to}, [{address}]",
                address = in(reg) address,
                caller = out(reg) caller,
                returns_to = out(reg) returns_to,
                options(readonly, nostack, preserves_flags),
            );
        }
        (caller, returns_to & ADDRESS_MASK)
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod machine {
    pub(super) const IS_KNOWN: bool = false;

    #[inline(always)]
    pub(super) fn frame_pointer() -> usize {
        0
    }

    /// # Safety
    /// - None: reads nothing.
    #[inline(always)]
    pub(super) unsafe fn load(_address: usize) -> (usize, usize) {
        (0, 0)
    }
}

/// The frame pointer of the function that this is compiled into, or anything if it has none.
#[inline(always)]
pub(super) fn frame_pointer() -> usize {
    machine::frame_pointer()
}

#[cfg(test)]
pub(super) const IS_KNOWN: bool = machine::IS_KNOWN;

/// Bytes of a frame record.
const RECORD_BYTES: usize = 16;

/// Gives `f` the return addresses from the frame after `own` up to that at `last`, leaf first,
/// until it returns `false`. Returns whether the chain led there, or `f` had enough.
///
/// `own` and `last` are frame pointers, or anything. The return address in the record of `own`
/// (which leads into its caller) is left out, and that in the record of `last` as well: the last
/// address given is in the function whose frame `last` is.
///
/// # Safety
/// - `here` and `limit` are as rule 1 of the module says.
#[inline(always)]
pub(super) unsafe fn walk(
    own: usize,
    here: usize,
    limit: usize,
    last: usize,
    mut f: impl FnMut(u64) -> bool,
) -> bool {
    let (mut frame, mut lowest) = (own, here);
    let mut is_own = true;
    while frame != last {
        if !may_be_record(frame, lowest, limit) {
            return false;
        }
        // SAFETY: both words lie between `here` and `limit`: rules 1 and 2.
        let (caller, returns_to) = unsafe { machine::load(frame) };
        if !is_own && !f(returns_to as u64) {
            return true;
        }
        is_own = false;
        lowest = frame + RECORD_BYTES;
        frame = caller;
    }
    true
}

/// Whether rule 2 lets a record be read at `frame`.
#[inline(always)]
fn may_be_record(frame: usize, lowest: usize, limit: usize) -> bool {
    machine::IS_KNOWN
        && frame >= lowest
        && frame <= limit.wrapping_sub(RECORD_BYTES)
        && limit >= RECORD_BYTES
        && frame.is_multiple_of(8)
}

/// Gives `f` the return addresses from the frame record at `frame` on, leaf first, until it returns `false`.
/// Ends at the record at `last`, whose return address is left out, and where rule 2 forbids to go on.
///
/// `frame` and `last` are frame pointers, or anything. Allocates nothing and takes no lock.
///
/// # Safety
/// - `here` and `limit` are as rule 5 of the module says.
#[cfg_attr(
    not(any(cpu_samples, feature = "alloc")),
    allow(dead_code, reason = "for samples")
)]
pub(crate) unsafe fn walk_interrupted(
    mut frame: usize,
    here: usize,
    limit: usize,
    last: usize,
    mut f: impl FnMut(u64) -> bool,
) -> WalkEnd {
    let mut lowest = here;
    loop {
        if frame == last && last != 0 {
            return WalkEnd::Poll;
        }
        if !may_be_record(frame, lowest, limit) {
            return if frame == 0 {
                WalkEnd::Root
            } else {
                WalkEnd::Open
            };
        }
        // SAFETY: both words lie between `here` and `limit`: rules 2 and 5.
        let (caller, returns_to) = unsafe { machine::load(frame) };
        if returns_to == 0 {
            // The first frame of a thread returns nowhere.
            return WalkEnd::Root;
        }
        if !f(returns_to as u64) {
            return WalkEnd::Open;
        }
        lowest = frame + RECORD_BYTES;
        frame = caller;
    }
}

/// The stack that a thread was created with.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadStack {
    low: usize,
    /// 0: unknown.
    high: usize,
}

impl ThreadStack {
    /// The stack between two addresses; unknown if `high` is 0.
    #[inline(always)]
    pub(super) fn new(low: usize, high: usize) -> Self {
        Self { low, high }
    }

    /// What stands for a stack that could not be found: nothing lies in it.
    const NOWHERE: Self = Self { low: 1, high: 1 };

    pub(super) fn is_known(self) -> bool {
        self.high != 0
    }

    /// Its lowest address, and the one after its highest.
    pub(super) fn bounds(self) -> (usize, usize) {
        (self.low, self.high)
    }

    #[inline(always)]
    pub(super) fn contains(self, address: usize) -> bool {
        self.low <= address && address < self.high
    }

    /// Asks the system. Takes some microseconds; for the main thread, which the system has to look
    /// up in its list of mappings, some tens of them.
    #[cfg(target_os = "linux")]
    #[cold]
    pub(super) fn of_this_thread() -> Self {
        use std::mem::MaybeUninit;

        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: names the calling thread; takes nothing, cannot fail.
        let thread = unsafe { libc::pthread_self() };
        // SAFETY: the thread exists, as it is the calling one, and `attributes` is writable.
        if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
            return Self::NOWHERE;
        }
        let mut low = std::ptr::null_mut();
        let mut size = 0;
        // SAFETY: `attributes` was initialised by the successful call above.
        let found =
            unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size) };
        // SAFETY: as before, and they are not used again.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        let low = low.addr();
        match low.checked_add(size) {
            Some(high) if found == 0 && low < high => Self { low, high },
            _ => Self::NOWHERE,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of_this_thread() -> Self {
        Self::NOWHERE
    }
}

/// Calls between the two ends of the chain that [`finds_known_calls`] walks.
const KNOWN_CALLS: usize = 4;

/// Whether a walk over some known calls finds them all.
#[inline(never)]
pub(super) fn finds_known_calls() -> bool {
    let mut found = Vec::new();
    let limit = std::ptr::from_ref(&found).addr();
    let last = frame_pointer();
    let complete = last >= limit && descend(KNOWN_CALLS, limit, last, &mut found);
    complete && found.len() == KNOWN_CALLS
}

#[inline(never)]
fn descend(calls: usize, limit: usize, last: usize, found: &mut Vec<u64>) -> bool {
    let here = std::ptr::from_ref(&calls).addr();
    let complete = if calls == 0 {
        // SAFETY: `here` is in this function's frame and `limit` in that of `finds_known_calls`,
        // which waits for it, and nothing between them changes the stack.
        unsafe {
            walk(frame_pointer(), here, limit, last, |address| {
                found.push(address);
                found.len() <= KNOWN_CALLS
            })
        }
    } else {
        descend(calls - 1, limit, last, found)
    };
    // Something to do after the call, so that it stays one.
    std::hint::black_box(complete)
}
