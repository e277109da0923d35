//! The referee on a trace written out byte for byte, whole and damaged.
#![forbid(unsafe_code)]

use exectrace_referee::{Missing, Referee, assert_bytes_accepted};

/// The smallest useful trace: thread 7 runs async task 1 "main" on worker 1, logs "ok", blocks.
#[rustfmt::skip]
const TRACE: &[u8] = &[
    // Header.
    0x67, 0x6f, 0x20, 0x31, 0x2e, 0x32, 0x35, 0x20, 0x74, 0x72, 0x61, 0x63, 0x65, 0, 0, 0,
    // Sync batch of generation 1: frequency 1 GHz, one clock snapshot.
    0x01, 0x01, 0x00, 0xe7, 0x07, 0x11,
    0x32, 0x08, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0x33, 0x01, 0xe8, 0x07, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x00,
    // Strings: 1 "sync", 2 "ok", 3 "main", 4 "m.rs".
    0x01, 0x01, 0x00, 0xe8, 0x07, 0x1b,
    0x04, 0x05, 0x01, 0x04, b's', b'y', b'n', b'c', 0x05, 0x02, 0x02, b'o', b'k',
    0x05, 0x03, 0x04, b'm', b'a', b'i', b'n', 0x05, 0x04, 0x04, b'm', b'.', b'r', b's',
    // Stacks: 1 is pc 0x1000 in function 3, file 4, line 7.
    0x01, 0x01, 0x00, 0xe8, 0x07, 0x09,
    0x02, 0x03, 0x01, 0x01, 0x80, 0x20, 0x03, 0x04, 0x07,
    // Events of thread 7: ProcStatus, GoStatusStack, ProcsChange, UserLog, GoBlock, ProcStop.
    0x01, 0x01, 0x07, 0xe8, 0x07, 0x1a,
    0x0d, 0x00, 0x01, 0x01,
    0x30, 0x01, 0x01, 0x07, 0x02, 0x01,
    0x09, 0x01, 0x01, 0x00,
    0x2c, 0x0a, 0x00, 0x00, 0x02, 0x01,
    0x14, 0x14, 0x01, 0x01,
    0x0b, 0x01,
];

/// The referee; `None`, said aloud by the assertion, on a machine without Go.
fn referee() -> Option<Referee> {
    match Referee::find() {
        Err(Missing::NoGo | Missing::TooOld { .. }) => {
            assert_bytes_accepted(TRACE);
            None
        }
        found => Some(found.unwrap()),
    }
}

#[test]
fn a_sound_trace_is_accepted_and_its_events_are_counted() {
    assert_bytes_accepted(TRACE);
    let Some(referee) = referee() else { return };
    for verdict in referee.judge_bytes(TRACE) {
        assert!(
            verdict.accepted && verdict.message.is_empty(),
            "{verdict:?}"
        );
        assert_eq!(verdict.count("StateTransition"), 4, "{verdict:?}");
        assert_eq!(verdict.count("Log"), 1, "{verdict:?}");
        assert_eq!(verdict.event_count(), 8, "{verdict:?}");
        assert!(verdict.text_is_whole && verdict.text.contains("Message=\"ok\""));
    }
}

#[test]
fn a_damaged_trace_is_rejected_with_the_message_of_go() {
    let Some(referee) = referee() else { return };
    let cut = &TRACE[..TRACE.len() - 5];
    for verdict in referee.judge_bytes(cut) {
        assert!(!verdict.accepted, "{verdict:?}");
        assert!(
            verdict.message.contains("read 21 but wanted 26"),
            "{verdict:?}"
        );
    }
}

#[test]
fn an_assertion_fails_with_the_message_of_go() {
    if referee().is_none() {
        return;
    }
    let panic = std::panic::catch_unwind(|| assert_bytes_accepted(b"not a trace")).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("bad file format"), "{message}");
}

#[test]
fn the_validator_objects_to_what_the_reader_lets_pass() {
    let Some(referee) = referee() else { return };
    let folder = tempfile::tempdir().unwrap();
    let validate = |bytes: &[u8]| {
        let path = folder.path().join("trace");
        std::fs::write(&path, bytes).unwrap();
        referee.validate(&path).unwrap()
    };
    for verdict in validate(TRACE) {
        assert!(verdict.accepted, "{verdict:?}");
    }
    // A snapshot of the clocks in which the monotonic one shows 0.
    let mut no_clock = TRACE.to_vec();
    let snapshot = no_clock.windows(3).position(|at| at == [0x33, 0x01, 0xe8]);
    let snapshot = snapshot.unwrap();
    no_clock.splice(snapshot + 2..snapshot + 4, [0x80, 0x00]);
    assert!(referee.judge_bytes(&no_clock).iter().all(|v| v.accepted));
    for verdict in validate(&no_clock) {
        assert!(!verdict.accepted, "{verdict:?}");
        let message = &verdict.message;
        assert!(message.contains("sync 1 has zero mono time"), "{message}");
    }
}
