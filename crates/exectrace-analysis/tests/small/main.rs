//! Traces made up for a purpose, small enough to work out by hand what is to be found in them.

mod calls;
mod findings;
mod heap;
mod kernel;
mod machine;
mod numbers;
mod script;
mod sight;
mod spans;
mod watched_findings;
