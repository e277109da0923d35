//! The state of an execution trace at an instant, and the walk through it.
#![forbid(unsafe_code)]

mod filter;
mod names;
mod observer;
mod replay;
mod state;
mod window;

pub use filter::{BoundFilter, EventFilter, Expression, Filter, FilterError};
pub use names::{Location, Names, Stack, Text};
pub use observer::{Input, Log, Observer, Wake};
pub use replay::{Replay, replay};
pub use state::{
    End, EndedRegion, Goroutine, GoroutineKind, GoroutineState, Goroutines, Index, Next, Origin,
    Proc, ProcChange, Procs, Range, Region, Slot, State, StateSpan, Thread, UserTask, between,
};
pub use window::{Clip, Window};
