//! From a checkpoint a trace is read and replayed as from its begin.

use std::convert::Infallible;
use std::fmt::Debug;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use exectrace_format::{
    CompactEvent, CompactKind, GoId, Metric, ReadCause, Reader, ReaderCheckpoint, ResumeError,
    SideRecord, SyncClock, TraceEvent, text,
};
use exectrace_replay::{
    Checkpoint, End, EndedRegion, HeapSample, Input, Log, Observer, ProcChange, Range, Replay,
    Slot, Stack, State, StateSpan, Text, UserTask, Wake,
};

/// All calls, with the goroutine that each is about as it is then.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn push(&mut self, state: &State, call: &str, what: &dyn Debug) -> Result<(), Infallible> {
        let names = state.names().texts().count();
        self.0
            .push(format!("{} {call} {what:?} {names}", state.now()));
        Ok(())
    }

    fn of(
        &mut self,
        state: &State,
        call: &str,
        slot: Slot,
        what: &dyn Debug,
    ) -> Result<(), Infallible> {
        self.push(state, call, &(slot, state.goroutines().at(slot), what))
    }
}

impl Observer for Calls {
    type Error = Infallible;

    fn before(&mut self, state: &mut State, input: &Input<'_>) -> Result<(), Infallible> {
        self.push(state, "before", &(input.event, input.side))
    }

    fn sync(&mut self, state: &State, clock: Option<&SyncClock>) -> Result<(), Infallible> {
        self.push(state, "sync", &clock)
    }

    fn appear(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        self.of(state, "appear", slot, &())
    }

    fn named(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        self.of(state, "named", slot, &())
    }

    fn labelled(&mut self, state: &State, slot: Slot, before: Text) -> Result<(), Infallible> {
        self.of(state, "labelled", slot, &before)
    }

    fn leave(&mut self, state: &State, slot: Slot, span: &StateSpan) -> Result<(), Infallible> {
        self.of(state, "leave", slot, span)
    }

    fn wake(&mut self, state: &State, slot: Slot, wake: &Wake<'_>) -> Result<(), Infallible> {
        self.of(state, "wake", slot, wake)
    }

    fn enter(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        self.of(state, "enter", slot, &())
    }

    fn vanish(&mut self, state: &State, slot: Slot, end: End) -> Result<(), Infallible> {
        self.push(state, "vanish", &(slot, end))
    }

    fn proc(&mut self, state: &State, change: &ProcChange) -> Result<(), Infallible> {
        self.push(state, "proc", change)
    }

    fn region_begin(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
        self.of(state, "region_begin", slot, &())
    }

    fn region_end(
        &mut self,
        state: &State,
        slot: Slot,
        region: &EndedRegion,
    ) -> Result<(), Infallible> {
        self.push(state, "region_end", &(slot, region))
    }

    fn user_task_begin(&mut self, state: &State, user_task: &UserTask) -> Result<(), Infallible> {
        self.push(state, "user_task_begin", user_task)
    }

    fn user_task_end(
        &mut self,
        state: &State,
        user_task: &UserTask,
        end: End,
    ) -> Result<(), Infallible> {
        self.push(state, "user_task_end", &(user_task, end))
    }

    fn range_begin(&mut self, state: &State, range: &Range) -> Result<(), Infallible> {
        self.push(state, "range_begin", range)
    }

    fn range_goes_on(&mut self, state: &State, range: &Range) -> Result<(), Infallible> {
        self.push(state, "range_goes_on", range)
    }

    fn range_end(&mut self, state: &State, range: &Range, end: End) -> Result<(), Infallible> {
        self.push(state, "range_end", &(range, end))
    }

    fn log(&mut self, state: &State, log: &Log<'_>) -> Result<(), Infallible> {
        self.push(state, "log", log)
    }

    fn metric(&mut self, state: &State, metric: Metric, value: u64) -> Result<(), Infallible> {
        self.push(state, "metric", &(metric, value))
    }

