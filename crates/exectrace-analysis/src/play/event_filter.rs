//! A filter asked of events one by one, by the machine that analyses have.

use exectrace_format::{CompactEvent, CompactKind, GoId, GoState, SideRecord, StateChange, Tables};

use crate::filter::{Compiled, Filter};
use crate::options::Options;

use super::charge::ended;
use super::player::Player;
use super::stretch::{Next, State, Stretch};

/// Tells which events of a trace a [`Filter`] lets through.
///
/// An event is of the flow whose state or label it changes, or else of the one on which it happens.
/// Terms about stretches are, for a change of state, of the stretch that ends with it, and for
/// another event of the one that it falls in, as long as that has lasted by then. So
/// `state:waiting dur>5ms` lets through what ends such a wait. An event of no flow is not let
/// through, nor is one of whose stretch nothing is known (the spawn of a task) if the filter asks
/// for it, nor what changes nothing: the states that a new generation tells again.
///
/// ```
/// use exectrace_analysis::EventFilter;
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
///     if filter.lets_through(&event, reader.tables(), reader.side_record()) {
///         times.push(event.time.0);
///     }
/// }
/// assert_eq!(times, [142], "the start, after 90 ns of being ready");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventFilter {
    player: Player,
    filter: Compiled,
}

impl EventFilter {
    /// A filter that has seen no event yet.
    pub fn new(filter: &Filter) -> Self {
        let mut player = Player::new(&Options::default());
        let filter = Compiled::new(filter, &mut player.world.names);
        Self { player, filter }
    }

    /// Whether the next event of the trace is let through. It is to be told all of them.
    pub fn lets_through(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        side: Option<&SideRecord>,
    ) -> bool {
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
        let stretch = self.stretch(go, event.time.0);
        // The flow's name may come with the event, and the flow be gone behind it.
        let before = ends && self.holds(go, stretch.as_ref());
        self.player.play(event, tables, side);
        before || !ends && self.holds(go, stretch.as_ref())
    }

    /// The stretch that the flow is in, up to now.
    fn stretch(&self, go: GoId, now: i64) -> Option<Stretch> {
        let flow = self.player.flows.get(go)?;
        let clip = self.player.world.clip;
        let stretch = ended(flow, now, Next::TraceEnd, Default::default(), clip);
        (flow.state != State::Unknown).then_some(stretch)
    }

    fn holds(&self, go: GoId, stretch: Option<&Stretch>) -> bool {
        let flow = self.player.flows.get(go);
        flow.is_some_and(|flow| self.filter.holds(&self.player.world, flow, stretch))
    }
}
