//! What the clocks of the machine showed when a generation begins that the trace that is read does not have.

use exectrace_format::{ClockSnapshot, SyncClock};

const SECOND_NS: i128 = 1_000_000_000;

/// The monotonic and the wall clock, in nanoseconds.
pub(super) type ClocksNs = [u64; 2];

/// What the clocks showed at an instant, by what they showed at another; later than in the generation
/// before, also where the trace that is read does not have it so.
pub(super) fn clocks_at(
    time_ns: i64,
    clock: Option<SyncClock>,
    before: Option<ClocksNs>,
) -> Option<ClocksNs> {
    let clock = clock?;
    let later_ns = i128::from(time_ns) - i128::from(clock.time.0);
    let snapshot = clock.snapshot;
    let wall_ns =
        i128::from(snapshot.unix_seconds) * SECOND_NS + i128::from(snapshot.unix_nanoseconds);
    let shown = [i128::from(snapshot.monotonic_ns), wall_ns].map(|ns| at_least_zero(ns + later_ns));
    let least = before.unwrap_or_default().map(|ns| ns.saturating_add(1));
    Some([shown[0].max(least[0]), shown[1].max(least[1])])
}

/// As the format has it; zeros where nothing is known.
pub(super) fn snapshot(clocks_ns: Option<ClocksNs>) -> ClockSnapshot {
    clocks_ns.map_or_else(ClockSnapshot::default, |[monotonic_ns, wall_ns]| {
        ClockSnapshot {
            monotonic_ns,
            unix_seconds: wall_ns / SECOND_NS as u64,
            unix_nanoseconds: (wall_ns % SECOND_NS as u64) as u32,
        }
    })
}

fn at_least_zero(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}
