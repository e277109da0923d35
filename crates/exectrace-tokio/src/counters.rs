//! Counters of each runtime, sampled by the flush thread.
//!
//! Tokio tells them to holders of a `RuntimeMetrics`, which keeps what is left of a runtime alive
//! after its end: the descriptors of its drivers, and its hooks. So one is held only while something
//! records, and only while the runtime has tasks: at the first look that finds none it is let go, and
//! taken again by the next worker that unparks. After a runtime's end it has none.

use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};

use exectrace_recorder::{add_sampler, is_enabled, on_enabled_change};
use tokio::runtime::{Handle, RuntimeMetrics};

use crate::runtimes::{self, RuntimeState};

struct Held {
    state: &'static RuntimeState,
    metrics: RuntimeMetrics,
}

static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the recorder ask here.
pub(crate) fn answer_sampler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        add_sampler(Box::new(sample));
        on_enabled_change(|| {
            if !is_enabled() {
                release_all();
            }
        });
    });
}

fn release_all() {
    // Dropped without the lock: it may be the end of a runtime, and of the hooks of its user.
    drop(std::mem::take(&mut *held()));
}

/// Holds the metrics of the runtime in whose context this is called, by a thread that has time.
///
/// Does not wait: what is not taken now is taken the next time.
pub(crate) fn hold(state: &'static RuntimeState) {
    if !is_enabled() {
        return;
    }
    let mut held = match HELD.try_lock() {
        Ok(held) => held,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if held.iter().any(|held| std::ptr::eq(held.state, state)) {
        return;
    }
    if let Ok(handle) = Handle::try_current()
        && std::ptr::eq(runtimes::of(&handle), state)
    {
        let metrics = handle.metrics();
        held.push(Held { state, metrics });
    }
    drop(held);
    if !is_enabled() {
        // Switched off meanwhile, and the listener may have come too early.
        release_all();
    }
}

/// Tells all counters.
fn sample(tell: &mut dyn FnMut(&str, i64)) {
    let mut ended = Vec::new();
    {
        let mut held = held();
        for state in runtimes::all() {
            let metrics = held.iter().find(|held| std::ptr::eq(held.state, state));
            sample_one(state, metrics.map(|held| &held.metrics), tell);
        }
        let mut index = 0;
        while let Some(entry) = held.get(index) {
            if entry.metrics.num_alive_tasks() == 0 {
                ended.push(held.swap_remove(index));
            } else {
                index += 1;
            }
        }
    }
    drop(ended);
}

fn sample_one(
    state: &RuntimeState,
    metrics: Option<&RuntimeMetrics>,
    tell: &mut dyn FnMut(&str, i64),
) {
    let mut tell_one = |what: &str, value: usize| {
        tell(
            &format!("{}: {what}", state.name),
            i64::try_from(value).unwrap_or(i64::MAX),
        );
    };
    tell_one("workers busy", state.busy_workers());
    let Some(metrics) = metrics else {
        return;
    };
    tell_one("tasks alive", metrics.num_alive_tasks());
    tell_one("global queue", metrics.global_queue_depth());
    #[cfg(tokio_unstable)]
    {
        let queued = |worker| metrics.worker_local_queue_depth(worker);
        let local = (0..metrics.num_workers()).map(queued).sum::<usize>();
        tell_one("local queues", local);
        // Workers run as blocking tasks themselves.
        let blocking = metrics.num_blocking_threads();
        tell_one("blocking threads", blocking);
        let idle = metrics.num_idle_blocking_threads();
        tell_one("blocking threads idle", idle);
        tell_one("blocking queue", metrics.blocking_queue_depth());
    }
}
