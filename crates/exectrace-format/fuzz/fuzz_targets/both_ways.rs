//! Any bytes yield the same events either way; see the body.
#![no_main]

#[path = "../../tests/support/compact.rs"]
mod compact;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compact::read_both_ways(bytes));
