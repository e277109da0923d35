//! A few workers do all the work.

use crate::{Analysis, Pool};

use super::{Exemplar, Finding, Severity, shown};

/// Pools that are less busy are not looked at.
const MIN_BUSY_SHARE: f64 = 0.1;
/// From here on it is reported: where 0 is balance, and 1 is one worker that does it all.
const MIN_SKEW: f64 = 0.5;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let workers = analysis.workers.as_ref()?;
    let skew = |pool: &Pool| (pool.imbalance - 1.0) / (pool.workers.len() as f64 - 1.0);
    let is_skewed = |pool: &&Pool| {
        pool.workers.len() > 1
            && pool.busy_share >= MIN_BUSY_SHARE
            && skew(pool) >= MIN_SKEW
            && pool
                .workers
                .iter()
                .all(|&worker| analysis.is_shared_worker(Some(worker)))
    };
    let skewed = || workers.pools.iter().filter(is_skewed);
    let worst = skewed().max_by(|a, b| skew(a).total_cmp(&skew(b)))?;
    let members = workers
        .workers
        .iter()
        .filter(|worker| worst.workers.contains(&worker.id));
    let mut exemplars: Vec<Exemplar> = members
        .map(|worker| Exemplar {
            what: format!(
                "worker {} was busy for {}",
                worker.id,
                shown(worker.busy_ns)
            ),
            duration_ns: Some(worker.busy_ns),
            worker: Some(worker.id),
            ..Exemplar::default()
        })
        .collect();
    exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.duration_ns));
    Some(Finding {
        id: "imbalance",
        severity: Severity::Info,
        message: format!(
            "one of {} workers was busy {:.1} times as long as their mean",
            worst.workers.len(),
            worst.imbalance
        ),
        count: skewed().count() as u64,
        exemplars,
        rule: "In a pool that is busy for a tenth of its time or more, the busiest worker is nearer to doing \
               all of it than to doing its share.",
        help: "Split long tasks; look for tasks that are bound to a worker.",
        basis: String::new(),
        ..Finding::default()
    })
}
