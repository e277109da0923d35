//! Any bytes have a text that stands for them; see the body.
#![no_main]

#[path = "../../tests/support/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::text_round_trip(bytes));
