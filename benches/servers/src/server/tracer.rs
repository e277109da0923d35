//! The tracer in a server's process, in each of its modes.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use exectrace::{Handle, Recording, Report};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::failure;
use crate::arguments::Order;
use crate::case::Mode;
use crate::failure::Failure;

/// How long [`Mode::Toggled`] records, and how long it then does not.
const TOGGLE: Duration = Duration::from_millis(50);

/// The tracer, as the mode wants it.
pub(super) enum Tracer {
    /// There is none, or nothing records.
    Quiet,
    On(Recording, PathBuf),
    /// A thread switches; it ends when the sender is dropped.
    Toggled(Sender<()>, JoinHandle<Result<Vec<Recorded>, Failure>>),
}

impl Tracer {
    pub(super) fn install(order: &Order) -> Result<Self, Failure> {
        match order.mode {
            Mode::None => Ok(Self::Quiet),
            Mode::Off => subscriber().map(|_| Self::Quiet),
            Mode::OnHooks => Self::on(order),
            Mode::On => subscriber().and_then(|_| Self::on(order)),
            Mode::OnLayer => layer().and_then(|()| Self::on(order)),
            Mode::Toggled => {
                let handle = subscriber()?;
                let (end, ended) = mpsc::channel();
                let folder = order.folder.clone();
                let thread = std::thread::spawn(move || toggle(&handle, &folder, &ended));
                Ok(Self::Toggled(end, thread))
            }
        }
    }

    fn on(order: &Order) -> Result<Self, Failure> {
        let path = trace_path(&order.folder, 0);
        let started = exectrace::start(&path);
        let recording = started.map_err(|error| failure("start recording", error))?;
        Ok(Self::On(recording, path))
    }

    /// Stops the recording, and returns all that was recorded.
    pub(super) fn finish(self) -> Result<Vec<Recorded>, Failure> {
        match self {
            Self::Quiet => Ok(Vec::new()),
            Self::On(recording, path) => {
                let report = recording.stop();
                let report = report.map_err(|error| failure("stop recording", error))?;
                Ok(vec![Recorded::new(&path, &report)])
            }
            Self::Toggled(end, thread) => {
                drop(end);
                let recorded = thread.join();
                recorded.map_err(|_| failure("record", "the thread that switches panicked"))?
            }
        }
    }
}

fn subscriber() -> Result<Handle, Failure> {
    let handle = exectrace::init().map_err(|error| failure("install the subscriber", error))?;
    handle.reload(exectrace::Filter::everything());
    Ok(handle)
}

fn layer() -> Result<(), Failure> {
    let (layer, handle) = exectrace::layer();
    handle.reload(exectrace::Filter::everything());
    let registry = tracing_subscriber::registry().with(layer);
    registry
        .try_init()
        .map_err(|error| failure("install the layer", error))
}

/// On and off, each recording into a file of its own, until the sender is gone.
fn toggle(
    handle: &Handle,
    folder: &Path,
    ended: &mpsc::Receiver<()>,
) -> Result<Vec<Recorded>, Failure> {
    let goes_on = || matches!(ended.recv_timeout(TOGGLE), Err(RecvTimeoutError::Timeout));
    let mut recorded = Vec::new();
    while goes_on() {
        let path = trace_path(folder, recorded.len());
        let started = handle.start(&path);
        started.map_err(|error| failure("start recording", error))?;
        let is_more = goes_on();
        let report = handle.stop();
        let report = report.map_err(|error| failure("stop recording", error))?;
        recorded.push(Recorded::new(&path, &report));
        if !is_more {
            break;
        }
    }
    Ok(recorded)
}

fn trace_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number:04}.trace"))
}

/// What the report of a recording said, and in which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The file's name in the folder.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) dropped: u64,
    pub(crate) untracked: u64,
}

impl Recorded {
    fn new(path: &Path, report: &Report) -> Self {
        let file = path.file_name().unwrap_or_default();
        Self {
            file: file.to_string_lossy().into_owned(),
            bytes: report.bytes,
            records: report.records,
            dropped: report.records_dropped,
            untracked: report.untracked,
        }
    }

    /// How the server's process reports it.
    pub(crate) fn line(&self) -> String {
        let Self {
            file,
            bytes,
            records,
            dropped,
            untracked,
        } = self;
        format!("recorded {file} {bytes} {records} {dropped} {untracked}")
    }

    /// Reads what [`line`](Self::line) wrote.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("recorded ")?.split(' ');
        let file = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Self {
            file,
            bytes: number()?,
            records: number()?,
            dropped: number()?,
            untracked: number()?,
        })
    }
}
