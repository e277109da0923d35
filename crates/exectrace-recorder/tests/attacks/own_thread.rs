//! Sinks and callbacks that use recordings: they run on the thread that serves all recordings.

use std::io::{self, Write};
use std::sync::mpsc::{Sender, channel};

use exectrace_recorder::{
    Recording, RecordingOptions, Report, SinkError, StartError, StopError, is_enabled,
};

use crate::common::{Shared, count_regions, read, turn};

/// Calls its function at its first write after it was given one.
struct Calling {
    calls: std::sync::mpsc::Receiver<Box<dyn FnOnce() + Send>>,
    kept: Shared,
}

impl Write for Calling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(call) = self.calls.try_recv() {
            call();
        }
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Call = Box<dyn FnOnce() + Send>;

/// A recording whose sink does what it is sent.
fn calling() -> (Recording, Sender<Call>, Shared) {
    let (send, calls) = channel();
    let kept = Shared::default();
    let sink = Calling {
        calls,
        kept: kept.clone(),
    };
    let recording = RecordingOptions::new().start_writer(sink).unwrap();
    (recording, send, kept)
}

/// Has the sink of a recording call `f`; returns what it returned.
fn in_a_sink<R: Send + 'static>(send: &Sender<Call>, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (answer, answers) = channel();
    let call = move || answer.send(f()).unwrap();
    send.send(Box::new(call)).unwrap();
    loop {
        // Something to write.
        drop(exectrace_recorder::region("work"));
        if let Ok(answer) = answers.recv_timeout(std::time::Duration::from_millis(10)) {
            return answer;
        }
    }
}

fn is_refused(result: &Result<Report, StopError>) -> bool {
    matches!(result, Err(error) if matches!(error.error(), SinkError::OnFlushThread))
}

#[test]
fn a_recording_that_a_sink_stops_or_drops_ends_after_the_sink_has_returned() {
    let _turn = turn();
    let (serving, send, kept) = calling();
    let (first, second) = (Shared::default(), Shared::default());
    let [stopped, dropped] = [&first, &second].map(|sink| {
        // Each begins after something was written for those before.
        in_a_sink(&send, || ());
        let options = RecordingOptions::new();
        options.start_writer(sink.clone()).unwrap()
    });
    assert!(is_refused(&in_a_sink(&send, move || stopped.stop())));
    in_a_sink(&send, move || drop(dropped));
    serving.stop().unwrap();
    assert!(!is_enabled(), "all three have ended");
    for sink in [&kept, &first, &second] {
        assert!(count_regions(&read(&sink.bytes()), "work") > 0);
    }
}

#[test]
fn a_sink_cannot_start_a_recording_and_leaves_the_file_as_it_was() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.trace");
    std::fs::write(&path, "another's").unwrap();
    let (serving, send, _) = calling();
    let in_file = path.clone();
    let started = in_a_sink(&send, move || exectrace_recorder::start(in_file).err());
    assert!(matches!(started, Some(StartError::OnFlushThread)));
    assert_eq!(std::fs::read(&path).unwrap(), b"another's");
    serving.stop().unwrap();
}

#[test]
fn the_last_recording_can_be_ended_by_its_own_sink() {
    let _turn = turn();
    let (recording, send, kept) = calling();
    in_a_sink(&send, move || drop(recording));
    // The next start comes after that stop.
    let next = RecordingOptions::new().start_writer(io::sink()).unwrap();
    next.stop().unwrap();
    assert!(!is_enabled());
    read(&kept.bytes());
}
