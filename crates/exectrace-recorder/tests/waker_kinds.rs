//! More kinds of wakers than the recorder distinguishes. A process of its own, as kinds are never
//! forgotten.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use exectrace_recorder::{AsyncTaskId, PollState, Runtime, observe_poll};

static WAKES: AtomicUsize = AtomicUsize::new(0);

/// A waker of a kind that did not exist before.
fn of_a_new_kind() -> Waker {
    let table: &'static RawWakerVTable = Box::leak(Box::new(RawWakerVTable::new(
        // The data is the table, so that a clone can name it.
        |data| {
            // SAFETY: the data is the address of a leaked table, as below.
            RawWaker::new(data, unsafe { &*data.cast::<RawWakerVTable>() })
        },
        |_| {
            WAKES.fetch_add(1, Ordering::Relaxed);
        },
        |_| {
            WAKES.fetch_add(1, Ordering::Relaxed);
        },
        |_| (),
    )));
    // SAFETY: nothing is owned; the functions use the data as what it is.
    unsafe { Waker::new(ptr::from_ref(table).cast(), table) }
}

#[test]
fn kinds_beyond_the_known_ones_are_passed_through_and_the_first_stay_known() {
    let runtime = Runtime::register("test");
    let observe = |waker: &Waker| {
        let task = AsyncTaskId::unique();
        let context = &mut Context::from_waker(waker);
        observe_poll(runtime, task, &mut PollState::new(), context, |context| {
            context.waker().clone()
        })
    };
    assert!(
        observe(Waker::noop()).will_wake(Waker::noop()),
        "a waker that names no task takes no place"
    );
    let wakers: Vec<Waker> = (0..20).map(|_| of_a_new_kind()).collect();
    for _ in 0..2 {
        let substituted: Vec<bool> = wakers
            .iter()
            .map(|waker| !observe(waker).will_wake(waker))
            .collect();
        let expected: Vec<bool> = (0..20).map(|kind| kind < 8).collect();
        assert_eq!(substituted, expected);
    }
    for waker in &wakers {
        observe(waker).wake();
    }
    assert_eq!(WAKES.load(Ordering::Relaxed), 20);
}
