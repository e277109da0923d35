//! Attacks on the safe interface: each tries to break the process, or what it records, without any
//! unsafe code of its own. One file a subject.
#![forbid(unsafe_code)]

mod alive;
#[path = "../common/mod.rs"]
mod common;
mod doors;
mod fields;
mod own_thread;
