//! Checkpoints: where a generation begins, and what a reader must know to begin with it.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::wire::Version;

use super::error::{ReadError, ResumeError};
use super::framing::BatchHead;
use super::generations::Generations;
use super::order::Order;
use super::time::TraceTime;
use super::{ReadStage, Reader};

/// The first batch of a generation, by which its file is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstBatch {
    pub(super) head: BatchHead,
    payload_hash: u64,
}

impl FirstBatch {
    pub(super) fn new(head: BatchHead, payload: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        Self {
            head,
            payload_hash: hasher.finish(),
        }
    }
}

/// The begin of a generation, from which [`Reader::resume`] goes on.
///
/// It is good for this process and this file. Memory: a copy of what is open across generations, as the
/// reader itself has it (at most [`MAX_STATE_BYTES`](crate::MAX_STATE_BYTES), mostly far less than a
/// megabyte). Clones share it.
#[derive(Clone, Debug)]
pub struct ReaderCheckpoint {
    pub(super) version: Version,
    pub(super) first: FirstBatch,
    /// How much of the file had been read when the generation was complete.
    pub(super) read_bytes: u64,
    /// The number of syncs before that of this generation.
    pub(super) syncs: u64,
    /// The time of its sync.
    pub(super) time: TraceTime,
    /// As it was before any event of this generation.
    pub(super) order: Arc<Order>,
}

impl ReaderCheckpoint {
    /// The time of the generation's [`Sync`](crate::CompactKind::Sync), which a reader that goes on from here
    /// yields first.
    pub fn time(&self) -> TraceTime {
        self.time
    }

    /// The number of the generation.
    pub fn generation(&self) -> u64 {
        self.first.head.generation
    }

    fn error(&self, cause: ResumeError) -> ReadError {
        ReadError {
            offset: self.first.head.offset,
            generation: self.generation(),
            cause: cause.into(),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Lets the reader give a [`checkpoint`](Self::checkpoint) at the begin of each generation that it reads
    /// from now on.
    ///
    /// At each of them it copies what is open across generations, whether the checkpoint is asked for or not.
    #[must_use]
    pub fn with_checkpoints(mut self) -> Self {
        self.source.keep_first_batches();
        self
    }

    /// The begin of a generation, to go on from it later, with [`Reader::resume`].
    ///
    /// There is one directly after [`next_into`](Self::next_into) or the iterator has yielded the
    /// [`Sync`](crate::CompactKind::Sync) of the generation, if the reader was made
    /// [`with_checkpoints`](Self::with_checkpoints). There is none at any other event, nor at the sync at the
    /// end of a trace, nor in a trace of Go 1.21 or earlier, which is one generation.
    ///
    /// ```
    /// use exectrace_format::{CompactEvent, CompactKind, Reader, text};
    ///
    /// # let path = std::env::temp_dir().join(format!("exectrace-checkpoint-{}", std::process::id()));
    /// # let generation = |n: u64| format!(
    /// #     "generation {n}\nbatch m=0 time={n}000 sync\n  frequency 1000000000\n  clock +0 mono=1 sec=1 nsec=0\n"
    /// # );
    /// # let trace = ["go 1.25\n".to_owned(), generation(1), generation(2), generation(3)].concat();
    /// # std::fs::write(&path, text::parse(&trace).unwrap()).unwrap();
    /// let mut reader = Reader::open(&path)?.with_checkpoints();
    /// let mut event = CompactEvent::default();
    /// let mut checkpoints = Vec::new();
    /// while reader.next_into(&mut event)? {
    ///     checkpoints.extend(reader.checkpoint());
    /// }
    /// assert_eq!(checkpoints.len(), 3);
    ///
    /// let mut resumed = Reader::resume(&path, &checkpoints[1])?;
    /// assert!(resumed.next_into(&mut event)?);
    /// assert!(matches!(event.kind, CompactKind::Sync { number: 2, .. }));
    /// assert_eq!(event.time, checkpoints[1].time());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), exectrace_format::ReadError>(())
    /// ```
    pub fn checkpoint(&self) -> Option<ReaderCheckpoint> {
        let is_at_sync = self.stage == ReadStage::Side && self.side.is_at_begin();
        self.checkpoint.clone().filter(|_| is_at_sync)
    }
}

impl Reader<File> {
    /// Opens a file again, to go on at a checkpoint: with the sync of its generation, and then with the same
    /// events, at the same times, as the reader that gave the checkpoint.
    ///
    /// `path` must be a regular file with the bytes that this reader read, which may have been another kind
    /// of input. Like [`open`](Self::open) in memory; of what stands before the generation only the header is
    /// read. A limit set by [`with_max_state_bytes`](Self::with_max_state_bytes) still holds;
    /// [`with_checkpoints`](Self::with_checkpoints) does not.
    ///
    /// The file is recognised by its version and by the first batch of the generation, and must not have become
    /// shorter than what was read for it. Other changes are not noticed here: as with `open`, events may be
    /// wrong then, or reading ends with an error.
    ///
    /// Goroutines that are alive are not reported again. What follows their states, as analyses do, needs the state
    /// at the checkpoint as well, which `Checkpoint` of `exectrace-replay` holds beside this one.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read, is no trace, or is not the one that the checkpoint is of
    /// ([`ResumeError`]).
    pub fn resume(
        path: impl AsRef<Path>,
        checkpoint: &ReaderCheckpoint,
    ) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let error = |cause: std::io::Error| ReadError {
            offset: 0,
            generation: 0,
            cause: cause.into(),
        };
        // Before it is opened: to open a pipe may take for ever.
        if !std::fs::metadata(path).map_err(error)?.is_file() {
            return Err(checkpoint.error(ResumeError::NotAFile));
        }
        let file = File::open(path).map_err(error)?;
        let again = File::open(path).map_err(error)?;
        let bytes = file.metadata().map_err(error)?.len();
        let mut source = Generations::new(file)?;
        if source.version() != checkpoint.version {
            return Err(checkpoint.error(ResumeError::OtherFile));
        }
        let wanted = checkpoint.read_bytes;
        if bytes < wanted {
            return Err(checkpoint.error(ResumeError::TooShort { bytes, wanted }));
        }
        match source.seek(&checkpoint.first) {
            Ok(true) => {}
            Ok(false) => return Err(checkpoint.error(ResumeError::OtherFile)),
            Err(cause) => return Err(error(cause)),
        }
        let mut reader = Self::of(source, Some(again));
        reader.order = Order::clone(&checkpoint.order);
        reader.syncs = checkpoint.syncs;
        Ok(reader)
    }
}
