//! The flush thread's work without the thread and without waiting: recordings start and stop, time
//! passes, and files are written, in any order.

mod endings;

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};

use exectrace_format::{Reader, SideRecord, TraceEvent, TraceEventKind, Version};
use proptest::prelude::*;

use super::*;
use crate::control::Reply;
use crate::pool::Pool;
use crate::recording::RotatingFiles;
use crate::report::{Report, StopError};
use crate::sink::Sink;
use crate::{Rotation, Task, log, region};

#[derive(Clone, Debug)]
enum Action {
    Start(Version),
    /// Stops the recording that has this place among those that run.
    Stop(usize),
    /// Nothing happens for so many milliseconds.
    Idle(u64),
    Flush,
    /// What a change of a filter does.
    Note,
    About(u8),
    Region,
    TaskBegin,
    TaskEnd,
    Log,
    /// Another thread lives and records.
    Thread,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let version = prop_oneof![9 => Just(Version::Go125), 1 => Just(Version::Go123)];
    let action = prop_oneof![
        4 => version.prop_map(Action::Start),
        4 => (0..4usize).prop_map(Action::Stop),
        3 => (0..3_000u64).prop_map(Action::Idle),
        4 => Just(Action::Flush),
        1 => Just(Action::Note),
        1 => any::<u8>().prop_map(Action::About),
        3 => Just(Action::Region),
        2 => Just(Action::TaskBegin),
        2 => Just(Action::TaskEnd),
        2 => Just(Action::Log),
        1 => Just(Action::Thread),
    ];
    proptest::collection::vec(action, 1..60)
}

/// A file in memory.
#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The flush thread's state, driven by hand.
struct Driven {
    _turn: MutexGuard<'static, ()>,
    flusher: Flusher,
    /// How much further than the real clocks those of the flush thread are.
    idle_ns: Arc<AtomicU64>,
    running: Vec<(RecordingId, Bytes)>,
    stopped: Vec<(Report, Vec<u8>)>,
    tasks: Vec<Task>,
}

impl Driven {
    /// Waits for its turn: there is one tracer in a process.
    fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = lock(&TURN);
        crate::clock::decide();
        let process = crate::process::current();
        process
            .pool
            .get_or_init(|| Pool::with_memory(0).expect("a megabyte"));
        let idle_ns = Arc::new(AtomicU64::new(0));
        let idle = Arc::clone(&idle_ns);
        let clock =
            move || Moment::now().later_by(Duration::from_nanos(idle.load(Ordering::Relaxed)));
        Self {
            _turn: turn,
            flusher: Flusher::with_clock(process, ThreadId(999_999), Box::new(clock)),
            idle_ns,
            running: Vec::new(),
            stopped: Vec::new(),
            tasks: Vec::new(),
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Start(version) => self.start(version),
            Action::Stop(place) => self.stop(place),
            Action::Idle(ms) => {
                self.idle_ns.fetch_add(ms * 1_000_000, Ordering::Relaxed);
            }
            Action::Flush => self.flusher.flush(),
            Action::Note => self.flusher.note("filter changed"),
            Action::About(value) => {
                let command = Command::About("test", value.to_string());
                self.flusher.obey(command);
            }
            Action::Region => drop(region("region")),
            Action::TaskBegin => self.tasks.push(Task::new("task")),
            Action::TaskEnd => drop(self.tasks.pop()),
            Action::Log => log("log", "text"),
            Action::Thread => {
                std::thread::scope(|scope| {
                    scope.spawn(|| drop(region("of another thread")));
                });
            }
        }
    }

    fn start(&mut self, version: Version) {
        if self.running.len() < 4 {
            let bytes = Bytes::default();
            let output = RecordingSink::of_writer(bytes.clone(), version);
            let id = self.flusher.start(output).expect("a start");
            self.running.push((id, bytes));
        }
    }

    fn stop(&mut self, place: usize) {
        if place < self.running.len() {
            let (id, bytes) = self.running.remove(place);
            let report = self.stop_and_wait(id).expect("a report");
            self.stopped.push((report, lock(&bytes.0).clone()));
        }
    }

    fn stop_and_wait(&mut self, id: RecordingId) -> Result<Report, StopError> {
        let reply = Reply::new();
        self.flusher.stop(id, Some(reply.clone()));
        self.wait_for(&reply)
    }

    /// Does what the flush thread is asked to do, until there is an answer.
    fn wait_for<T>(&mut self, reply: &Reply<T>) -> T {
        loop {
            let commands = std::mem::take(&mut *lock(&self.flusher.process.commands));
            for command in commands {
                self.flusher.obey(command);
            }
            if let Some(answer) = reply.wait_for(Duration::from_millis(1)) {
                return answer;
            }
        }
    }

    /// Stops all recordings; returns their reports and files.
    fn finish(&mut self) -> Vec<(Report, Vec<u8>)> {
        self.tasks.clear();
        while !self.running.is_empty() {
            self.stop(0);
        }
        std::mem::take(&mut self.stopped)
    }
}

