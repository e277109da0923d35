//! Regions that are open at the end, much longer than others of their kind took.

use crate::{Analysis, RegionInstance};

use super::{Exemplar, Finding, Severity, plural, shown};

/// From here on an open region is looked at.
const LONG_NS: u64 = 1_000_000_000;
/// It is left open if it is so many times as long as the longest that ended.
const TIMES_MAX: u64 = 10;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let mut open: Vec<&RegionInstance> = Vec::new();
    for kind in &analysis.regions.as_ref()?.kinds {
        let longest = kind.durations.max_ns();
        open.extend(kind.slowest.iter().filter(|region| {
            region.end_ns.is_none()
                && longest > 0
                && region.duration_ns >= LONG_NS
                && region.duration_ns >= longest.saturating_mul(TIMES_MAX)
        }));
    }
    open.sort_by_key(|region| std::cmp::Reverse(region.duration_ns));
    let worst = open.first()?;
    let exemplar = |region: &&RegionInstance| Exemplar {
        what: format!(
            "{} is open since {}",
            region.name,
            shown(region.duration_ns)
        ),
        begin_ns: region.begin_ns,
        duration_ns: Some(region.duration_ns),
        async_task: Some(region.async_task),
        user_task: region.user_task,
        place: region.place.clone(),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "open_region",
        severity: Severity::Info,
        message: format!(
            "{} left open, such as {} for {}",
            plural(open.len() as u64, "region"),
            worst.name,
            shown(worst.duration_ns)
        ),
        count: open.len() as u64,
        exemplars: open.iter().map(exemplar).collect(),
        rule: "Open at the end for a second or more, and ten times as long as any that ended.",
        help: "Look for a guard that is kept, or a span that is held across an endless wait.",
        basis: String::new(),
        ..Finding::default()
    })
}
