//! Keeping a workload of two threads on one processor, where its cost does not hang on who is woken
//! where.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// Does `work` on one processor, with the threads that it starts.
pub(crate) fn on_one_processor<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let all = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu));
    let mut one = CpuSet::new();
    one.set(first.ok_or("no processor")?);
    sched_setaffinity(None, &one)?;
    let done = work();
    sched_setaffinity(None, &all)?;
    done
}
