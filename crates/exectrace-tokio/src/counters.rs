//! Counters of each runtime, which the flush thread samples.
//!
//! Tokio has them in a `RuntimeMetrics`. Holding one keeps parts of a runtime alive after its end: the file
//! descriptors of its drivers, and its hooks. So one is held only while something records and the runtime has
//! tasks. The first sample that finds no tasks drops it, and the next worker that unparks takes it again. A
//! runtime that has ended has no tasks and no workers.

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

/// Registers the sampler with the recorder.
pub(crate) fn register_sampler() {
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
    // Dropped without holding the lock: this may be the end of a runtime, and drop the program's hooks.
    drop(std::mem::take(&mut *held()));
}

/// Takes the metrics of the runtime in whose context this is called.
///
/// Does not block: if the lock is taken, a later call does it.
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
        // Recording has ended meanwhile, and the listener may have run before the push.
        release_all();
    }
}

/// Reports all counters.
fn sample(report: &mut dyn FnMut(&str, i64)) {
    let mut ended = Vec::new();
    {
        let mut held = held();
        for state in runtimes::all() {
            let metrics = held.iter().find(|held| std::ptr::eq(held.state, state));
            sample_one(state, metrics.map(|held| &held.metrics), report);
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
    report: &mut dyn FnMut(&str, i64),
) {
    let mut report_one = |what: &str, value: usize| {
        report(
            &format!("{}: {what}", state.name),
            i64::try_from(value).unwrap_or(i64::MAX),
        );
    };
    report_one("workers busy", state.busy_workers());
    let Some(metrics) = metrics else {
        return;
    };
    report_one("tasks alive", metrics.num_alive_tasks());
    report_one("global queue", metrics.global_queue_depth());
    #[cfg(tokio_unstable)]
    {
        let queued = |worker| metrics.worker_local_queue_depth(worker);
        let local = (0..metrics.num_workers()).map(queued).sum::<usize>();
        report_one("local queues", local);
        // These include the workers, which run on the blocking pool.
        let blocking = metrics.num_blocking_threads();
        report_one("blocking threads", blocking);
        let idle = metrics.num_idle_blocking_threads();
        report_one("blocking threads idle", idle);
        report_one("blocking queue", metrics.blocking_queue_depth());
    }
}
