//! An event of the old format while it is put in order, checked and converted.

use super::kinds::V1Kind;

/// The index of goroutine 0, which is none.
pub(super) const GO_ZERO: u32 = 0;
/// The index of the number that Go's reader uses for the collector's own sequence.
pub(super) const GO_COLLECTOR: u32 = 1;
/// The index of the number that Go's reader takes for "needs no order".
pub(super) const GO_UNORDERED: u32 = 2;
/// The numbers behind the three.
pub(super) const FIXED_GOROUTINES: [u64; 3] = [0, u64::MAX - 1, u64::MAX];

/// The lanes on which the old viewer showed what had none of its own.
pub(super) const LANE_TIMERS: u32 = 0;
pub(super) const LANE_NETWORK: u32 = 1;
pub(super) const LANE_SYSCALLS: u32 = 2;
pub(super) const LANE_COLLECTOR: u32 = 3;
/// Their numbers.
pub(super) const FIXED_LANES: [u64; 4] = [1_000_001, 1_000_002, 1_000_003, 1_000_004];

/// An event, 24 bytes. Its arguments stay in the file and are decoded when they are needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct V1Event {
    /// In units of the file's clock.
    pub(super) time: i64,
    /// Where it begins, behind the header.
    pub(super) at: u32,
    /// The index of its lane.
    pub(super) lane: u32,
    /// The index of the goroutine it belongs to.
    pub(super) go: u32,
    pub(super) kind: V1Kind,
    /// Of a system call: whether it blocks.
    pub(super) blocks: bool,
}
