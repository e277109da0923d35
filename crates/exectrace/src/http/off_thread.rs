//! Runs what may wait on a thread of its own, for a future.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

/// Where a thread leaves its result.
struct Slot<T> {
    /// `None` inside once the thread is over: the result, unless `work` panicked.
    result: Option<Option<T>>,
    waker: Option<Waker>,
}

/// Leaves the result when it is dropped, also if there is none.
struct Leave<T> {
    slot: Arc<Mutex<Slot<T>>>,
    result: Option<T>,
}

impl<T> Drop for Leave<T> {
    fn drop(&mut self) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.result = Some(self.result.take());
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Runs `work` on a thread of its own. `None` if the system refuses a thread, or `work` panicked.
///
/// If the future is dropped, `work` goes on, and its result is dropped.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let slot = Arc::new(Mutex::new(Slot {
        result: None,
        waker: None,
    }));
    let leave = Leave {
        slot: Arc::clone(&slot),
        result: None,
    };
    let thread = thread::Builder::new().name("exectrace-http".into());
    let spawned = thread.spawn(move || {
        // All of it: by its field alone it would be dropped with the closure's maker.
        let mut leave = leave;
        leave.result = Some(work());
    });
    spawned.ok()?;
    std::future::poll_fn(move |context| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}
