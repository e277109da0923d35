//! The trace that is shown: how it is read, and what was computed of it so far.

use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use exectrace_analysis::{Analysis, Finding};
use exectrace_format::Reader;
use rustc_hash::FxHashMap;

use crate::index::{Index, LaneKey, Levels};
use crate::question::Question;

/// Opens the trace from its begin.
type Open = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

/// A trace that can be read more than once.
pub struct Trace {
    label: String,
    bytes: Option<u64>,
    max_state_bytes: Option<u64>,
    open: Box<Open>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Trace");
        debug.field("label", &self.label);
        debug.field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Trace {
    /// A trace with a name for people. `open` is called each time that it is read: once for the time line, once for
    /// each question that is asked of it.
    pub fn new(
        label: impl Into<String>,
        open: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            label: label.into(),
            bytes: None,
            max_state_bytes: None,
            open: Box::new(open),
        }
    }

    /// How many bytes `open` yields, by which progress is shown.
    #[must_use]
    pub fn with_bytes(mut self, bytes: Option<u64>) -> Self {
        self.bytes = bytes;
        self
    }

    /// Most memory for what is alive at one time, as of
    /// [`Reader::with_max_state_bytes`](exectrace_format::Reader::with_max_state_bytes).
    #[must_use]
    pub fn with_max_state_bytes(mut self, bytes: u64) -> Self {
        self.max_state_bytes = Some(bytes);
        self
    }

    /// How the trace is called.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    fn reader<'a>(&self, progress: &'a Progress) -> Result<Reader<Counted<'a>>, String> {
        let input = (self.open)().map_err(|error| error.to_string())?;
        let counted = Counted { input, progress };
        let reader = Reader::new(counted).map_err(|error| error.to_string())?;
        Ok(match self.max_state_bytes {
            Some(bytes) => reader.with_max_state_bytes(bytes),
            None => reader,
        })
    }
}

/// How much of a trace has been read.
#[derive(Debug, Default)]
struct Progress(AtomicU64);

/// An input whose bytes are counted.
struct Counted<'a> {
    input: Box<dyn Read + Send>,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        // Relaxed: it is only shown.
        self.progress.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What an analysis says of a part of the trace.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) analysis: Analysis,
    pub(crate) findings: Vec<Finding>,
}

/// Computed once, by whoever asks first; the others wait.
type Once<T> = Arc<OnceLock<Result<T, String>>>;

/// Answers that are kept; the oldest is forgotten first.
const MAX_ANSWERS: usize = 12;
/// Bytes of sums of rows that are kept.
const MAX_LEVELS_BYTES: usize = 256 << 20;

/// A trace and what was computed of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) trace: Trace,
    progress: Progress,
    index: OnceLock<Result<Index, String>>,
    answers: Mutex<Vec<(Question, Once<Answer>)>>,
    levels: Mutex<FxHashMap<LaneKey, Arc<Levels>>>,
}

impl Opened {
    pub(crate) fn new(trace: Trace) -> Self {
        Self {
            trace,
            progress: Progress::default(),
            index: OnceLock::new(),
            answers: Mutex::default(),
            levels: Mutex::default(),
        }
    }

    /// The index. Reads the whole trace the first time: for a thread that may wait.
    pub(crate) fn index(&self) -> Result<&Index, String> {
        let read = || {
            let mut reader = self.trace.reader(&self.progress)?;
            Ok(Index::read(&mut reader))
        };
        self.index.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    /// The share of the trace that the index has read, from 0 to 1, if its size is known; `None` when it is there.
    pub(crate) fn progress(&self) -> Option<f64> {
        if self.index.get().is_some() {
            return None;
        }
        let read = self.progress.0.load(Ordering::Relaxed) as f64;
        Some(match self.trace.bytes {
            Some(bytes) => (read / bytes.max(1) as f64).min(1.0),
            None => 0.0,
        })
    }

    /// What an analysis says. Reads the trace unless the same was asked before: for a thread that may wait.
    pub(crate) fn answer(&self, question: &Question) -> Answered {
        let once = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let known = answers.iter().position(|(known, _)| known == question);
            let entry = match known {
                Some(known) => answers.remove(known),
                None => (question.clone(), Once::default()),
            };
            answers.push(entry.clone());
            if answers.len() > MAX_ANSWERS {
                answers.remove(0);
            }
            entry.1
        };
        once.get_or_init(|| {
            let progress = Progress::default();
            let mut reader = self.trace.reader(&progress)?;
            let analysis = Analysis::read(&mut reader, &question.options());
            let findings = analysis.findings();
            Ok(Answer { analysis, findings })
        });
        Answered(once)
    }

    /// The sums of a row.
    pub(crate) fn levels(&self, index: &Index, key: LaneKey) -> Arc<Levels> {
        let levels = || self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = levels().get(&key) {
            return known.clone();
        }
        let new = Arc::new(Levels::new(&index.lane(key), index.duration_ns));
        let mut levels = levels();
        let bytes: usize = levels.values().map(|known| known.bytes()).sum();
        if bytes + new.bytes() > MAX_LEVELS_BYTES {
            levels.clear();
        }
        levels.insert(key, new.clone());
        new
    }
}

/// An answer that somebody holds.
#[derive(Clone, Debug)]
pub(crate) struct Answered(Once<Answer>);

impl Answered {
    /// The answer, or why there is none.
    pub(crate) fn get(&self) -> Result<&Answer, String> {
        match self.0.get() {
            Some(answer) => answer.as_ref().map_err(Clone::clone),
            None => Err("the answer was not computed".to_owned()),
        }
    }
}
