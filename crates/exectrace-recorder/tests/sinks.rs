//! Sinks that fail, block or panic: the program runs on, `stop` and the callback have the error.

mod common;

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{Shared, count_events, count_lost, count_regions, read, turn};
use exectrace_recorder::{RecordingOptions, SinkError, StartError, region};

/// Takes some writes, then does what `then` does.
struct Failing<F> {
    writes: usize,
    kept: Shared,
    then: F,
}

impl<F: FnMut() -> io::Result<usize>> Write for Failing<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return (self.then)();
        }
        self.writes -= 1;
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Options whose callback adds to the returned list.
fn reporting() -> (RecordingOptions, Arc<Mutex<Vec<String>>>) {
    let errors = Arc::new(Mutex::new(Vec::new()));
    let callback = {
        let errors = Arc::clone(&errors);
        move |error: &SinkError| errors.lock().unwrap().push(error.to_string())
    };
    (RecordingOptions::new().on_error(callback), errors)
}

#[test]
fn a_missing_folder_is_an_error_that_names_the_path_and_the_cause() {
    let _turn = turn();
    let error = exectrace_recorder::start("/no/such/folder/trace.out").unwrap_err();
    assert!(matches!(error, StartError::Create { .. }));
    let text = error.to_string();
    assert!(
        text.contains("/no/such/folder/trace.out: No such file"),
        "{text}"
    );
    assert!(!exectrace_recorder::is_enabled());
}

#[test]
fn a_sink_that_fails_ends_its_recording_with_a_valid_trace_and_both_are_told() {
    let _turn = turn();
    let (options, errors) = reporting();
    let kept = Shared::default();
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    let sink = Failing {
        writes: 1,
        kept: kept.clone(),
        then: full,
    };
    let recording = options.start_writer(sink).unwrap();
    let healthy = Shared::default();
    let other = RecordingOptions::new()
        .start_writer(healthy.clone())
        .unwrap();
    drop(region("work"));
    let error = recording.stop().unwrap_err();
    assert!(matches!(
        error.error(),
        SinkError::Write { cause, .. } if cause.kind() == io::ErrorKind::StorageFull
    ));
    assert!(error.to_string().contains("no storage space"), "{error}");
    assert_eq!(error.report().bytes, kept.bytes().len() as u64);
    assert_eq!(errors.lock().unwrap().len(), 1);
    // What came after the failure is not in the file, and not in the report.
    assert_eq!(error.report().events, count_events(&read(&kept.bytes())));
    assert_eq!(error.report().records, 0);
    // The other recording never noticed.
    other.stop().unwrap();
    assert_eq!(count_regions(&read(&healthy.bytes()), "work"), 1);
}

#[test]
fn a_full_disk_leaves_a_file_that_holds_whole_groups() {
    let _turn = turn();
    // A device that takes nothing, which is how a full disk looks to a writer.
    let error = exectrace_recorder::start("/dev/full").unwrap_err();
    assert!(
        matches!(error, StartError::Sink(SinkError::Write { .. })),
        "{error}"
    );
    assert!(!exectrace_recorder::is_enabled());
}

#[test]
fn a_closed_pipe_is_an_error_and_not_a_signal() {
    let _turn = turn();
    let (reader, writer) = io::pipe().unwrap();
    let recording = RecordingOptions::new().start_writer(writer).unwrap();
    drop(reader);
    drop(region("work"));
    let error = recording.stop().unwrap_err();
    assert!(matches!(
        error.error(),
        SinkError::Write { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe
    ));
}

#[test]
fn a_sink_that_panics_ends_its_recording_and_nothing_else() {
    let _turn = turn();
    let (options, errors) = reporting();
    let sink = Failing {
        writes: 1,
        kept: Shared::default(),
        then: || panic!("a writer of the program's own"),
    };
    let recording = options.start_writer(sink).unwrap();
    drop(region("work"));
    let error = recording.stop().unwrap_err();
    assert!(matches!(error.error(), SinkError::Panicked { .. }));
    assert_eq!(errors.lock().unwrap().len(), 1);
    let next = Shared::default();
    let recording = RecordingOptions::new().start_writer(next.clone()).unwrap();
    drop(region("later"));
    recording.stop().unwrap();
    assert_eq!(count_regions(&read(&next.bytes()), "later"), 1);
}

/// Waits for a word before its second write.
struct Blocking {
    kept: Shared,
    entered: Sender<()>,
    go_on: Receiver<()>,
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.kept.bytes().is_empty() {
            let _ = self.entered.send(());
            let _ = self.go_on.recv();
        }
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn while_a_sink_blocks_the_program_goes_on_and_the_loss_is_told() {
    let _turn = turn();
    let kept = Shared::default();
    let (entered, has_entered) = mpsc::channel();
    let (let_go_on, go_on) = mpsc::channel();
    let sink = Blocking {
        kept: kept.clone(),
        entered,
        go_on,
    };
    let recording = RecordingOptions::new().start_writer(sink).unwrap();
    drop(region("first"));
    has_entered.recv().unwrap();
    // More than the default memory holds: 64 MiB are fewer than 1.5 million regions.
    for _ in 0..2_000_000 {
        drop(region("while blocked"));
    }
    drop(let_go_on);
    let report = recording.stop().unwrap();
    assert!(report.records_dropped > 0);
    assert_eq!(count_lost(&read(&kept.bytes())), report.records_dropped);
    let events = read(&kept.bytes());
    let kept_regions = count_regions(&events, "while blocked");
    assert!(kept_regions > 0);
    assert!(kept_regions as u64 <= 2_000_000 - report.records_dropped / 2);
    assert!(!common::messages(&events, "lost").is_empty());
}

/// Takes long for its second write.
struct Slow {
    kept: Shared,
    takes: Option<Duration>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.kept.bytes().is_empty()
            && let Some(time) = self.takes.take()
        {
            thread::sleep(time);
        }
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_blocks_for_a_second_is_reported_and_its_trace_lacks_nothing() {
    const LONG: Duration = Duration::from_secs(1);
    let _turn = turn();
    let kept = Shared::default();
    let (said, was_said) = mpsc::channel();
    let options = RecordingOptions::new().on_error(move |error| said.send(error.clone()).unwrap());
    let sink = Slow {
        kept: kept.clone(),
        takes: Some(LONG),
    };
    let recording = options.start_writer(sink).unwrap();
    drop(region("work"));
    let error = was_said.recv().unwrap();
    assert!(
        matches!(error, SinkError::Slow { blocked } if blocked >= LONG),
        "{error}"
    );
    drop(region("work"));
    let report = recording.stop().unwrap();
    assert!(report.slowest_write >= LONG);
    assert!(report.to_string().contains("a write took"), "{report}");
    assert_eq!(report.records_dropped, 0);
    assert_eq!(count_regions(&read(&kept.bytes()), "work"), 2);
}
