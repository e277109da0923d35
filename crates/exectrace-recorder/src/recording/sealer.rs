//! Who finishes the files of a rotating recording: two threads of its own, so that the flush thread does not wait for
//! disks, nor the budget for the program's callback.
//!
//! `exectrace-sealer` puts finished files on the disk under their final names, keeps the budget, and sees to the files of
//! dead processes, one by one while none of its own waits. `exectrace-sealed` calls the callback, if there is one. Both
//! end with the recording. Nobody waits for the first but by [`Closing`], and only who stops a recording for the second.

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::file_name::FileName;
use super::folder::{Folder, wall};
use super::rotation::SealedCallback;
use super::sealed::{Contents, Sealed};
use crate::control::{self, Closing};
use crate::enabled::lock;
use crate::file_lock;
use crate::own_thread;
use crate::process;
use crate::report::SinkError;
use crate::thread_buffer;

/// How many files may wait for the callback.
const MAX_WAITING: usize = 1_024;
/// How many files may wait for being sealed. What is more is lost: each holds a descriptor, and room on the disk.
pub(crate) const MAX_UNSEALED: usize = 32;
/// How many files that could not be sealed are left on the disk. Of more, the oldest is removed: they are not in the
/// budget.
const MAX_FAILED: usize = 4;
/// How many files of others are remembered for not being reported again. More are not reported.
const MAX_REPORTED: usize = 1_024;

thread_local! {
    /// The address of the [`Seals`] whose callback this thread calls. It has no destructor, so it can be asked for while
    /// the process exits.
    static CALLS_FOR: Cell<usize> = const { Cell::new(0) };
}

/// A file that nothing more is written to.
#[derive(Debug)]
pub(crate) struct ToSeal {
    pub(crate) file: File,
    pub(crate) bytes: u64,
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

/// Something that went wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: SinkError,
    /// The recording lacks a file.
    pub(crate) is_loss: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Files to be sealed, and files to call the callback with.
    unsealed: usize,
    uncalled: usize,
    tally: Tally,
    faults: Vec<Fault>,
}

impl State {
    fn lose(&mut self, error: SinkError) {
        self.tally.files_lost += 1;
        let is_loss = true;
        self.faults.push(Fault { error, is_loss });
    }
}

/// What the two threads share with those who wait for them.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    state: Mutex<State>,
    changed: Condvar,
}

impl Seals {
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let changed = change(&mut lock(&self.state));
        self.changed.notify_all();
        changed
    }

    /// Whether the callback is still to be called, or runs.
    pub(crate) fn is_calling(&self) -> bool {
        lock(&self.state).uncalled > 0
    }

    /// Waits until the callback was called with all files that were sealed, but not on the thread that calls it.
    pub(crate) fn wait_for_calls(&self) {
        // As if for ever.
        while !self.wait_for_calls_until(Instant::now() + Duration::from_secs(3_600)) {}
    }

    /// The same, until this time at most; says whether nothing is left to wait for.
    pub(crate) fn wait_for_calls_until(&self, end: Instant) -> bool {
        if CALLS_FOR.get() == std::ptr::from_ref(self).addr() {
            return true;
        }
        let patience = end.saturating_duration_since(Instant::now());
        let is_calling = |state: &mut State| state.uncalled > 0;
        let state = lock(&self.state);
        let waited = self.changed.wait_timeout_while(state, patience, is_calling);
        let (state, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        state.uncalled == 0
    }

    pub(crate) fn tally(&self) -> Tally {
        lock(&self.state).tally
    }

    pub(crate) fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut lock(&self.state).faults)
    }
}

/// What the thread that seals is asked to do.
enum Work {
    Seal(ToSeal),
    /// Nothing more will come.
    End(Closing),
}

/// The flush thread's end.
#[derive(Debug)]
pub(crate) struct Sealer {
    seals: Arc<Seals>,
    work: mpsc::Sender<Work>,
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
        let (sender, work) = mpsc::channel();
        let sealing = Sealing {
            seals: Arc::clone(&seals),
            folder,
            budget,
            calls,
            newest: None,
            found: VecDeque::new(),
            failed: VecDeque::new(),
            reported: HashSet::new(),
        };
        own_thread::spawn(c"exectrace-sealer", move || {
            control::block_signals();
            thread_buffer::mute_this_thread();
            sealing.run(&work);
        })?;
        Ok(Self {
            seals,
            work: sender,
        })
    }

    /// Has a file sealed, if not too many wait; returns it otherwise. `is_last` is sealed in any case.
    pub(crate) fn seal(&self, file: ToSeal, is_last: bool) -> Result<(), ToSeal> {
        let is_taken = self.seals.change(|state| {
            let is_taken = is_last || state.unsealed < MAX_UNSEALED;
            state.unsealed += usize::from(is_taken);
            is_taken
        });
        if !is_taken {
            return Err(file);
        }
        // The thread lives as long as this sender.
        let _ = self.work.send(Work::Seal(file));
        Ok(())
    }

    /// A file is lost that was not given to be sealed.
    pub(crate) fn lose(&self, error: SinkError) {
        self.seals.change(|state| state.lose(error));
    }

    /// No file will come. `closing` is over when all have been sealed.
    pub(crate) fn end(&self, closing: Closing) {
        let _ = self.work.send(Work::End(closing));
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
    /// The file that was sealed last.
    newest: Option<FileName>,
    /// Files of which it is to be looked whether their processes are dead.
    found: VecDeque<FileName>,
    /// Files that this recording has lost, which are still on the disk. They are not sealed in another's name.
    failed: VecDeque<FileName>,
    /// Files of others that could not be sealed, and whether the folder could not be tidied up.
    reported: HashSet<Option<FileName>>,
}

