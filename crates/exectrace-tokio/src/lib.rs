//! Records a Tokio program's schedule: spawns, polls, wakes, blocks.

#![forbid(unsafe_code)]
