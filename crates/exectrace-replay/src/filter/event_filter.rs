//! A filter asked of events one by one.

use std::convert::Infallible;

use exectrace_format::{CompactKind, GoId, GoState, StateChange};

use crate::observer::{Input, Observer};
use crate::replay::Replay;
use crate::state::{GoroutineState, StateSpan};

use super::{BoundFilter, Filter};

/// Finds which events of a trace a [`Filter`] lets through.
///
/// An event is of the goroutine whose state or label it changes, or else of the one on which it happens.
/// Terms about time in a state are, for a change of state, of the state that ends with it, and for
/// another event of the one that it falls in, as long as that has lasted by then. So
/// `state:waiting dur>5ms` lets through what ends such a wait. An event of no goroutine is not let
/// through, nor is one before which no state is known (the spawn of a task) if the filter asks for
/// one, nor what changes nothing: the states that a new generation reports again.
///
/// ```
/// use exectrace_replay::{EventFilter, Input};
/// use exectrace_format::{CompactEvent, Reader, text};
///
/// let trace = text::parse("go 1.25
/// generation 1
/// batch m=0 time=1 sync
///   frequency 1000000000
///   clock +0 mono=1 sec=1 nsec=0
/// batch m=7 time=1 events
///   +0 ProcStatus proc=1 status=Running
///   +1 GoStatus go=1 thread=7 status=Running
///   +50 GoStop reason=0 stack=0
///   +90 GoStart go=1 seq=1
/// ")?;
/// let mut reader = Reader::new(trace.as_slice())?;
/// let mut filter = EventFilter::new(&"task:1 dur>80ns".parse()?);
/// let mut event = CompactEvent::default();
/// let mut times = Vec::new();
/// while reader.next_into(&mut event)? {
///     // Each event, and each once: what it asks for depends on those before.
///     let input = Input::of(&reader, &event);
///     if filter.lets_through(&input) {
///         times.push(event.time.0);
///     }
/// }
/// assert_eq!(times, [142], "the start, after 90 ns of being ready");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct EventFilter {
    replay: Replay,
    filter: BoundFilter,
}

/// Looks at nothing: the state is enough.
struct Nobody;

impl Observer for Nobody {
    type Error = Infallible;
}

impl EventFilter {
    /// A filter that has seen no event yet.
    pub fn new(filter: &Filter) -> Self {
        let mut replay = Replay::new(&mut Nobody);
        let filter = BoundFilter::new(filter, replay.state_mut().names_mut());
        Self { replay, filter }
    }

    /// Whether the next event of the trace is let through. It needs all of them, in their order.
    pub fn lets_through(&mut self, input: &Input<'_>) -> bool {
        let event = input.event;
        let (go, ends) = match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { from, to, .. },
                ..
            } if from == to => (GoId::NONE, false),
            CompactKind::StateTransition {
                change: StateChange::Go { go, to, .. },
                ..
            } => (go, to == GoState::NotExist),
            CompactKind::StateTransition { .. } => (GoId::NONE, false),
            CompactKind::Label { go, .. } => (go, false),
            _ => (event.go, false),
        };
        // The goroutine's name may come with the event, and the goroutine be gone behind it.
        let before = self.replay.state().goroutines().get(go).cloned();
        let span = before
            .as_ref()
            .map(|before| before.span_until(event.time.0));
        let span = span.filter(|span| span.state != GoroutineState::Unknown);
        let held_before = ends && self.holds(go, span.as_ref());
        let Ok(()) = self.replay.step(input, &mut Nobody);
        held_before || !ends && self.holds(go, span.as_ref())
    }

    fn holds(&self, go: GoId, span: Option<&StateSpan<'_>>) -> bool {
        let state = self.replay.state();
        let goroutine = state.goroutines().get(go);
        goroutine.is_some_and(|goroutine| self.filter.holds(state.names(), goroutine, span))
    }
}
