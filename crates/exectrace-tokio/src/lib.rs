//! Records a Tokio program's schedule: spawns, polls, wakes, blocks.

#![forbid(unsafe_code)]

mod alive;
mod blocking;
mod capabilities;
mod counters;
mod current;
mod hooks;
mod numbers;
mod options;
mod runtimes;
mod spawn;
mod told;
mod traced;

pub use blocking::{block_in_place, block_on, block_on_handle, spawn_blocking, spawn_blocking_on};
pub use capabilities::{Capabilities, capabilities, keep_live_tasks};
pub use hooks::BuilderExt;
pub use options::Options;
pub use spawn::{JoinSetExt, spawn, spawn_local, spawn_local_on, spawn_named, spawn_on};
pub use traced::{Traced, TracedExt, instrument, root};
