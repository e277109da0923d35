//! What a replay reports of small traces.

use std::convert::Infallible;
use std::fmt::Write as _;

use exectrace_format::{Reader, text};
use exectrace_replay::{End, EndedRegion, Observer, Range, Slot, State, StateSpan, replay};

/// Writes down the calls that tests look at.
#[derive(Default)]
struct Calls(String);

impl Calls {
    fn of(trace: &str) -> String {
        let trace = text::parse(trace).expect("the trace is well-formed");
        let mut calls = Self::default();
        let mut reader = Reader::new(trace.as_slice()).expect("a header");
        let Ok(damage) = replay(&mut reader, &mut calls);
        assert_eq!(damage.map(|damage| damage.to_string()), None);
        calls.0
    }
}

impl Observer for Calls {
    type Error = Infallible;

    fn named(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        let goroutine = state.goroutines().at(slot);
        let name = state.names().get(goroutine.name);
        let _ = writeln!(self.0, "{} is {name}", goroutine.id);
        Ok(())
    }

    fn leave(&mut self, _: &State, _: Slot, span: &StateSpan<'_>) -> Result<(), Infallible> {
        let (id, state) = (span.goroutine.id, span.state.name());
        let regions = span.goroutine.regions.len();
        let _ = writeln!(self.0, "{id} leaves {state} in {regions} regions");
        Ok(())
    }

    fn region_end(
        &mut self,
        state: &State,
        _: Slot,
        region: &EndedRegion,
    ) -> Result<(), Infallible> {
        let name = state.names().get(region.name);
        let _ = writeln!(self.0, "{name} ends: {:?}", region.end);
        Ok(())
    }

    fn range_end(&mut self, state: &State, range: &Range, end: End) -> Result<(), Infallible> {
        let name = state.names().get(range.name);
        let _ = writeln!(self.0, "{name} ends: {end:?}");
        Ok(())
    }
}

/// The begin of a generation: `main` runs on thread 7, and there are names.
fn generation(number: u64, time: u64) -> String {
    format!(
        "generation {number}
batch m=0 time={time} sync
  frequency 1000000000
  clock +0 mono={time} sec={number} nsec=0
batch m=0 time={time} strings
  string 1 \"main\"
  string 2 \"m.rs\"
  string 3 \"forever\"
  string 4 \"request\"
batch m=0 time={time} stacks
  stack 1 0x1:1:2:7
"
    )
}

#[test]
fn a_goroutine_leaves_its_last_state_before_its_regions_end() {
    let begin = format!(
        "go 1.25
{}batch m=7 time=1000 events
  +1 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +1 UserRegionBegin task=0 name=4 stack=1
",
        generation(1, 1000)
    );
    let leaves = "g1 is main\ng1 leaves running in 1 regions\n";
    let ends = |how: &str| format!("{leaves}request ends: {how}\n");
    assert_eq!(Calls::of(&begin), ends("WithTrace"), "the trace ends");
    let gone = format!("{begin}  +1 GoDestroy\n");
    assert_eq!(
        Calls::of(&gone),
        ends("WithGoroutine"),
        "the goroutine ends"
    );
    let forever = format!("{begin}  +1 GoBlock reason=3 stack=1\n");
    let calls = ends("WithGoroutine") + "g1 leaves waiting in 0 regions\n";
    assert_eq!(Calls::of(&forever), calls, "it waits for ever");
}

#[test]
fn the_ranges_of_a_goroutine_end_with_it() {
    let trace = format!(
        "go 1.25
{}batch m=7 time=1000 events
  +1 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +1 GCMarkAssistBegin stack=0
  +1 GoDestroy
",
        generation(1, 1000)
    )
    .replace("GCMark", "GcMark");
    let calls = Calls::of(&trace);
    assert!(
        calls.ends_with("GC mark assist ends: WithGoroutine\n"),
        "{calls}"
    );
}

#[test]
fn a_stack_whose_root_has_no_name_does_not_name_a_goroutine() {
    let begin = generation(1, 1000).replace("0x1:1:2:7\n", "0x1:1:2:7\n  stack 2 0x2:0:0:0\n");
    let trace = format!(
        "go 1.25
{begin}batch m=7 time=1000 events
  +1 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=2
  +1 GoStop reason=0 stack=1
"
    );
    let calls = "g1 is main\ng1 leaves running in 0 regions\ng1 leaves runnable in 0 regions\n";
    assert_eq!(Calls::of(&trace), calls);
}

#[test]
fn a_name_may_come_with_a_status_that_changes_nothing() {
    let trace = format!(
        "go 1.25
{}batch m=7 time=1000 events
  +1 ProcStatus proc=1 status=Running
  +1 GoStatus go=1 thread=7 status=Running
{}batch m=7 time=2000 events
  +1 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
",
        generation(1, 1000),
        generation(2, 2000)
    );
    assert_eq!(
        Calls::of(&trace),
        "g1 is main\ng1 leaves running in 0 regions\n"
    );
}
