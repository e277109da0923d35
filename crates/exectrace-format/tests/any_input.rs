//! The bodies of the fuzz targets on seeded input: some seconds of what the fuzzers do for hours.

mod support;

use std::fs;
use std::path::Path;

use exectrace_format::text;

use support::random::Random;
use support::{bodies, compact, mutate, mutate_bytes, v1};

const ROUNDS: u64 = 400;

/// Bytes without any meaning, of many lengths.
fn noise(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..ROUNDS).map(move |round| {
        let mut random = Random::new(seed * ROUNDS + round);
        let length = random.below(2_000);
        (0..length).map(|_| random.next() as u8).collect()
    })
}

/// All cases, damaged.
fn damaged(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let texts = paths
        .into_iter()
        .map(|path| fs::read_to_string(path).expect("a case is text"));
    texts.enumerate().flat_map(move |(index, text)| {
        let original = text::parse(&text).expect("well-formed");
        (0..20).map(move |round| {
            let mut bytes = original.clone();
            mutate(
                &mut bytes,
                &mut Random::new(seed + index as u64 * 1_000 + round),
            );
            bytes
        })
    })
}

#[test]
fn any_bytes_can_be_read() {
    for bytes in noise(1) {
        bodies::decode(&bytes);
        let mut headed = b"go 1.25 trace\0\0\0".to_vec();
        headed.extend_from_slice(&bytes);
        bodies::decode(&headed);
    }
    damaged(1).for_each(|bytes| bodies::decode(&bytes));
}

/// The cases of the old format, damaged.
fn damaged_v1(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/v1/cases");
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let texts = paths.map(|path| fs::read_to_string(path).expect("a case is text"));
    texts.flat_map(move |text| {
        let original = v1::parse(&text).expect("well-formed");
        (0..20).map(move |round| {
            let mut bytes = original.clone();
            mutate_bytes(&mut bytes, &mut Random::new(seed + round));
            bytes
        })
    })
}

#[test]
fn any_bytes_of_the_old_format_can_be_read() {
    for bytes in noise(6) {
        let mut headed = b"go 1.21 trace\0\0\0".to_vec();
        headed.extend_from_slice(&bytes);
        bodies::decode(&headed);
        bodies::decode(&v1::from_noise(&bytes));
    }
    damaged_v1(6).for_each(|bytes| bodies::decode(&bytes));
}

#[test]
fn any_bytes_yield_the_same_events_read_either_way() {
    damaged_v1(7).for_each(|bytes| compact::read_both_ways(&bytes));
    damaged(5).for_each(|bytes| compact::read_both_ways(&bytes));
}

#[test]
fn any_file_yields_the_same_events_as_its_bytes() {
    damaged_v1(8).for_each(|bytes| compact::read_from_a_file(&bytes));
    damaged(6).for_each(|bytes| compact::read_from_a_file(&bytes));
}

#[test]
fn any_bytes_have_a_text_that_stands_for_them() {
    noise(2).for_each(|bytes| bodies::text_round_trip(&bytes));
    damaged(2).for_each(|bytes| bodies::text_round_trip(&bytes));
}

#[test]
fn whatever_is_written_stands_in_the_file() {
    noise(3).for_each(|bytes| bodies::round_trip(&bytes));
}

#[test]
fn any_bytes_can_be_taken_for_side_data() {
    for bytes in noise(4) {
        let mut random = Random::new(bytes.len() as u64);
        let mut payload = b"exectrace\x01".to_vec();
        // Noise is mostly one record with a false length: put short ones in front of it.
        for chunk in bytes.chunks(random.below(40) + 1) {
            payload.push(random.below(12) as u8);
            payload.push(chunk.len() as u8);
            payload.extend_from_slice(chunk);
        }
        bodies::side_data(&payload);
        payload.truncate(random.below(payload.len()));
        bodies::side_data(&payload);
    }
}
