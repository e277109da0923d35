//! What of two traces can be compared.
//!
//! A recording build that sees less than another does not merely leave things out: where a wake is not
//! seen the wait lasts until the run, and where stacks are not seen reasons are concluded. What comes
//! of two such builds differs whatever the program did.

use exectrace_format::conventions::{TOKIO_STACKS, TOKIO_TASKS, TOKIO_WAKES};

use crate::{Overview, Sight};

use super::Sort;

/// Shares of wakes that were not seen differ by this much at least where delays cannot be compared.
const UNSEEN_SHARE: f64 = 0.05;

/// Why what is of this sort cannot be compared; `None` if it can.
///
/// Operations and spans are what the program says of itself, in any build.
pub(super) fn refusal(sort: Sort, before: &Overview, after: &Overview) -> Option<String> {
    let keys: &[&str] = match sort {
        Sort::UserTask | Sort::Region | Sort::Syscall => return None,
        Sort::Run => &[TOKIO_TASKS],
        Sort::Wake => &[TOKIO_TASKS, TOKIO_WAKES],
        Sort::Wait => &[TOKIO_TASKS, TOKIO_WAKES, TOKIO_STACKS],
    };
    let differs = keys.iter().find_map(|&key| {
        let (old, new) = (capability(before, key)?, capability(after, key)?);
        (old != new).then(|| format!("{key} is `{old}` in the first trace, `{new}` in the second"))
    });
    let has_wakes = sort != Sort::Run;
    differs.or_else(|| has_wakes.then(|| unseen(before, after)).flatten())
}

/// What a build says of itself under this key.
fn capability<'a>(overview: &'a Overview, key: &str) -> Option<&'a str> {
    let mut pairs = overview.capabilities.iter();
    let pair = pairs.find(|(known, _)| known == key)?;
    Some(&pair.1)
}

/// The traces miss different shares of wakes.
fn unseen(before: &Overview, after: &Overview) -> Option<String> {
    let share = |sight: &Sight| {
        let all = sight.wakes_seen + sight.wakes_concluded;
        sight.wakes_concluded as f64 / all.max(1) as f64
    };
    let (old, new) = (share(&before.sight), share(&after.sight));
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    ((old - new).abs() >= UNSEEN_SHARE).then(|| {
        let (old, new) = (percent(old), percent(new));
        format!("{old} of the wakes were not seen in the first trace, {new} in the second")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(wakes: &str, (seen, concluded): (u64, u64)) -> Overview {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        Overview {
            capabilities: vec![pair("tokio.tasks", "all"), pair("tokio.wakes", wakes)],
            sight: Sight {
                wakes_seen: seen,
                wakes_concluded: concluded,
                ..Sight::default()
            },
            ..Overview::default()
        }
    }

    #[test]
    fn delays_and_waits_are_refused_where_the_builds_see_other_wakes() {
        let wrapped = overview("wrapped", (2, 779));
        let all = overview("all, by tracing", (781, 0));
        for (sort, is_refused) in [
            (Sort::Wake, true),
            (Sort::Wait, true),
            (Sort::Run, false),
            (Sort::Region, false),
            (Sort::UserTask, false),
        ] {
            assert_eq!(
                refusal(sort, &wrapped, &all).is_some(),
                is_refused,
                "{sort:?}"
            );
            assert_eq!(refusal(sort, &all, &all), None);
        }
    }

    #[test]
    fn delays_are_refused_where_one_trace_misses_more_wakes_though_the_builds_are_the_same() {
        let few = overview("wrapped", (2, 779));
        let most = overview("wrapped", (700, 81));
        let why = refusal(Sort::Wake, &few, &most).expect("a reason");
        assert_eq!(
            why,
            "100% of the wakes were not seen in the first trace, 10% in the second"
        );
        assert_eq!(refusal(Sort::Wake, &most, &most), None);
    }
}
