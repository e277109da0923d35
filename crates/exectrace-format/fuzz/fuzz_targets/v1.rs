//! Any events of the old format can be read, in any order; see the bodies.
#![no_main]

#[path = "../../tests/support/bodies.rs"]
mod bodies;
#[path = "../../tests/support/v1.rs"]
mod v1;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::decode(&v1::from_noise(bytes)));
