//! A replay that goes on from a checkpoint at each generation reports what one does that reads on.
#![no_main]

use std::convert::Infallible;

use exectrace_format::{CompactEvent, CompactKind, Reader};
use exectrace_replay::{End, EndedRegion, Input, Observer, Replay, Slot, State, StateSpan, Wake};

/// How often each thing was reported.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    appeared: u64,
    entered: u64,
    left: u64,
    woken: u64,
    vanished: u64,
    regions: u64,
}

impl Observer for Counts {
    type Error = Infallible;

    fn appear(&mut self, _: &State, _: Slot) -> Result<(), Infallible> {
        self.appeared += 1;
        Ok(())
    }

    fn enter(&mut self, _: &State, _: Slot) -> Result<(), Infallible> {
        self.entered += 1;
        Ok(())
    }

    fn leave(&mut self, _: &State, _: Slot, _: &StateSpan) -> Result<(), Infallible> {
        self.left += 1;
        Ok(())
    }

    fn wake(&mut self, _: &State, _: Slot, _: &Wake<'_>) -> Result<(), Infallible> {
        self.woken += 1;
        Ok(())
    }

    fn vanish(&mut self, _: &State, _: Slot, _: End) -> Result<(), Infallible> {
        self.vanished += 1;
        Ok(())
    }

    fn region_end(&mut self, _: &State, _: Slot, _: &EndedRegion) -> Result<(), Infallible> {
        self.regions += 1;
        Ok(())
    }
}

/// What a replay of the trace reports.
fn counts(bytes: &[u8], is_resumed: bool) -> Counts {
    let mut counts = Counts::default();
    let Ok(mut reader) = Reader::new(bytes) else {
        return counts;
    };
    let mut replay = Replay::new(&mut counts);
    let mut event = CompactEvent::default();
    while let Ok(true) = reader.next_into(&mut event) {
        if is_resumed && matches!(event.kind, CompactKind::Sync { .. }) {
            replay = Replay::resume(replay.state().clone());
        }
        let input = Input {
            event: &event,
            tables: reader.tables(),
            side: reader.side_record(),
        };
        let Ok(()) = replay.step(&input, &mut counts);
    }
    let Ok(()) = replay.finish(&mut counts);
    counts
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let counts_of = |is_resumed| counts(bytes, is_resumed);
    let counts = counts_of(false);
    assert_eq!(counts, counts_of(true));
    assert_eq!(counts.entered, counts.left, "all that was entered is left");
    assert_eq!(
        counts.appeared, counts.vanished,
        "all that appeared vanishes"
    );
});
