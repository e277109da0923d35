//! Wakers that record who wakes a task, and where it waits.
//!
//! [`observe_poll`] polls a future with a waker that carries the same data pointer as the caller's
//! and a table of functions of ours, which record and then do what the original's do. Nothing is
//! allocated or counted, and a leaf future that compares wakers still finds them equal, as data and
//! table stay the same from poll to poll.
//!
//! # Protocol
//!
//! A table of functions is a static and has nowhere to remember what it stands for. So there are a
//! few *slots*, each a table of ours that stands for one original table for the rest of the process.
//!
//! 1. A slot's original is null, then set once, to the address of a `&'static RawWakerVTable`.
//! 2. A slot's table of ours leaves this module only after the slot's original was set, and only in
//!    a waker or raw waker whose data came with that original. So each of our functions that is
//!    called finds its slot's original set, and its data is the original's.
//! 3. Our functions own what the original's would own: *clone* and *wake by reference* borrow the
//!    data, *wake* and *drop* consume it. The original is called through a `Waker` made of data and
//!    original, which is forgotten where the data is only borrowed.
//! 4. The waker that a poll is given borrows the caller's reference: it is never dropped, and it
//!    lives on the stack, for less long than the borrow of the context it was made from.
//!
//! Reading an original needs no ordering: whoever holds one of our tables got it from the thread
//! that set the slot, by a way that orders memory (wakers are `Send`), and coherence then forbids
//! to read the null from before. What the original points to was there before the caller had it.

use std::mem::ManuallyDrop;
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use crate::enabled::{epoch, is_enabled};
use crate::kinds::Kind;
use crate::runtime::{AsyncTaskId, Runtime, StackHash};
use crate::stacks::{self, Observation, ObservedPoll};
use crate::thread_buffer::record;

/// Kinds of wakers that can be distinguished. A program has one for each executor, and Tokio's tasks
/// share one.
const SLOTS: usize = 8;

/// What each slot's table stands for.
static ORIGINALS: [AtomicPtr<RawWakerVTable>; SLOTS] =
    [const { AtomicPtr::new(null_mut()) }; SLOTS];

/// Our tables, by slot.
static SUBSTITUTES: [RawWakerVTable; SLOTS] = [
    substitute::<0>(),
    substitute::<1>(),
    substitute::<2>(),
    substitute::<3>(),
    substitute::<4>(),
    substitute::<5>(),
    substitute::<6>(),
    substitute::<7>(),
];

const fn substitute<const SLOT: usize>() -> RawWakerVTable {
    RawWakerVTable::new(
        clone::<SLOT>,
        wake::<SLOT>,
        wake_by_ref::<SLOT>,
        drop_waker::<SLOT>,
    )
}

/// What is kept of a task between its observed polls.
///
/// Lives with the task's future; a new one says that nothing is known. 24 bytes.
#[derive(Debug, Default)]
pub struct PollState {
    /// The epoch in which the waker was recorded.
    announced_epoch: u32,
    /// The data pointer that was recorded.
    data: usize,
    /// Hash of the stack where the task waits, or 0.
    stack: u64,
}

impl PollState {
    /// The state of a task that was never polled.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            announced_epoch: 0,
            data: 0,
            stack: 0,
        }
    }

    /// Where the task waits, if its last poll was pending and that is known.
    ///
    /// It is the stack where the task's waker was last cloned: a leaf future that finds an equal
    /// waker in its place does not clone again, and still waits there. `None` if no waker was cloned
    /// in this epoch, without frame pointers (see [`has_frame_pointers`](crate::has_frame_pointers)),
    /// and while nothing records. The stack itself is in a record of its own, once per thread
    /// and epoch.
    #[must_use]
    pub fn stack(&self) -> Option<StackHash> {
        (self.stack != 0 && self.announced_epoch == epoch()).then_some(StackHash(self.stack))
    }

    /// Records which address the wakers of the task carry, if that was not recorded yet.
    ///
    /// A future that is moved to another task (into a join set, say) is given other wakers there: a
    /// wake of those is a wake of it from then on, so a new address is recorded as well.
    #[inline]
    fn announce(&mut self, runtime: Runtime, task: AsyncTaskId, data: *const (), epoch: u32) {
        if self.announced_epoch == epoch && self.data == data.addr() {
            return;
        }
        if self.announced_epoch != epoch {
            // Stacks of earlier epochs may be unknown to the recordings of this one.
            self.stack = 0;
        }
        self.announced_epoch = epoch;
        self.data = data.addr();
        runtime.wakers_carry(task, data.addr());
    }
}

