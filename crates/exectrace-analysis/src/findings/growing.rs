//! More and more async tasks of one kind are alive.

use crate::{Analysis, TaskGroup};

use super::{Exemplar, Finding, Severity, tasks_of};

/// From so many spawned tasks on.
const MIN_SPAWNED: u64 = 100;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let groups = &analysis.tasks.as_ref()?.groups;
    let grows =
        |group: &&TaskGroup| group.spawned >= MIN_SPAWNED && group.ended * 2 < group.spawned;
    let mut growing: Vec<&TaskGroup> = groups.iter().filter(grows).collect();
    growing.sort_by_key(|group| std::cmp::Reverse(group.alive));
    let worst = growing.first()?;
    let exemplar = |group: &&TaskGroup| Exemplar {
        what: format!(
            "{}: {} spawned, {} ended, {} alive",
            group.name, group.spawned, group.ended, group.alive
        ),
        place: group.place.clone(),
        ..Exemplar::default()
    };
    Some(Finding {
        id: "growing",
        severity: Severity::Warning,
        message: format!(
            "{} grow in number, such as {} with {} alive",
            tasks_of(growing.len()),
            worst.name,
            worst.alive
        ),
        count: growing.iter().map(|group| group.alive).sum(),
        exemplars: growing.iter().map(exemplar).collect(),
        rule: "100 tasks or more were spawned, and fewer than half as many ended.",
        help: "Look for tasks that wait for what never comes; bound their number.",
        ..Finding::default()
    })
}
