//! What a reader says of states: which events change one, and which only report it.

use exectrace_format::{CompactEvent, CompactKind, Reader, text};

/// Two generations of a goroutine that runs, blocks, and is reported as waiting.
const TRACE: &str = "\
go 1.22
generation 1
batch m=0 time=0 frequency
  frequency 1000000000
batch m=7 time=100 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatus go=5 thread=7 status=Running
  +1 GoBlock reason=0 stack=0
generation 2
batch m=0 time=0 frequency
  frequency 1000000000
batch m=7 time=200 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatus go=5 thread=none status=Waiting
  +1 GoUnblock go=5 seq=1 stack=0
  +1 ProcStop
";

#[test]
fn a_status_is_told_apart_from_a_transition_in_the_first_generation_and_in_later_ones() {
    let bytes = text::parse(TRACE).expect("a good text");
    let mut reader = Reader::new(bytes.as_slice()).expect("a header");
    let (mut event, mut seen) = (CompactEvent::default(), Vec::new());
    while reader.next_into(&mut event).expect("a good trace") {
        if let CompactKind::StateTransition { is_status, .. } = event.kind {
            seen.push(is_status);
        }
    }
    assert_eq!(seen, [true, true, false, true, true, false, false]);
}
