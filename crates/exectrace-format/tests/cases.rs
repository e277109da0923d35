//! Every file in `cases` is read as its head expects, and Go's reader says the same.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use exectrace_format::{Reader, text};
use exectrace_referee::Referee;

use support::{Outcome, agree, compact, read};

/// What the head of a case expects.
#[derive(Debug)]
enum Expect {
    Accepted,
    Error(String),
}

struct Case {
    path: PathBuf,
    bytes: Vec<u8>,
    expect: Expect,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(&folder).expect("the folder of cases");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(case).collect()
}

fn case(path: PathBuf) -> Case {
    let text = fs::read_to_string(&path).expect("a case is text");
    let expect = text
        .lines()
        .find_map(|line| line.strip_prefix("# expect: "));
    let expect = match expect.unwrap_or_else(|| panic!("{} expects nothing", path.display())) {
        "ok" => Expect::Accepted,
        other => {
            let message = other.strip_prefix("error ");
            Expect::Error(message.expect("`ok` or `error …`").to_string())
        }
    };
    let bytes = text::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Case {
        path,
        bytes,
        expect,
    }
}

#[test]
fn every_case_is_read_as_it_expects() {
    let cases = cases();
    assert!(cases.len() > 100, "where are the cases?");
    let mut wrong = Vec::new();
    for Case {
        path,
        bytes,
        expect,
    } in cases
    {
        let Outcome { error, .. } = read(&bytes);
        let fits = match (&expect, &error) {
            (Expect::Accepted, None) => true,
            (Expect::Error(message), Some(error)) => error.contains(message.as_str()),
            _ => false,
        };
        if !fits {
            wrong.push(format!(
                "{}: expected {expect:?}, got {error:?}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_tells_the_same_read_either_way() {
    for Case { bytes, .. } in cases() {
        compact::read_both_ways(&bytes);
    }
}

#[test]
fn every_case_tells_the_same_read_again_from_a_file() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read_again.trace");
    for case in cases() {
        fs::write(&path, &case.bytes).expect("a place for files");
        let again = match Reader::open(&path) {
            Ok(reader) => Outcome::of(reader),
            Err(error) => Outcome::refused(&error),
        };
        assert_eq!(again, read(&case.bytes), "{}", case.path.display());
    }
}

#[test]
fn every_case_survives_being_printed() {
    for Case { path, bytes, .. } in cases() {
        let printed = text::print(&bytes);
        assert_eq!(
            text::parse(&printed).as_deref(),
            Ok(bytes.as_slice()),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_smallest_case_is_the_known_file_byte_for_byte() {
    let hexadecimal = "
        67 6f 20 31 2e 32 35 20 74 72 61 63 65 00 00 00
        01 01 00 e7 07 11 32 08 80 94 eb dc 03 33 01 e8 07 80 e2 cf aa 06 00
        01 01 00 e8 07 1b 04 05 01 04 73 79 6e 63 05 02 02 6f 6b 05 03 04 6d 61 69 6e
        05 04 04 6d 2e 72 73
        01 01 00 e8 07 09 02 03 01 01 80 20 03 04 07
        01 01 07 e8 07 1a
        0d 00 01 01 30 01 01 07 02 01 09 01 01 00 2c 0a 00 00 02 01 14 14 01 01 0b 01";
    let known: Vec<u8> = hexadecimal
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect();
    let cases = cases();
    let smallest = cases
        .iter()
        .find(|case| case.path.ends_with("smallest.trace.txt"));
    assert_eq!(smallest.expect("the smallest case").bytes, known);
}

#[test]
fn go_agrees_about_every_case() {
    let Ok(referee) = Referee::find() else {
        eprintln!("skipped: no referee");
        return;
    };
    let mut wrong = Vec::new();
    for Case { path, bytes, .. } in cases() {
        if let Err(difference) = agree(&referee, &bytes) {
            wrong.push(format!("{}: {difference}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