/// Reads a file with the strict reader.
fn read(bytes: &[u8]) -> Vec<TraceEvent> {
    Reader::new(bytes)
        .expect("a header")
        .map(|event| event.unwrap_or_else(|error| panic!("the file is broken: {error}")))
        .collect()
}

/// Asserts that the clocks of each generation are later than those of the one before.
fn assert_clocks_grow(events: &[TraceEvent]) {
    let clocks: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            TraceEventKind::Sync { clock, .. } => clock,
            _ => None,
        })
        .collect();
    for pair in clocks.windows(2) {
        assert!(pair[0].time < pair[1].time, "{pair:?}");
        let [before, after] = [pair[0], pair[1]].map(|clock| clock.snapshot);
        let wall = |at: exectrace_format::ClockSnapshot| {
            u128::from(at.unix_seconds) * 1_000_000_000 + u128::from(at.unix_nanoseconds)
        };
        let passed_ns = after.monotonic_ns - before.monotonic_ns;
        let passed_wall_ns = wall(after) - wall(before);
        // They are two readings of clocks that run at one speed.
        assert!(passed_wall_ns > 0, "{pair:?}");
        assert!(
            passed_wall_ns.abs_diff(u128::from(passed_ns)) < 100_000_000,
            "{pair:?}"
        );
    }
}

#[test]
fn any_interleaving_of_recordings_leaves_valid_files_that_hold_what_their_reports_say() {
    const CASES: u32 = 3_000;
    let driven = RefCell::new((0_u32, Driven::new()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: CASES,
        // The next case would find what a failed one has left behind.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&actions(), |actions| {
        let (cases, driven) = &mut *driven.borrow_mut();
        for action in &actions {
            driven.act(action);
        }
        *cases += 1;
        for (report, bytes) in driven.finish() {
            let events = read(&bytes);
            assert_clocks_grow(&events);
            prop_assert_eq!(report.bytes, bytes.len() as u64);
            prop_assert_eq!(report.events, count(&events));
            if cases.is_multiple_of(150) {
                let file = tempfile::NamedTempFile::new()?;
                std::fs::write(file.path(), bytes)?;
                exectrace_referee::assert_accepted(file.path());
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_losses_left_open_is_ended_in_all_files_also_where_some_begin_then() {
    let mut driven = Driven::new();
    let folder = tempfile::tempdir().unwrap();
    driven.start(Version::Go125);
    for name in ["a", "b"] {
        let rotation = Rotation::new(folder.path().join(name)).max_file_bytes(1);
        let files = RotatingFiles::start(rotation, Duration::from_secs(1)).unwrap();
        let output = RecordingSink::new(Sink::Rotating(Box::new(files)), Version::Go125, None);
        let id = driven.flusher.start(output).expect("a start");
        driven.running.push((id, Bytes::default()));
    }
    // Whether its end was lost is not known.
    driven.act(&Action::TaskBegin);
    driven.act(&Action::Flush);
    for _ in 0..200_000 {
        drop(region("too many"));
    }
    for _ in 0..12 {
        driven.act(&Action::Idle(1_100));
        driven.act(&Action::Flush);
        driven.act(&Action::Region);
    }
    let reports = driven.finish();
    let (report, bytes) = &reports[0];
    let events = read(bytes);
    exectrace_referee::assert_bytes_accepted(bytes);
    assert!(report.records_dropped > 0, "{report}");
    assert!(report.inferred > 0, "{report}");
    let concluded = events.iter().filter(|event| {
        matches!(
            event.kind,
            TraceEventKind::SideData(SideRecord::Inferred { .. })
        )
    });
    assert_eq!(concluded.count() as u64, report.inferred);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        exectrace_referee::assert_accepted(entry.unwrap().path());
    }
}

/// The events of a file that the writer counts.
fn count(events: &[TraceEvent]) -> u64 {
    let is_event = |event: &&TraceEvent| {
        !matches!(
            event.kind,
            TraceEventKind::Sync { .. } | TraceEventKind::SideData(_)
        )
    };
    events.iter().filter(is_event).count() as u64
}
