//! The signal of the timers: which it is, its handler, and what the program does with the same signal.
//!
//! The handler is installed with `sigaction`, and not by `signal-hook-registry`, which has no place for the
//! third argument of handlers: the registers of what was interrupted.
//!
//! # What a handler may do
//!
//! It may interrupt anything: an allocation, a lock that is being taken, another handler. So it reads and
//! writes memory that its thread prepared before, and makes no call but system calls that are allowed there.
//! `errno` is as it was when it returns.
//!
//! # Others that use the signal
//!
//! A signal that no timer of ours has sent goes to the handler that was there before ours, if there was one. If
//! there was none, what would have happened without us happens. One that is installed after ours gets all
//! signals, also ours, until the flush thread sees it and stops the timers. Where the signal is ignored or has
//! its default action again, which would end the process, the same: so the default is a signal that nobody else
//! uses.

use std::mem::MaybeUninit;
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use super::pending::WalkEnd;
use super::thread::{self, SampleEntry};
use crate::clock;
use crate::control::all_but_faults;
use crate::errno::Errno;
use crate::stacks;

/// Most return addresses of a sample; of a deeper stack those nearest to the leaf are kept.
const MAX_FRAMES: usize = 96;

/// The number of the signal; 0 before it was chosen, -1 if there is none.
static NUMBER: AtomicI32 = AtomicI32::new(UNKNOWN);
const UNKNOWN: i32 = 0;
const NONE: i32 = -1;

/// Whether our handler is in place.
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// What the program had for the signal before us: null, or a pointer that is never freed.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(null_mut());

/// The address of this is what the signals of our timers carry.
static TOKEN: u8 = 0;

pub(super) fn token() -> *const libc::c_void {
    ptr::from_ref(&TOKEN).cast()
}

/// Whether timers may be set: our handler was there when the flush thread looked last.
pub(super) fn is_installed() -> bool {
    // Acquire: whoever sets a timer does so after the handler was installed.
    IS_INSTALLED.load(Ordering::Acquire)
}

/// The number of the signal, which is chosen at the first call.
pub(super) fn number() -> Option<libc::c_int> {
    // Relaxed: whoever comes second takes what the first has stored.
    let mut number = NUMBER.load(Ordering::Relaxed);
    if number == UNKNOWN {
        let chosen = super::wanted_signal().or_else(free_signal).unwrap_or(NONE);
        let stored = NUMBER.compare_exchange(UNKNOWN, chosen, Ordering::Relaxed, Ordering::Relaxed);
        number = stored.map_or_else(|other| other, |_| chosen);
    }
    (number != NONE).then_some(number)
}

/// The last real-time signal with its default action; not the very last one, which debugging tools take.
fn free_signal() -> Option<libc::c_int> {
    let all = libc::SIGRTMIN()..libc::SIGRTMAX();
    all.rev().find(|&signal| {
        action_of(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL)
    })
}

fn action_of(signal: libc::c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the system writes the action, and changes nothing.
    let found = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: the call has succeeded, so the action was written.
    (found == 0).then(|| unsafe { action.assume_init() })
}

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

fn our_handler() -> libc::sighandler_t {
    handle as Handler as libc::sighandler_t
}

/// Why there are no samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The program has a handler that it installed after ours.
    OtherHandler(libc::c_int),
    /// The program has taken our handler away.
    Removed(libc::c_int),
    /// The system does not have the signal, or none is free.
    NoSignal,
}

/// Installs the handler, if it is not there. A handler that came after ours stays.
pub(super) fn install() -> Result<(), Refused> {
    let number = number().ok_or(Refused::NoSignal)?;
    let before = action_of(number).ok_or(Refused::NoSignal)?;
    let is_ours = before.sa_sigaction == our_handler();
    let was_installed = !BEFORE.load(Ordering::Acquire).is_null();
    if !is_ours && was_installed && is_function(&before) {
        return Err(Refused::OtherHandler(number));
    }
    if !is_ours {
        // Before the handler can be called. Some hundred bytes, each time that our handler was removed.
        let kept = Box::leak(Box::new(before));
        BEFORE.store(ptr::from_mut(kept), Ordering::Release);
        let action = ours(&before);
        // SAFETY: the handler keeps to what handlers may do, and lives as long as the program.
        let installed = unsafe { libc::sigaction(number, &raw const action, null_mut()) };
        if installed != 0 {
            return Err(Refused::NoSignal);
        }
    }
    IS_INSTALLED.store(true, Ordering::Release);
    Ok(())
}

/// What is installed in the place of `before`.
///
/// Where the program has a handler of its own, ours has its mask and its stack, as it calls that one. Otherwise ours
/// runs on the thread's alternate stack, if there is one, and lets no other signal in: handlers of others that come
/// at the same tick would run on that small stack too, for which they were not made.
fn ours(before: &libc::sigaction) -> libc::sigaction {
    let mut action = *before;
    action.sa_sigaction = our_handler();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    if is_function(before) {
        action.sa_flags |= before.sa_flags & libc::SA_ONSTACK;
    } else {
        action.sa_flags |= libc::SA_ONSTACK;
        action.sa_mask = all_but_faults();
    }
    action
}

