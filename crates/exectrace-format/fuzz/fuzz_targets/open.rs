//! Any bytes are read from a file as from memory; see the body.
#![no_main]

#[path = "../../tests/support/compact.rs"]
mod compact;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compact::read_from_a_file(bytes));