    fn sample(&mut self, state: &State, of: GoId, stack: Stack) -> Result<(), Infallible> {
        self.push(state, "sample", &(of, stack))
    }

    fn heap_sample(&mut self, state: &State, sample: &HeapSample<'_>) -> Result<(), Infallible> {
        self.push(state, "heap sample", sample)
    }

    fn side(&mut self, state: &State, record: &SideRecord) -> Result<(), Infallible> {
        self.push(state, "side", record)
    }

    fn finish(&mut self, state: &mut State) -> Result<(), Infallible> {
        self.push(state, "finish", &())
    }
}

/// What a walk through a trace, or through the rest of one, came by.
#[derive(Default)]
struct Walk {
    events: Vec<(CompactEvent, TraceEvent)>,
    damage: Option<String>,
    calls: Calls,
    /// With the numbers of events and calls before each.
    checkpoints: Vec<(Checkpoint, usize, usize)>,
}

fn walk<R: Read>(mut reader: Reader<R>, replay: Option<Replay>) -> Walk {
    let mut walk = Walk::default();
    let mut replay = replay.unwrap_or_else(|| Replay::new(&mut walk.calls));
    let mut event = CompactEvent::default();
    loop {
        match reader.next_into(&mut event) {
            Ok(true) => {}
            Ok(false) => break,
            Err(damage) => {
                walk.damage = Some(damage.to_string());
                break;
            }
        }
        if let Some(checkpoint) = Checkpoint::take(&reader, &replay) {
            let before = (walk.events.len(), walk.calls.0.len());
            walk.checkpoints.push((checkpoint, before.0, before.1));
        }
        walk.events.push((event, reader.resolve(&event)));
        let input = Input::of(&reader, &event);
        let Ok(()) = replay.step(&input, &mut walk.calls);
        assert!(
            Checkpoint::take(&reader, &replay).is_none(),
            "the event is taken"
        );
    }
    assert!(reader.checkpoint().is_none(), "the trace is at its end");
    let Ok(()) = replay.finish(&mut walk.calls);
    walk
}

/// A trace of several generations, across which goroutines, a user task, a region and a collection go on.
fn long_trace(version: u64, generations: u64) -> Vec<u8> {
    let mut lines = format!("go 1.{version}\n");
    for n in 1..=generations {
        // No two generations have the same ids of strings.
        let (reason, name, last) = (10 * n, 10 * n + 1, 10 * n + 2);
        let gc = 3 * n;
        lines += &match version {
            25.. => format!(
                "generation {n}\nbatch m=0 time={n}000 sync\n  frequency 1000000000\n  \
                 clock +1 mono={n}000 sec={n} nsec=0\n"
            ),
            _ => {
                format!("generation {n}\nbatch m=0 time={n}000 frequency\n  frequency 1000000000\n")
            }
        };
        lines += &format!(
            "batch m=0 time={n}000 strings\n  string {reason} \"sync\"\n  string {name} \"step {n}\"\n  \
             string {last} \"step {}\"\n\
             batch m=0 time={n}000 stacks\n  stack 1 0x{n}000:{name}:{reason}:7\n\
             batch m=0 time={n}000 samples\n  sample time={n}105 m=7 p=1 g=1 stack=1\n\
             experimental 1 m=0 time={n}000\n  data \"exectrace\\x01\\x02\\x06\\x07\\x04main\"\n\
             batch m=none time={n}000 events\n  +1 GoStatus go=2 thread=0 status=Waiting\n\
             batch m=7 time={n}000 events\n  +0 ProcStatus proc=1 status=Running\n  \
             +1 GoStatus go=1 thread=7 status=Running\n",
            n - 1
        );
        if n > 1 {
            lines += &format!(
                "  +1 GcActive seq={}\n  +1 GcEnd seq={}\n  +1 UserRegionEnd task={before} name={last} stack=0\n  \
                 +1 UserTaskEnd task={before} stack=0\n",
                gc - 2,
                gc - 1,
                before = n - 1
            );
        }
        lines += &format!(
            "  +1 UserTaskBegin task={n} parent=0 name={name} stack=1\n  \
             +1 UserRegionBegin task={n} name={name} stack=1\n  +1 GoCreate go={} go_stack=1 stack=1\n\
             batch m=7 time={n}100 events\n  +1 GoUnblock go=2 seq=1 stack=0\n  +1 HeapAlloc bytes={n}\n  \
             +1 GcBegin seq={gc} stack=0\n  +1 UserLog task={n} category={reason} message={name} stack=1\n  \
             +1 GoStop reason={reason} stack=1\n  +1 GoStart go=2 seq=2\n  +1 GoBlock reason={reason} stack=1\n  \
             +1 GoStart go=1 seq=1\n",
            10 + n
        );
        if version >= 26 {
            lines += "end-of-generation\n";
        }
    }
    text::parse(&lines).unwrap_or_else(|error| panic!("{error}\n{lines}"))
}