/// Polls a task's future through `f` with a waker that records who wakes the task, and notes where
/// the task comes to wait.
///
/// `context` is what the future was to be polled with; `f` gets another in its place, with a waker
/// that is equal to those of earlier polls if the caller's are. The poll's begin and end are not
/// recorded here. After a pending poll, [`PollState::stack`] is what
/// [`poll_ends_at`](Runtime::poll_ends_at) wants. In a future of one's own:
///
/// ```
/// use std::pin::{Pin, pin};
/// use std::task::{Context, Poll, Waker};
///
/// use exectrace_recorder::{AsyncTaskId, PollState, Runtime, observe_poll};
///
/// struct Observed<F> {
///     future: F,
///     runtime: Runtime,
///     task: AsyncTaskId,
///     state: PollState,
/// }
///
/// impl<F: Future + Unpin> Future for Observed<F> {
///     type Output = F::Output;
///
///     fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
///         let this = &mut *self;
///         let future = Pin::new(&mut this.future);
///         this.runtime.poll_begins(this.task);
///         let poll = observe_poll(this.runtime, this.task, &mut this.state, context, |context| {
///             future.poll(context)
///         });
///         match this.state.stack() {
///             Some(stack) if poll.is_pending() => this.runtime.poll_ends_at(this.task, stack),
///             _ => this.runtime.poll_ends(this.task),
///         }
///         poll
///     }
/// }
///
/// let observed = Observed {
///     future: std::future::ready(5),
///     runtime: Runtime::register("mine"),
///     task: AsyncTaskId::unique(),
///     state: PollState::new(),
/// };
/// let poll = pin!(observed).poll(&mut Context::from_waker(Waker::noop()));
/// assert_eq!(poll, Poll::Ready(5));
/// ```
///
/// The caller's waker is passed through unchanged, and nothing is known of its wakes, if it was
/// substituted already (a poll inside an observed poll with the same waker belongs to that one), if
/// its data pointer is null (it names no task), or if eight other kinds of wakers came before it.
/// Extensions that an unstable compiler lets a context have do not reach `f`.
///
/// While nothing records this costs two nanoseconds, and one more for each wake. While something
/// records it costs three, a wake ten more, and a clone of the waker inside the poll 17 to 25 more
/// for the stack. A panic of `f` passes through, and leaves nothing behind. Allocates nothing.
#[inline]
pub fn observe_poll<R>(
    runtime: Runtime,
    task: AsyncTaskId,
    state: &mut PollState,
    context: &mut Context<'_>,
    f: impl FnOnce(&mut Context<'_>) -> R,
) -> R {
    let waker = context.waker();
    let (data, original) = (waker.data(), waker.vtable());
    let vtable = substitute_of(data, original);
    // SAFETY: with its own table this is a copy of the caller's waker, with ours rule 2 holds. It is
    // never dropped, and does not outlive the borrow of the caller's: rule 4.
    let borrowed = ManuallyDrop::new(unsafe { Waker::new(data, vtable) });
    let mut inner = Context::from_waker(&borrowed);
    let epoch = epoch();
    let poll = ObservedPoll::new(data.addr());
    let observation = if epoch != 0 && !ptr::eq(vtable, original) {
        state.announce(runtime, task, data, epoch);
        Observation::begin(&poll)
    } else {
        None
    };
    // The only call of `f`, so that its body is compiled here once.
    let result = f(&mut inner);
    if let Some(observation) = observation
        && let Some(stack) = observation.end(epoch)
    {
        state.stack = stack;
    }
    result
}

/// The table to use in the place of `original`: ours that stands for it, or itself.
#[inline]
fn substitute_of(data: *const (), original: &'static RawWakerVTable) -> &'static RawWakerVTable {
    let wanted = ptr::from_ref(original).cast_mut();
    // Relaxed: see the head of the module.
    if ORIGINALS[0].load(Ordering::Relaxed) == wanted && !data.is_null() {
        return &SUBSTITUTES[0];
    }
    substitute_slowly(data, original)
}

#[inline(never)]
fn substitute_slowly(
    data: *const (),
    original: &'static RawWakerVTable,
) -> &'static RawWakerVTable {
    let wanted = ptr::from_ref(original).cast_mut();
    if data.is_null()
        || SUBSTITUTES
            .as_ptr_range()
            .contains(&ptr::from_ref(original))
    {
        return original;
    }
    for (slot, substitute) in ORIGINALS.iter().zip(&SUBSTITUTES) {
        // Relaxed: see the head of the module.
        let mut known = slot.load(Ordering::Relaxed);
        if known.is_null() {
            known = match slot.compare_exchange(
                null_mut(),
                wanted,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => wanted,
                Err(other) => other,
            };
        }
        if known == wanted {
            return substitute;
        }
    }
    original
}

/// The original that a slot's table stands for.
///
/// # Safety
/// - One of the slot's functions was called: then the original is set (rule 2).
#[inline(always)]
unsafe fn original<const SLOT: usize>() -> &'static RawWakerVTable {
    // Relaxed: see the head of the module.
    let original = ORIGINALS[SLOT].load(Ordering::Relaxed);
    // SAFETY: it is set, as the caller says, and then by rule 1 the address of a static table.
    unsafe { &*original }
}

