//! The HTTP service, asked by clients that are plain sockets.

mod client;
mod control;
mod exit;
mod refusals;
mod traces;
