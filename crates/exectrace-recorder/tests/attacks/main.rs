//! Attacks on the safe interface: each tries to break the process, or what it records, without any
//! unsafe code of its own. One file a subject.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;
mod fields;
mod live_tasks;
mod own_thread;
mod span_sources;
