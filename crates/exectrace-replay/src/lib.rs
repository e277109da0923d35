//! The state of an execution trace at an instant, and the walk through it.
//!
//! [`replay`] reads a trace from its begin to its end. It keeps the [`State`] of the traced program (which
//! goroutine is in which state, which regions and user tasks are open), and reports each change to an
//! [`Observer`], which implements the methods that it needs. So a profiler, an export or a viewer states
//! only what it makes of the changes. The words are those of [`exectrace_format`].
//!
//! | item | what it is |
//! |---|---|
//! | [`replay`], [`Replay`] | the walk, from begin to end or event by event |
//! | [`Observer`] | takes what the walk reports; all methods do nothing by default |
//! | [`State`] | all that is known at an instant |
//! | [`Checkpoint`] | the begin of a generation, from which a trace is replayed again |
//! | [`Goroutine`], [`StateSpan`] | a goroutine at an instant, and the time it spent in one state |
//! | [`Names`], [`Text`], [`Stack`] | names and stacks, by ids that hold for the whole trace |
//! | [`Filter`], [`EventFilter`], [`Window`] | parts of a trace |
//!
//! One pass takes a few hundred instructions an event beside those of the reader. Memory is that of the
//! reader, what is open at a time, and the different names and stacks of the trace; messages of logs are
//! not kept.
//!
//! # What was not seen
//!
//! The format must say something where the recorder saw nothing, and marks it. A replay reads the marks:
//! a state that was not seen is [`GoroutineState::Unknown`], a wake that was concluded says so
//! ([`Wake::is_concluded`]), and a run that only the format asks for, before an aborted task can end, is
//! not reported. [`Goroutine::state_in_format`] has what the format says.
//!
//! # Examples
//!
//! How long each goroutine ran:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::convert::Infallible;
//! use exectrace_format::{GoId, Reader};
//! use exectrace_replay::{GoroutineState, Observer, Slot, State, StateSpan, replay};
//!
//! #[derive(Default)]
//! struct RunningTime(BTreeMap<GoId, u64>);
//!
//! impl Observer for RunningTime {
//!     type Error = Infallible;
//!
//!     fn leave(&mut self, state: &State, slot: Slot, span: &StateSpan<'_>) -> Result<(), Infallible> {
//!         if span.seen_state() == GoroutineState::Running {
//!             let goroutine = state.goroutines().at(slot).id;
//!             *self.0.entry(goroutine).or_default() += span.duration();
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let trace = exectrace_format::text::parse(TRACE)?;
//! let mut running = RunningTime::default();
//! let Ok(damage) = replay(&mut Reader::new(trace.as_slice())?, &mut running);
//! assert!(damage.is_none(), "the trace was read to its end");
//! assert_eq!(running.0, BTreeMap::from([(GoId(1), 148), (GoId(2), 40)]));
//! # const TRACE: &str = include_str!("../tests/traces/two_tasks.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who woke whom, and how often:
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use std::convert::Infallible;
//! # use exectrace_format::{GoId, Reader};
//! use exectrace_replay::{Observer, Slot, State, Wake, replay};
//!
//! #[derive(Default)]
//! struct Wakes(BTreeMap<(GoId, GoId), u64>);
//!
//! impl Observer for Wakes {
//!     type Error = Infallible;
//!
//!     fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), Infallible> {
//!         // Spawns make goroutines ready, too, and end no wait.
//!         if wake.wait.is_some() && !wake.is_concluded {
//!             let edge = (state.goroutine(), state.goroutines().at(slot).id);
//!             *self.0.entry(edge).or_default() += 1;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # let trace = exectrace_format::text::parse(TRACE)?;
//! let mut wakes = Wakes::default();
//! let Ok(_damage) = replay(&mut Reader::new(trace.as_slice())?, &mut wakes);
//! assert_eq!(wakes.0, BTreeMap::from([((GoId(2), GoId(1)), 1)]));
//! # const TRACE: &str = include_str!("../tests/traces/two_tasks.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Slices for a picture of one's own: the regions of each goroutine with their depth, and an observer that
//! can fail, as its output can:
//!
//! ```
//! # use std::fmt::Write as _;
//! # use exectrace_format::Reader;
//! use exectrace_replay::{EndedRegion, Observer, Slot, State, replay};
//!
//! struct Slices(String);
//!
//! impl Observer for Slices {
//!     type Error = std::fmt::Error;
//!
//!     fn region_end(
//!         &mut self,
//!         state: &State,
//!         slot: Slot,
//!         region: &EndedRegion,
//!     ) -> Result<(), std::fmt::Error> {
//!         let goroutine = state.goroutines().at(slot);
//!         let depth = goroutine.regions.len();
//!         let begin = region.begin.unwrap_or(state.begin()) - state.begin();
//!         let (name, end) = (state.names().get(region.name), state.now() - state.begin());
//!         writeln!(self.0, "{} {depth} {begin}..{end} {name}", goroutine.id)
//!     }
//! }
//!
//! # let trace = exectrace_format::text::parse(TRACE)?;
//! let mut slices = Slices(String::new());
//! replay(&mut Reader::new(trace.as_slice())?, &mut slices)?;
//! assert_eq!(slices.0, "g1 1 30..40 query\ng1 0 20..90 request\n");
//! # const TRACE: &str = include_str!("../tests/traces/two_tasks.txt");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod checkpoint;
mod filter;
mod names;
mod observer;
mod replay;
mod state;
mod window;

pub use checkpoint::Checkpoint;
pub use filter::{BoundFilter, EventFilter, Expression, Filter, FilterError};
pub use names::{Location, Names, Stack, Text};
pub use observer::{HeapSample, Input, Log, Observer, Wake};
pub use replay::{Replay, replay};
pub use state::{
    End, EndedRegion, Goroutine, GoroutineKind, GoroutineState, Goroutines, Index, Next, Origin,
    Proc, ProcChange, Procs, Range, Region, Slot, State, StateSpan, Thread, UserTask, between,
};
pub use window::{Clip, Window};
