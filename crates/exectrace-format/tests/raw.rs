//! Reading without order or rules, against the text form of the same bytes.

use std::fs;
use std::path::Path;

use exectrace_format::{BatchKind, Batches, text};

/// The bytes of all cases of the newer format.
fn cases() -> impl Iterator<Item = (String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(folder).expect("the folder of cases");
    entries.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).ok()?;
        let bytes = text::parse(&text).ok()?;
        let old = [b"go 1.11", b"go 1.19", b"go 1.21"];
        let old = old.iter().any(|head| bytes.starts_with(*head));
        (!old).then(|| (path.display().to_string(), bytes))
    })
}

#[test]
fn batches_follow_each_other_to_the_end_or_to_the_damage() {
    let mut whole = 0;
    for (case, bytes) in cases() {
        let Ok(mut batches) = Batches::new(bytes.as_slice()) else {
            continue;
        };
        let mut end = 16;
        let damage = loop {
            match batches.next_batch() {
                Ok(Some(batch)) => {
                    assert_eq!(batch.place.start, end, "{case}");
                    end = batch.place.end;
                    let payload = &bytes[end as usize - batch.payload.len()..end as usize];
                    assert_eq!(batch.payload, payload, "{case}");
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        match damage {
            Some(error) => assert_eq!(error.offset, end, "{case}"),
            None => {
                assert_eq!(end, bytes.len() as u64, "{case}");
                whole += 1;
            }
        }
        assert!(batches.next_batch().is_ok_and(|batch| batch.is_none()));
    }
    assert!(whole > 50, "where are the cases?");
}

#[test]
fn events_in_the_order_of_the_file_are_those_of_the_text() {
    let mut compared = 0;
    for (case, bytes) in cases() {
        let printed = text::print(&bytes);
        let lines: Vec<&str> = printed
            .lines()
            .filter(|line| line.trim_start().starts_with('+'))
            .collect();
        let Ok(mut batches) = Batches::new(bytes.as_slice()) else {
            continue;
        };
        let mut names = Vec::new();
        let mut damaged = printed.contains("bytes ") || printed.contains("raw ");
        while let Ok(Some(batch)) = batches.next_batch() {
            let mut last = batch.time;
            let holds_events = batch.kind == BatchKind::Events;
            assert!(holds_events || batch.events().next().is_none(), "{case}");
            for event in batch.events() {
                let Ok(event) = event else {
                    damaged = true;
                    break;
                };
                let delta = event.time.wrapping_sub(last);
                names.push(format!("+{delta} {}", event.kind.name()));
                last = event.time;
            }
        }
        if damaged {
            continue;
        }
        let printed: Vec<String> = lines
            .iter()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().take(2).collect();
                words.join(" ")
            })
            .collect();
        assert_eq!(names, printed, "{case}");
        compared += names.len();
    }
    assert!(compared > 300, "{compared} events");
}