/// The cases of the reader, long traces, and the files that `EXECTRACE_TRACES` names.
fn traces() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exectrace-format/tests/cases");
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let mut traces: Vec<_> = paths
        .iter()
        .map(|path| {
            let case = fs::read_to_string(path).expect("a case is text");
            let bytes = text::parse(&case).expect("a case is a trace in text");
            (path.display().to_string(), bytes)
        })
        .collect();
    for version in [22, 23, 25, 26] {
        traces.push((format!("long, 1.{version}"), long_trace(version, 6)));
    }
    if let Some(files) = std::env::var_os("EXECTRACE_TRACES") {
        for path in std::env::split_paths(&files) {
            let bytes = fs::read(&path).expect("a trace that the environment names");
            traces.push((path.display().to_string(), bytes));
        }
    }
    traces
}

#[test]
fn from_each_checkpoint_events_and_calls_are_those_of_the_whole_walk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    let mut resumed_later = 0;
    for (name, bytes) in traces() {
        fs::write(&path, &bytes).expect("a file");
        let Ok(reader) = Reader::open(&path) else {
            continue;
        };
        let whole = walk(reader.with_checkpoints(), None);
        if name.starts_with("long") {
            assert_eq!((whole.checkpoints.len(), &whole.damage), (6, &None));
        }
        for (index, (checkpoint, events, calls)) in whole.checkpoints.iter().enumerate() {
            let at = format!("{name}, checkpoint {index}");
            let (reader, replay) = checkpoint.resume(&path).expect(&at);
            let rest = walk(reader.with_checkpoints(), Some(replay));
            assert_eq!(rest.events[0].0.time, checkpoint.time(), "{at}");
            assert!(
                matches!(rest.events[0].0.kind, CompactKind::Sync { .. }),
                "{at}"
            );
            assert_eq!(rest.events, whole.events[*events..], "{at}");
            assert_eq!(rest.damage, whole.damage, "{at}");
            assert_eq!(rest.calls.0, whole.calls.0[*calls..], "{at}");
            // It gives the same checkpoints, of which the first is where it began.
            let times = |walk: &[(Checkpoint, usize, usize)]| {
                walk.iter().map(|it| it.0.time()).collect::<Vec<_>>()
            };
            assert_eq!(
                times(&rest.checkpoints),
                times(&whole.checkpoints[index..]),
                "{at}"
            );
            resumed_later += usize::from(index > 0);
        }
    }
    assert!(resumed_later >= 20, "{resumed_later}");
}

/// The checkpoint of the generation with this number.
fn checkpoint(bytes: &[u8], generation: u64) -> ReaderCheckpoint {
    let mut reader = Reader::new(bytes).expect("a trace").with_checkpoints();
    let mut event = CompactEvent::default();
    loop {
        assert!(reader.next_into(&mut event).expect("a whole trace"));
        match reader.checkpoint() {
            Some(checkpoint) if checkpoint.generation() == generation => return checkpoint,
            _ => {}
        }
    }
}

