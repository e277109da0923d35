//! How often something is looked at.

/// A look that took so long is followed by none for this many times as long.
const REST: u64 = 1_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    interval_ns: u64,
    next_ns: u64,
}

impl Pace {
    /// At once, and then each so many milliseconds at most.
    pub(super) fn each_ms(ms: u64) -> Self {
        Self {
            // Passes of the flush thread come a little early or late: none should be missed for that.
            interval_ns: ms * 1_000_000 - 20_000_000,
            next_ns: 0,
        }
    }

    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.next_ns
    }

    /// A look at `now_ns` took so long.
    pub(super) fn looked(&mut self, now_ns: u64, took_ns: u64) {
        let rest = took_ns.saturating_mul(REST).max(self.interval_ns);
        self.next_ns = now_ns.saturating_add(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_take_a_thousandth_of_the_time_however_slow_they_are() {
        for look_ns in [0, 30_000, 5_000_000, u64::MAX] {
            let mut pace = Pace::each_ms(100);
            let mut spent = 0u64;
            // A hundred seconds of passes.
            for now_ns in (0..1_000).map(|pass| pass * 100_000_000) {
                if pace.is_due(now_ns) {
                    pace.looked(now_ns, look_ns);
                    spent = spent.saturating_add(look_ns);
                }
            }
            let one_look_more = look_ns.saturating_add(100_000_000);
            assert!(spent <= one_look_more, "{look_ns}: {spent}");
        }
    }
}