impl Sealing {
    fn run(mut self, work: &Receiver<Work>) {
        self.step(Self::look);
        loop {
            let next = match work.try_recv() {
                Err(TryRecvError::Empty) if !self.found.is_empty() => {
                    self.step(Self::seal_one_of_the_dead);
                    continue;
                }
                Err(TryRecvError::Empty) => work.recv().ok(),
                Err(TryRecvError::Disconnected) => None,
                Ok(next) => Some(next),
            };
            match next {
                None => return,
                Some(Work::Seal(file)) => {
                    self.step(|sealing| sealing.seal(file));
                    self.seals.change(|state| state.unsealed -= 1);
                    self.step(Self::look);
                }
                Some(Work::End(mut closing)) => {
                    while !self.found.is_empty() {
                        self.step(Self::seal_one_of_the_dead);
                    }
                    return closing.set(Ok(()));
                }
            }
        }
    }

    /// A panic is a mistake of ours; whoever waits must not wait for ever.
    fn step(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            let error = SinkError::Internal;
            self.fault(error, true);
        }
    }

    fn seal(&mut self, file: ToSeal) {
        let sealed = self.folder.seal(&file.name, &file.file);
        file_lock::release(&file.file);
        match sealed {
            Ok(path) => {
                self.seals.change(|state| state.tally.files += 1);
                self.call(Sealed {
                    path,
                    number: file.name.number,
                    begin: wall(file.begin),
                    end: wall(file.end),
                    bytes: file.bytes,
                    contents: Some(file.contents),
                });
                self.newest = Some(file.name);
            }
            Err(cause) => {
                let path = self.folder.finished(&file.name);
                let cause = Arc::new(cause);
                let error = SinkError::Seal { path, cause };
                self.seals.change(|state| state.lose(error));
                self.failed.push_back(file.name);
                if self.failed.len() > MAX_FAILED
                    && let Some(oldest) = self.failed.pop_front()
                {
                    self.folder.discard(&oldest);
                }
            }
        }
    }

    /// Keeps the budget, and looks for files of dead processes.
    fn look(&mut self) {
        self.keep_budget();
        match self.folder.unfinished_files() {
            Ok(found) => {
                self.found = found.into();
                self.found.retain(|name| !self.failed.contains(name));
            }
            Err(error) => self.folder_fault(error),
        }
    }

    fn keep_budget(&mut self) {
        match self.folder.keep_budget(self.budget, self.newest.as_ref()) {
            // The next fault is news again.
            Ok(()) => drop(self.reported.remove(&None)),
            Err(error) => self.folder_fault(error),
        }
    }

    fn seal_one_of_the_dead(&mut self) {
        let Some(name) = self.found.pop_front() else {
            return;
        };
        match self.folder.seal_if_dead(&name) {
            Ok(None) => {}
            Ok(Some(sealed)) => {
                self.call(sealed);
                self.keep_budget();
            }
            Err(error) => self.fault_of_others(Some(name), error),
        }
    }

    /// A folder that is not there holds nothing; that files cannot be made in it is said elsewhere.
    fn folder_fault(&mut self, cause: io::Error) {
        if cause.kind() != io::ErrorKind::NotFound {
            let error = SinkError::Folder {
                path: PathBuf::from(&self.folder.path),
                cause: Arc::new(cause),
            };
            self.fault_of_others(None, error);
        }
    }

    /// Reports, once, what went wrong with a file of others, or with the folder. The recording lacks nothing.
    fn fault_of_others(&mut self, what: Option<FileName>, error: SinkError) {
        if self.reported.len() < MAX_REPORTED && self.reported.insert(what) {
            self.fault(error, false);
        }
    }

    fn fault(&self, error: SinkError, is_loss: bool) {
        let fault = Fault { error, is_loss };
        self.seals.change(|state| state.faults.push(fault));
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
    own_thread::spawn(c"exectrace-sealed", move || {
        CALLS_FOR.set(Arc::as_ptr(&seals).addr());
        for sealed in to_call {
            let called = catch_unwind(AssertUnwindSafe(|| callback(&sealed)));
            // What it panics with could panic again when it is dropped.
            let called = called.map_err(std::mem::forget);
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
