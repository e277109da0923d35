//! Numbers that come and go, while records of closed ones still wait to be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use exectrace_recorder::{Callsite, CallsiteKind, Parent, RecordingOptions, SpanSource, TaskRule};

use crate::common::{Shared, messages, read, turn};

/// Numbers that can be open at once.
const MOST: usize = 1023;

/// Call sites of two types: read as the other, either would be an address made of a number.
pub(crate) struct Numbers(
    #[expect(dead_code, reason = "it is there to be misread")] pub(crate) [usize; 4],
);
struct Names([&'static str; 2]);

pub(crate) static NUMBERS: Numbers = Numbers([1; 4]);
static NAMES: Names = Names(["the first", "the second"]);

pub(crate) fn callsite(target: &'static str, kind: CallsiteKind) -> Callsite {
    Callsite {
        name: "of an attack",
        target,
        level: "INFO",
        module: None,
        file: None,
        line: None,
        fields: vec!["message"],
        trace_id_fields: Vec::new(),
        kind,
        task: TaskRule::Roots,
    }
}

pub(crate) fn of_numbers() -> Result<SpanSource<Numbers>, exectrace_recorder::TooManySpanSources> {
    SpanSource::register(|_| callsite("numbers", CallsiteKind::Event))
}

/// A span source that counts the call sites it is asked about that are not of its type.
fn of_names(
    strangers: &Arc<AtomicUsize>,
) -> Result<SpanSource<Names>, exectrace_recorder::TooManySpanSources> {
    let strangers = Arc::clone(strangers);
    SpanSource::register(move |site| {
        if !std::ptr::eq(site, &NAMES) {
            // Reading it would be the end.
            strangers.fetch_add(1, Ordering::Relaxed);
            return callsite("a stranger", CallsiteKind::Event);
        }
        callsite(site.0[1], CallsiteKind::Event)
    })
}

#[test]
fn records_of_closed_sources_are_never_read_as_of_another_type_however_many_sources_are_opened() {
    let _turn = turn();
    let sink = Shared::default();
    let recording = RecordingOptions::new().start_writer(sink.clone()).unwrap();
    let strangers = Arc::new(AtomicUsize::new(0));
    let (written, is_written) = channel();
    let threads = 4;
    thread::scope(|scope| {
        let mut releases = Vec::new();
        for _ in 0..threads {
            let (release, released) = channel::<()>();
            releases.push(release);
            let written = written.clone();
            scope.spawn(move || {
                // Each holds a chunk with records of a span source that is gone, until the end.
                let source = of_numbers().unwrap();
                source.event(&NUMBERS, Parent::Root, |fields| fields.str(0, "old"));
                drop(source);
                written.send(()).unwrap();
                let _ = released.recv();
            });
        }
        for _ in 0..threads {
            is_written.recv().unwrap();
        }
        // Every number there is goes to the other type, as far as it can be had.
        let mut open = Vec::new();
        while let Ok(source) = of_names(&strangers) {
            source.event(&NAMES, Parent::Root, |fields| fields.str(0, "new"));
            open.push(source);
        }
        assert!((MOST / 2..MOST).contains(&open.len()), "{}", open.len());
        // As often as one likes, as long as the type stays the same.
        for _ in 0..2 * MOST {
            open.pop();
            open.push(of_names(&strangers).unwrap());
        }
        drop(releases);
    });
    recording.stop().unwrap();
    assert_eq!(strangers.load(Ordering::Relaxed), 0);
    let events = read(&sink.bytes());
    assert_eq!(messages(&events, "INFO numbers"), ["old"; 4]);
    assert!(messages(&events, "INFO the second").len() > MOST / 2);
}