/// A waker of the slot's original.
///
/// # Safety
/// - `data` was given to one of the slot's functions, so it belongs to the original (rule 2).
/// - The caller forgets the waker if that function only borrows the data (rule 3).
#[inline(always)]
unsafe fn forward<const SLOT: usize>(data: *const ()) -> Waker {
    // SAFETY: the caller is one of the slot's functions.
    let original = unsafe { original::<SLOT>() };
    // SAFETY: data and table belong together, as the caller says.
    unsafe { Waker::new(data, original) }
}

/// # Safety
/// - `data` is that of a waker with this slot's table; it is borrowed.
unsafe fn clone<const SLOT: usize>(data: *const ()) -> RawWaker {
    if stacks::is_observing() {
        stacks::capture(data.addr());
    }
    // SAFETY: `data` is as `forward` wants, and the waker is forgotten.
    let borrowed = ManuallyDrop::new(unsafe { forward::<SLOT>(data) });
    let cloned = ManuallyDrop::new(Waker::clone(&borrowed));
    // An executor may clone into something else. With other data it is nothing that we have recorded.
    let vtable = if cloned.data() == data {
        substitute_of(data, cloned.vtable())
    } else {
        cloned.vtable()
    };
    RawWaker::new(cloned.data(), vtable)
}

/// # Safety
/// - `data` is that of a waker with this slot's table; it is consumed.
unsafe fn wake<const SLOT: usize>(data: *const ()) {
    record_wake(data);
    // SAFETY: `data` is as `forward` wants, and is consumed.
    unsafe { forward::<SLOT>(data) }.wake();
}

/// # Safety
/// - `data` is that of a waker with this slot's table; it is borrowed.
unsafe fn wake_by_ref<const SLOT: usize>(data: *const ()) {
    record_wake(data);
    // SAFETY: `data` is as `forward` wants, and the waker is forgotten.
    ManuallyDrop::new(unsafe { forward::<SLOT>(data) }).wake_by_ref();
}

/// # Safety
/// - `data` is that of a waker with this slot's table; it is consumed.
unsafe fn drop_waker<const SLOT: usize>(data: *const ()) {
    // SAFETY: `data` is as `forward` wants, and is consumed.
    drop(unsafe { forward::<SLOT>(data) });
}

/// Records the wake, before it happens: the poll that it leads to must come later.
#[inline(always)]
fn record_wake(data: *const ()) {
    if is_enabled() {
        record(Kind::WakeBy, 0, [data.addr() as u64]);
    }
}
