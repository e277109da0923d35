//! What a program can notice of the wakers that observed polls hand out: nothing.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

use exectrace_recorder::{AsyncTaskId, PollState, Runtime, epoch, observe_poll};

/// Counts what happens to its wakers.
#[derive(Default)]
struct Counting {
    wakes: AtomicUsize,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }
}

fn observe<R>(state: &mut PollState, waker: &Waker, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
    thread_local! {
        static RUNTIME: Runtime = Runtime::register("test");
    }
    let runtime = RUNTIME.with(|runtime| *runtime);
    let task = AsyncTaskId::of_runtime(5);
    observe_poll(runtime, task, state, &mut Context::from_waker(waker), f)
}

/// Runs `f` while nothing records, and again while something does.
fn off_and_on(f: impl Fn()) {
    // One recording at a time, so that "off" is off.
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(epoch(), 0);
    f();
    let folder = tempfile::tempdir().unwrap();
    let recording = exectrace_recorder::start(folder.path().join("trace")).unwrap();
    assert_ne!(epoch(), 0);
    f();
    recording.stop().unwrap();
    assert_eq!(epoch(), 0);
    f();
}

#[test]
fn wakers_of_all_polls_of_a_task_are_equal() {
    off_and_on(|| {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        let mut state = PollState::new();
        let first = observe(&mut state, &waker, |context| context.waker().clone());
        observe(&mut state, &waker, |context| {
            assert!(first.will_wake(context.waker()));
            assert!(first.clone().will_wake(context.waker()));
        });
        let other = Waker::from(Arc::new(Counting::default()));
        observe(&mut state, &other, |context| {
            assert!(!first.will_wake(context.waker()));
        });
    });
}

#[test]
fn every_clone_drop_and_wake_reaches_the_original() {
    off_and_on(|| {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        let mut kept = Vec::new();
        observe(&mut PollState::new(), &waker, |context| {
            assert_eq!(
                Arc::strong_count(&counting),
                2,
                "substituting counts nothing"
            );
            kept.push(context.waker().clone());
            kept.push(kept[0].clone());
            context.waker().wake_by_ref();
        });
        assert_eq!(Arc::strong_count(&counting), 4);
        kept[0].wake_by_ref();
        kept.remove(0).wake();
        assert_eq!(Arc::strong_count(&counting), 3);
        let last = kept.remove(0);
        std::thread::spawn(move || last.wake()).join().unwrap();
        assert_eq!(counting.wakes.load(Ordering::Relaxed), 4);
        drop(waker);
        assert_eq!(Arc::strong_count(&counting), 1);
    });
}

#[test]
fn an_executor_inside_a_task_forwards_its_wakes() {
    /// What `FuturesUnordered` does: wakers of its own that wake the task's.
    struct Inner(Waker);
    impl Wake for Inner {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }
    off_and_on(|| {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        let leaf = observe(&mut PollState::new(), &waker, |context| {
            let inner = Waker::from(Arc::new(Inner(context.waker().clone())));
            observe(&mut PollState::new(), &inner, |context| {
                context.waker().clone()
            })
        });
        leaf.wake();
        assert_eq!(counting.wakes.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&counting), 2);
    });
}

#[test]
fn a_poll_inside_an_observed_poll_of_the_same_task_gets_the_same_waker() {
    off_and_on(|| {
        let waker = Waker::from(Arc::new(Counting::default()));
        observe(&mut PollState::new(), &waker, |context| {
            let outer = context.waker().clone();
            let mut state = PollState::new();
            observe(&mut state, &outer, |context| {
                assert!(outer.will_wake(context.waker()));
                drop(context.waker().clone());
            });
            assert_eq!(state.stack(), None, "the stack is the outer poll's");
        });
    });
}

#[test]
fn a_panic_passes_through_and_the_next_poll_is_as_ever() {
    off_and_on(|| {
        let counting = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&counting));
        let mut state = PollState::new();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            observe(&mut state, &waker, |context| {
                let _clone = context.waker().clone();
                std::panic::resume_unwind(Box::new("from the future"));
            });
        }));
        let message = panic.unwrap_err();
        assert_eq!(message.downcast_ref(), Some(&"from the future"));
        assert_eq!(Arc::strong_count(&counting), 2);
        observe(&mut state, &waker, |context| context.waker().wake_by_ref());
        assert_eq!(counting.wakes.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_stack_is_known_from_the_first_clone_until_the_recording_ends() {
    let waker = Waker::from(Arc::new(Counting::default()));
    let mut state = PollState::new();
    let state = RefCell::new(&mut state);
    let passes = AtomicUsize::new(0);
    off_and_on(|| {
        let state = &mut **state.borrow_mut();
        let expected = exectrace_recorder::has_frame_pointers() && epoch() != 0;
        observe(state, &waker, |context| drop(context.waker().clone()));
        assert_eq!(state.stack().is_some(), expected);
        let before = state.stack();
        observe(state, &waker, |_| ());
        assert_eq!(
            state.stack(),
            before,
            "a leaf that does not clone still waits there"
        );
        passes.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(passes.into_inner(), 3);
}

/// A kind of waker made at run time, whose clones are of another kind, with other data.
static LIVE: AtomicIsize = AtomicIsize::new(0);

fn changing(data: usize) -> RawWaker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            LIVE.fetch_add(1, Ordering::Relaxed);
            changing(data.addr() + 1)
        },
        |_| {
            LIVE.fetch_sub(1, Ordering::Relaxed);
        },
        |_| (),
        |_| {
            LIVE.fetch_sub(1, Ordering::Relaxed);
        },
    );
    LIVE.fetch_add(0, Ordering::Relaxed);
    RawWaker::new(std::ptr::without_provenance(data), &TABLE)
}

#[test]
fn a_clone_with_other_data_is_what_the_executor_made_of_it() {
    LIVE.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the functions of this table read no memory.
    let waker = unsafe { Waker::from_raw(changing(7)) };
    let clone = observe(&mut PollState::new(), &waker, |context| {
        context.waker().clone()
    });
    assert_eq!(clone.data().addr(), 8);
    assert_eq!(clone.vtable(), waker.vtable());
    assert_eq!(LIVE.load(Ordering::Relaxed), 2);
    clone.wake();
    drop(waker);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
}
