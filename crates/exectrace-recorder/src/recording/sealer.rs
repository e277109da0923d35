//! Who finishes the files of a rotating recording: two threads of its own, so that the flush thread does not wait for
//! disks, nor the budget for the program's callback.
//!
//! `exectrace-sealer` puts finished files on the disk under their final names, keeps the budget, and sees to the files of
//! dead processes. `exectrace-sealed` calls the callback, if there is one. Both end with the recording.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use super::file_name::FileName;
use super::folder::{Folder, wall};
use super::rotation::SealedCallback;
use super::sealed::{Contents, Sealed};
use crate::control;
use crate::enabled::lock;
use crate::file_lock;
use crate::group_file::GroupFile;
use crate::process;
use crate::report::SinkError;
use crate::thread_buffer;

/// How many files may wait for the callback.
const MAX_WAITING: usize = 1_024;

/// A file that nothing more is written to.
#[derive(Debug)]
pub(crate) struct ToSeal {
    pub(crate) file: GroupFile,
    pub(crate) name: FileName,
    /// Since 1970.
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
    pub(crate) contents: Contents,
}

/// What has become of a recording's files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Files that this recording wrote and sealed.
    pub(crate) files: u64,
    /// Those that it wrote and could not seal.
    pub(crate) files_lost: u64,
    pub(crate) calls_failed: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Files to be sealed, and files to call the callback with.
    unsealed: usize,
    uncalled: usize,
    tally: Tally,
    errors: Vec<SinkError>,
}

/// What the two threads share with those who wait for them.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    state: Mutex<State>,
    changed: Condvar,
    /// The one that runs the callback.
    calling_thread: OnceLock<thread::ThreadId>,
}

impl Seals {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    fn wait_while(&self, is_waiting: impl Fn(&State) -> bool) {
        let mut state = lock(&self.state);
        while is_waiting(&state) {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Waits until all files are sealed.
    pub(crate) fn wait_for_files(&self) {
        self.wait_while(|state| state.unsealed > 0);
    }

    /// Waits until the callback was called with all files; not on the thread that calls it.
    pub(crate) fn wait_for_calls(&self) {
        if self.calling_thread.get() != Some(&thread::current().id()) {
            self.wait_while(|state| state.unsealed + state.uncalled > 0);
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        lock(&self.state).tally
    }

    pub(crate) fn take_errors(&self) -> Vec<SinkError> {
        std::mem::take(&mut lock(&self.state).errors)
    }
}

/// The flush thread's end.
#[derive(Debug)]
pub(crate) struct Sealer {
    seals: Arc<Seals>,
    files: mpsc::Sender<ToSeal>,
}

impl Sealer {
    /// Starts the threads. The first thing that is done is to look after dead processes.
    pub(crate) fn start(
        folder: Folder,
        budget: u64,
        callback: Option<SealedCallback>,
    ) -> io::Result<Self> {
        let seals = Arc::new(Seals::default());
        let calls = match callback {
            None => None,
            Some(callback) => Some(start_calling(&seals, callback)?),
        };
        let (files, to_seal) = mpsc::channel();
        let sealing = Sealing {
            seals: Arc::clone(&seals),
            folder,
            budget,
            calls,
        };
        // The look after the dead counts as one.
        seals.change(|state| state.unsealed = 1);
        thread::Builder::new()
            .name("exectrace-sealer".into())
            .spawn(move || {
                control::block_signals();
                thread_buffer::mute_this_thread();
                sealing.run(&to_seal);
            })?;
        Ok(Self { seals, files })
    }

    pub(crate) fn seal(&self, file: ToSeal) {
        self.seals.change(|state| state.unsealed += 1);
        if self.files.send(file).is_err() {
            // The thread lives as long as this sender.
            self.seals.change(|state| state.unsealed -= 1);
        }
    }

    pub(crate) fn seals(&self) -> &Arc<Seals> {
        &self.seals
    }
}

/// The thread that seals.
struct Sealing {
    seals: Arc<Seals>,
    folder: Folder,
    budget: u64,
    calls: Option<SyncSender<Sealed>>,
}

impl Sealing {
    fn run(&self, to_seal: &Receiver<ToSeal>) {
        self.step(|| self.tidy(None));
        for file in to_seal {
            self.step(|| {
                let name = file.name.clone();
                self.seal(file);
                self.tidy(Some(&name));
            });
        }
    }

    /// A panic is a mistake of ours; whoever waits must not wait for ever.
    fn step(&self, step: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(step)).is_err() {
            self.seals
                .change(|state| state.errors.push(SinkError::Internal));
        }
        self.seals.change(|state| state.unsealed -= 1);
    }

    fn seal(&self, file: ToSeal) {
        let sealed = self.folder.seal(&file.name, file.file.file());
        file_lock::release(file.file.file());
        match sealed {
            Ok(path) => {
                self.seals.change(|state| state.tally.files += 1);
                self.call(Sealed {
                    path,
                    number: file.name.number,
                    begin: wall(file.begin),
                    end: wall(file.end),
                    bytes: file.file.bytes(),
                    contents: Some(file.contents),
                });
            }
            Err(cause) => self.seals.change(|state| {
                state.tally.files_lost += 1;
                state.errors.push(SinkError::Seal {
                    path: self.folder.finished(&file.name),
                    cause: Arc::new(cause),
                });
            }),
        }
    }

    /// Looks after dead processes, and keeps the budget.
    fn tidy(&self, newest: Option<&FileName>) {
        let tidied = self
            .folder
            .seal_of_the_dead(&mut |found| match found {
                Ok(sealed) => self.call(sealed),
                Err(error) => self.seals.change(|state| state.errors.push(error)),
            })
            .and_then(|()| self.folder.keep_budget(self.budget, newest));
        match tidied {
            // A folder that is not there holds nothing; that files cannot be made in it is said elsewhere.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.report(&self.folder.path, error);
            }
            _ => {}
        }
    }

    fn report(&self, path: &std::path::Path, cause: io::Error) {
        let error = SinkError::Folder {
            path: PathBuf::from(path),
            cause: Arc::new(cause),
        };
        self.seals.change(|state| state.errors.push(error));
    }

    fn call(&self, sealed: Sealed) {
        let Some(calls) = &self.calls else {
            return;
        };
        self.seals.change(|state| state.uncalled += 1);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = calls.try_send(sealed) {
            self.seals.change(|state| {
                state.uncalled -= 1;
                state.tally.calls_failed += 1;
            });
        }
    }
}

/// Starts the thread that calls the callback.
fn start_calling(
    seals: &Arc<Seals>,
    mut callback: SealedCallback,
) -> io::Result<SyncSender<Sealed>> {
    let (calls, to_call) = mpsc::sync_channel::<Sealed>(MAX_WAITING);
    let seals = Arc::clone(seals);
    let process = process::number();
    thread::Builder::new()
        .name("exectrace-sealed".into())
        .spawn(move || {
            let _ = seals.calling_thread.set(thread::current().id());
            for sealed in to_call {
                let called = catch_unwind(AssertUnwindSafe(|| callback(&sealed)));
                if process::number() != process {
                    // The callback has forked, and this is the child, in which nobody else is left.
                    return;
                }
                seals.change(|state| {
                    state.uncalled -= 1;
                    state.tally.calls_failed += u64::from(called.is_err());
                });
            }
        })?;
    Ok(calls)
}