#[test]
fn a_file_that_is_shorter_or_another_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    let refused = |bytes: &[u8], checkpoint: &ReaderCheckpoint| {
        fs::write(&path, bytes).expect("a file");
        Reader::resume(&path, checkpoint).map(drop)
    };
    for version in [22, 23, 25, 26] {
        let bytes = long_trace(version, 4);
        let third = checkpoint(&bytes, 3);
        refused(&bytes, &third).expect("the file itself");
        let end = long_trace(version, 3).len();
        for length in (0..end).step_by(7).chain([end - 1]) {
            let error = refused(&bytes[..length], &third).expect_err("a file that is cut");
            let is_said = matches!(
                error.cause,
                ReadCause::NotATrace | ReadCause::Resume(ResumeError::TooShort { .. })
            );
            assert!(is_said, "{length} bytes: {error}");
        }
        let is_of_another = |bytes: &[u8]| {
            let error = refused(bytes, &third).expect_err("another file");
            let is_said = matches!(error.cause, ReadCause::Resume(ResumeError::OtherFile));
            assert!(is_said, "{error}");
            assert!(error.to_string().contains("checkpoint"), "{error}");
        };
        // Its generations begin elsewhere.
        is_of_another(&[long_trace(version, 1), long_trace(version, 9)].concat());
        // Its third generation began at another time, or with something else.
        let begin = long_trace(version, 2).len();
        for byte in begin..begin + 8 {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            is_of_another(&changed);
        }
        // Another version, otherwise the same.
        let mut other = bytes.clone();
        let header = *long_trace(if version == 23 { 22 } else { 23 }, 1)
            .first_chunk::<16>()
            .expect("a header");
        other[..16].copy_from_slice(&header);
        is_of_another(&other);
        let error = Reader::resume(folder.path(), &third).expect_err("a folder");
        assert!(matches!(
            error.cause,
            ReadCause::Resume(ResumeError::NotAFile)
        ));
        let error = Reader::resume(folder.path().join("none"), &third).expect_err("no file");
        assert!(matches!(error.cause, ReadCause::Io(_)));
    }
}

#[test]
fn a_file_that_is_damaged_behind_a_checkpoint_is_read_to_one_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    for version in [23, 26] {
        let bytes = long_trace(version, 4);
        let walked = walk(
            Reader::new(bytes.as_slice())
                .expect("a trace")
                .with_checkpoints(),
            None,
        );
        let (second, ..) = &walked.checkpoints[1];
        for byte in (long_trace(version, 1).len()..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1 << (byte % 8);
            fs::write(&path, &damaged).expect("a file");
            if let Ok((reader, replay)) = second.resume(&path) {
                walk(reader, Some(replay));
            }
        }
    }
}

#[test]
fn there_are_no_checkpoints_unless_asked_for_nor_in_traces_of_one_generation() {
    let bytes = long_trace(25, 3);
    let unasked = walk(Reader::new(bytes.as_slice()).expect("a trace"), None);
    assert!(unasked.checkpoints.is_empty());
    // A goroutine is made, starts and ends.
    let events = b"\x41\x00\xe8\x07\x02\x80\x94\xeb\xdc\x03\x45\x01\x07\xcd\x04\x01\x02\x00\x00\x66\x01\x02\x0f\x01";
    let old = [b"go 1.21 trace\0\0\0".as_slice(), events].concat();
    let walked = walk(
        Reader::new(old.as_slice())
            .expect("a trace")
            .with_checkpoints(),
        None,
    );
    assert_eq!(walked.damage, None);
    assert!(walked.events.len() > 4, "{:?}", walked.events);
    assert!(walked.checkpoints.is_empty());
}