fn is_function(action: &libc::sigaction) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
}

/// Looks whether the handler is still there. If not, no timer may be set any more.
pub(super) fn check() -> Result<(), Refused> {
    let Some(number) = number() else {
        return Err(Refused::NoSignal);
    };
    match action_of(number) {
        Some(action) if action.sa_sigaction == our_handler() => Ok(()),
        Some(action) => {
            IS_INSTALLED.store(false, Ordering::Release);
            Err(match is_function(&action) {
                true => Refused::OtherHandler(number),
                false => Refused::Removed(number),
            })
        }
        None => Err(Refused::NoSignal),
    }
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = Errno::get();
    // SAFETY: with SA_SIGINFO the system gives a handler what it says of the signal.
    if unsafe { is_of_our_timer(info) } {
        thread::with_this(|thread| {
            if crate::is_enabled() {
                // SAFETY: with SA_SIGINFO the third argument is the interrupted thread's context.
                let interrupted = unsafe { Interrupted::of(context) };
                thread.take(&interrupted);
            } else {
                thread.disarm();
            }
        });
    } else {
        pass_on(signal, info, context);
    }
    errno.restore();
}

/// # Safety
/// - `info` is what the system gave a handler.
unsafe fn is_of_our_timer(info: *const libc::siginfo_t) -> bool {
    // SAFETY: the caller says so.
    let Some(info) = (unsafe { info.as_ref() }) else {
        return false;
    };
    if info.si_code != libc::SI_TIMER {
        return false;
    }
    // SAFETY: the signal is of a timer, and those carry a value.
    let value = unsafe { info.si_value() };
    ptr::eq(value.sival_ptr, token())
}

/// Does what the program had asked for.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: null, or never freed.
    let Some(before) = (unsafe { BEFORE.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    match before.sa_sigaction {
        libc::SIG_IGN => {}
        libc::SIG_DFL => {
            // SAFETY: allowed in handlers; the action is one that the system itself gave.
            unsafe { libc::sigaction(signal, before, null_mut()) };
            // SAFETY: allowed in handlers. The signal comes when this one returns.
            unsafe { libc::raise(signal) };
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the program installed it as a function of this kind.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: the program installed it as a function of this kind.
            let handler =
                unsafe { std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Where a signal has interrupted its thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted {
    /// The next instruction.
    instruction: usize,
    /// The frame pointer, or anything.
    frame: usize,
    stack_pointer: usize,
}

impl Interrupted {
    /// # Safety
    /// - `context` is the third argument of a signal's handler.
    unsafe fn of(context: *const libc::c_void) -> Self {
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the caller says so.
        let machine = unsafe { &(*context).uc_mcontext };
        #[cfg(target_arch = "x86_64")]
        let registers = [libc::REG_RIP, libc::REG_RBP, libc::REG_RSP]
            .map(|register| machine.gregs[register as usize]);
        #[cfg(target_arch = "aarch64")]
        let registers = [machine.pc, machine.regs[29], machine.sp];
        let [instruction, frame, stack_pointer] = registers.map(|register| register as usize);
        Self {
            instruction,
            frame,
            stack_pointer,
        }
    }

    /// Writes a sample: its ticks, where the walk ended, the instruction, and the return addresses. Returns whether
    /// there was room.
    ///
    /// # Safety
    /// - `low` and `high` are the bounds of the stack of the thread that was interrupted, or nothing lies between
    ///   them.
    /// - It stands still.
    #[inline]
    unsafe fn write_frames(
        &self,
        (low, high): (usize, usize),
        entry: &mut SampleEntry<'_>,
    ) -> bool {
        let mut has_room = true;
        let end = if !stacks::has_frame_pointers() || !(low..high).contains(&self.stack_pointer) {
            WalkEnd::Open
        } else {
            let mut left = MAX_FRAMES;
            let last = stacks::frame_of_poll().unwrap_or(0);
            let push = |address| {
                has_room = entry.push(address);
                left -= 1;
                has_room && left > 0
            };
            // SAFETY: the caller says what the bounds are, and the stack pointer is between them.
            unsafe { stacks::walk_interrupted(self.frame, self.stack_pointer, high, last, push) }
        };
        entry.set(1, end as u64);
        has_room
    }

    /// # Safety
    /// - As for [`write_frames`](Self::write_frames).
    pub(super) unsafe fn write(&self, bounds: (usize, usize), mut entry: SampleEntry<'_>) -> bool {
        let head = [
            clock::ticks(),
            WalkEnd::Open as u64,
            self.instruction as u64,
        ];
        let has_room = head.into_iter().all(|word| entry.push(word));
        // SAFETY: the caller says so.
        has_room && unsafe { self.write_frames(bounds, &mut entry) } && entry.finish()
    }
}
