//! Checkpoints, from which a trace is replayed again.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use exectrace_format::{ReadError, Reader, ReaderCheckpoint, TraceTime};

use crate::replay::Replay;
use crate::state::State;

/// The begin of a generation, from which a replay goes on: so a viewer that keeps one for each generation
/// comes to any instant by replaying about a second of the trace.
///
/// Memory: a copy of the [`State`], and the [`ReaderCheckpoint`]. Both hold what is open, a few hundred bytes
/// for each goroutine that is alive. The state also holds the tables of [`Names`](crate::Names), which grow
/// with the number of different names and stacks so far; their texts and frames are shared by all copies.
///
/// ```
/// use std::convert::Infallible;
/// use exectrace_format::{CompactEvent, GoId, ReadError, Reader, text};
/// use exectrace_replay::{Checkpoint, Input, Observer, Replay, Slot, State};
///
/// /// Which goroutine enters a state, when.
/// #[derive(Clone, Debug, Default, PartialEq)]
/// struct Entries(Vec<(i64, GoId)>);
///
/// impl Observer for Entries {
///     type Error = Infallible;
///
///     fn enter(&mut self, state: &State, slot: Slot) -> Result<(), Infallible> {
///         self.0.push((state.now(), state.goroutines().at(slot).id));
///         Ok(())
///     }
/// }
///
/// # let path = std::env::temp_dir().join(format!("exectrace-replay-{}", std::process::id()));
/// # let bytes = text::parse("go 1.25\n\
/// #     generation 1\n\
/// #     batch m=0 time=1000 sync\n  frequency 1000000000\n  clock +0 mono=1 sec=1 nsec=0\n\
/// #     batch m=7 time=1000 events\n  +1 ProcStatus proc=1 status=Running\n  +1 GoStatus go=1 thread=7 status=Running\n\
/// #       +1 GoCreate go=2 go_stack=0 stack=0\n\
/// #     generation 2\n\
/// #     batch m=0 time=2000 sync\n  frequency 1000000000\n  clock +0 mono=2 sec=2 nsec=0\n\
/// #     batch m=7 time=2000 events\n  +1 ProcStatus proc=1 status=Running\n  +1 GoStatus go=1 thread=7 status=Running\n\
/// #       +1 GoStatus go=2 thread=0 status=Runnable\n  +5 GoStop reason=0 stack=0\n  +5 GoStart go=2 seq=1\n",
/// # ).unwrap();
/// # std::fs::write(&path, &bytes).unwrap();
/// // The whole trace, with a checkpoint at each generation, and how many entries there had been.
/// let mut reader = Reader::open(&path)?.with_checkpoints();
/// let mut all = Entries::default();
/// let mut replay = Replay::new(&mut all);
/// let mut event = CompactEvent::default();
/// let mut checkpoints = Vec::new();
/// while reader.next_into(&mut event)? {
///     if let Some(checkpoint) = Checkpoint::take(&reader, &replay) {
///         checkpoints.push((checkpoint, all.0.len()));
///     }
///     let input = Input::of(&reader, &event);
///     let Ok(()) = replay.step(&input, &mut all);
/// }
/// let Ok(()) = replay.finish(&mut all);
/// assert_eq!(checkpoints.len(), 2);
///
/// // And again from the second generation on.
/// let (second, before) = &checkpoints[1];
/// let (mut reader, replay) = second.resume(&path)?;
/// let mut rest = Entries::default();
/// let Ok(damage) = replay.run(&mut reader, &mut rest);
/// assert!(damage.is_none());
/// assert_eq!(rest.0, all.0[*before..]);
/// assert_eq!(rest.0, [(2008, GoId(1)), (2013, GoId(2))]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), ReadError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    reader: ReaderCheckpoint,
    state: State,
}

impl Checkpoint {
    /// The generation that begins here: to be called when the reader, made
    /// [`with_checkpoints`](Reader::with_checkpoints), has yielded an event and the replay has not taken it.
    ///
    /// `None` unless that event is the [`Sync`](exectrace_format::CompactKind::Sync) of a generation
    /// ([`Reader::checkpoint`]), and when the replay has taken it already.
    pub fn take<R: Read>(reader: &Reader<R>, replay: &Replay) -> Option<Self> {
        let reader = reader.checkpoint()?;
        let state = replay.state();
        let is_before = !state.has_begun || state.now < reader.time().0;
        is_before.then(|| Self {
            reader,
            state: state.clone(),
        })
    }

    /// The time at which the generation begins. For an instant the last checkpoint that is not later is best.
    pub fn time(&self) -> TraceTime {
        self.reader.time()
    }

    /// The state before the generation.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Opens the file again, for a replay from here on. Its observer gets the calls that one of the whole trace
    /// would get from here on, but not [`start`](crate::Observer::start): names that it looks for are in the
    /// [`State`], if an observer has added them when the whole trace was replayed.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::resume`].
    pub fn resume(&self, path: impl AsRef<Path>) -> Result<(Reader<File>, Replay), ReadError> {
        let reader = Reader::resume(path, &self.reader)?;
        Ok((reader, Replay::resume(self.state.clone())))
    }
}
