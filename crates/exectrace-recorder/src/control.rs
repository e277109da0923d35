//! How the program and the flush thread talk: commands, answers, and the process's end.

use std::io;
#[cfg(unix)]
use std::mem::MaybeUninit;
#[cfg(unix)]
use std::ptr::null_mut;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use exectrace_format::ThreadId;

use crate::calls;
use crate::enabled::{self, lock};
use crate::exit;
use crate::flush::Flusher;
use crate::own_thread;
use crate::pool::Pool;
use crate::process::{self, Process};
use crate::recording::Seals;
use crate::report::{Report, SinkError, StartError, StopError};
use crate::settings::Settings;
use crate::sink::RecordingSink;
use crate::thread::thread_number;
use crate::{clock, heap, thread_buffer};

/// How long a process that exits waits for its recordings to be written.
const EXIT_PATIENCE: Duration = Duration::from_secs(5);

/// Names a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordingId(pub(crate) u64);

/// What the flush thread is asked to do.
pub(crate) enum Command {
    Start(Box<RecordingSink>, Reply<Result<RecordingId, StartError>>),
    /// Without a reply nobody waits for it.
    Stop(RecordingId, Option<Reply<Result<Report, StopError>>>),
    Note(String),
    /// Something about the build, under a key.
    About(&'static str, String),
    /// The file of a recording that has stopped is on the disk, or cannot be put there.
    Closed(RecordingId, io::Result<()>),
    /// Is answered when all is on the disk, with those whose callbacks may not have been called.
    FinishAll(Reply<Vec<Arc<Seals>>>),
}

/// A place for one answer. Not a channel, because it is also waited on while a process exits, when
/// thread-local state is gone.
pub(crate) struct Reply<T>(Arc<(Mutex<Option<T>>, Condvar)>);

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Reply<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Mutex::new(None), Condvar::new())))
    }

    pub(crate) fn give(&self, answer: T) {
        *lock(&self.0.0) = Some(answer);
        self.0.1.notify_all();
    }

    fn wait(&self) -> T {
        let mut place = lock(&self.0.0);
        loop {
            if let Some(answer) = place.take() {
                return answer;
            }
            let waited = self.0.1.wait(place);
            place = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    pub(crate) fn wait_for(&self, patience: Duration) -> Option<T> {
        let place = lock(&self.0.0);
        let waited = self
            .0
            .1
            .wait_timeout_while(place, patience, |answer| answer.is_none());
        let (mut place, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        place.take()
    }
}

/// Whether the calling thread may start a recording.
pub(crate) fn can_start() -> Result<(), StartError> {
    match thread_buffer::is_flush_thread() {
        true => Err(StartError::OnFlushThread),
        false => Ok(()),
    }
}

/// Starts a recording; returns when records are written.
pub(crate) fn start(output: RecordingSink) -> Result<RecordingId, StartError> {
    can_start()?;
    thread_buffer::with_buffer(|buffer| buffer.do_own_work(ensure_running))?;
    heap::settle();
    let reply = Reply::new();
    send(Command::Start(Box::new(output), reply.clone()));
    reply.wait()
}

/// Stops a recording; returns when all is written.
///
/// The flush thread cannot wait for itself: there it stops as soon as the present step is over.
pub(crate) fn stop(id: RecordingId) -> Result<Report, StopError> {
    if thread_buffer::is_flush_thread() {
        stop_in_background(id);
        return Err(StopError::new(Report::default(), SinkError::OnFlushThread));
    }
    let reply = Reply::new();
    send(Command::Stop(id, Some(reply.clone())));
    reply.wait()
}

/// Has a recording stopped, and waits for nothing.
pub(crate) fn stop_in_background(id: RecordingId) {
    send(Command::Stop(id, None));
}

/// Writes a message into all recordings, as a log of the tracer's own user task `exectrace`.
///
/// For what a reader of the trace should know about how it was made, such as a change of a filter.
/// Does nothing while nothing records. Takes a lock: not for the program's own messages.
pub fn note(text: &str) {
    if enabled::is_enabled() {
        send(Command::Note(text.to_owned()));
    }
}

/// Says something about the build in the recordings that run.
pub(crate) fn note_about(key: &'static str, value: &str) {
    if enabled::is_enabled() {
        send(Command::About(key, value.to_owned()));
    }
}

fn send(command: Command) {
    let process = process::current();
    lock(&process.commands).push(command);
    if let Some(thread) = process.flush_thread.get() {
        thread.unpark();
    }
}

/// Makes the pool and the flush thread, once in a process.
fn ensure_running() -> Result<(), StartError> {
    let process = process::current();
    let _starting = lock(&process.starting);
    if process.flush_thread.get().is_some() {
        return Ok(());
    }
    clock::decide();
    if process.pool.get().is_none() {
        let settings = Settings::take_into_use();
        calls::apply(settings.calls());
        settings.configure_samples();
        let bytes = settings.memory();
        let pool = Pool::with_memory(bytes).ok_or(StartError::Memory { bytes })?;
        // Cannot be set already: this function holds a lock.
        let _ = process.pool.set(pool);
    }
    let started: Reply<Thread> = Reply::new();
    spawn(process, started.clone()).map_err(StartError::Thread)?;
    let _ = process.flush_thread.set(started.wait());
    at_exit();
    Ok(())
}

fn spawn(process: &'static Process, started: Reply<Thread>) -> io::Result<()> {
    own_thread::spawn(c"exectrace-flush", move || {
        block_signals();
        thread_buffer::mute_this_thread();
        started.give(thread::current());
        Flusher::new(process, ThreadId(thread_number())).run();
    })
}

/// Has the program's signal handlers run on other threads: what they record here would be lost.
#[cfg(unix)]
pub(crate) fn block_signals() {
    let signals = all_but_faults();
    // SAFETY: the set is initialised; only the mask of the calling thread changes.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, null_mut()) };
}

/// All signals but those that an instruction causes, which are for the thread that ran it.
#[cfg(unix)]
pub(crate) fn all_but_faults() -> libc::sigset_t {
    const CAUSED: [libc::c_int; 7] = [
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGTRAP,
    ];
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills the set, which is writable.
    unsafe { libc::sigfillset(signals.as_mut_ptr()) };
    for signal in CAUSED {
        // SAFETY: the set was filled, and the signal exists.
        unsafe { libc::sigdelset(signals.as_mut_ptr(), signal) };
    }
    // SAFETY: it was filled above.
    unsafe { signals.assume_init() }
}

#[cfg(not(unix))]
pub(crate) fn block_signals() {}

/// Has recordings finished when the process exits.
#[cfg(unix)]
fn at_exit() {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    extern "C" fn finish() {
        let is_running = |process: &&Process| process.flush_thread.get().is_some();
        if process::existing().filter(is_running).is_none() || thread_buffer::is_flush_thread() {
            // A forked child that has no flush thread, or a sink that ends the process.
            return;
        }
        let reply = Reply::new();
        send(Command::FinishAll(reply.clone()));
        // The flush thread may be stuck in a sink, and a callback may wait for this thread, which it cannot know; the
        // process should end all the same.
        let end = Instant::now() + EXIT_PATIENCE;
        for seals in reply.wait_for(EXIT_PATIENCE).unwrap_or_default() {
            seals.wait_for_calls_until(end);
        }
        exit::call_all();
    }
    // Forked children inherit it.
    if !IS_SET.swap(true, Ordering::Relaxed) {
        // SAFETY: the function lives as long as the program, and touches no thread-local state that
        // has a destructor.
        unsafe { libc::atexit(finish) };
    }
}

#[cfg(not(unix))]
fn at_exit() {}

/// Gives an answer when it goes out of scope, whatever happened until then.
pub(crate) struct Answer<T> {
    reply: Reply<T>,
    answer: Option<T>,
}

impl<T> Answer<T> {
    pub(crate) fn new(reply: Reply<T>, otherwise: T) -> Self {
        Self {
            reply,
            answer: Some(otherwise),
        }
    }

    pub(crate) fn set(&mut self, answer: T) {
        self.answer = Some(answer);
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.reply.give(answer);
        }
    }
}

/// Reports to the flush thread that the file of a recording is closed, when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Closing {
    id: RecordingId,
    result: io::Result<()>,
}

impl Closing {
    pub(crate) fn new(id: RecordingId) -> Self {
        let result = Err(io::Error::other(
            "the thread that should close it has ended",
        ));
        Self { id, result }
    }

    pub(crate) fn set(&mut self, result: io::Result<()>) {
        self.result = result;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Ok(()));
        send(Command::Closed(self.id, result));
    }
}
