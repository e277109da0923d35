//! How the program and the flush thread talk: commands, answers, and the process's end.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use exectrace_format::ThreadId;

use crate::clock;
use crate::flush::Flusher;
use crate::local::{self, POOL, WAKE};
use crate::pool::Pool;
use crate::recording::{Output, Report, SinkError, StartError, StopError};
use crate::settings::Settings;
use crate::switch::{self, lock};

/// How long a process that exits waits for its recordings to be written.
const EXIT_PATIENCE: Duration = Duration::from_secs(5);

/// Names a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordingId(pub(crate) u64);

/// What the flush thread is asked to do.
pub(crate) enum Command {
    Start(Output, Reply<Result<RecordingId, StartError>>),
    /// Without a reply nobody waits for it.
    Stop(RecordingId, Option<Reply<Result<Report, StopError>>>),
    Note(String),
    /// Something about the build, under a key.
    About(&'static str, String),
    FinishAll(Reply<()>),
}

pub(crate) static COMMANDS: Mutex<Vec<Command>> = Mutex::new(Vec::new());

/// A place for one answer. Not a channel, because it is also waited on while a process exits, when
/// thread-local state is gone.
pub(crate) struct Reply<T>(Arc<(Mutex<Option<T>>, Condvar)>);

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Reply<T> {
    fn new() -> Self {
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

    fn wait_for(&self, patience: Duration) -> Option<T> {
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
    match local::is_flush_thread() {
        true => Err(StartError::OnFlushThread),
        false => Ok(()),
    }
}

/// Starts a recording; returns when records are switched on.
pub(crate) fn start(output: Output) -> Result<RecordingId, StartError> {
    can_start()?;
    ensure_running()?;
    let reply = Reply::new();
    send(Command::Start(output, reply.clone()));
    reply.wait()
}

/// Stops a recording; returns when all is written.
///
/// The flush thread cannot wait for itself: there it stops as soon as the present step is over.
pub(crate) fn stop(id: RecordingId) -> Result<Report, StopError> {
    if local::is_flush_thread() {
        send(Command::Stop(id, None));
        return Err(StopError::new(Report::default(), SinkError::OnFlushThread));
    }
    let reply = Reply::new();
    send(Command::Stop(id, Some(reply.clone())));
    reply.wait()
}

/// Writes a message into all recordings, as a log of the tracer's own user task `exectrace`.
///
/// For what a reader of the trace should know about how it was made, such as a change of a filter.
/// Does nothing while nothing records. Takes a lock: not for the program's own messages.
pub fn note(text: &str) {
    if switch::is_enabled() {
        send(Command::Note(text.to_owned()));
    }
}

/// Says something about the build in the recordings that run.
pub(crate) fn note_about(key: &'static str, value: &str) {
    if switch::is_enabled() {
        send(Command::About(key, value.to_owned()));
    }
}

fn send(command: Command) {
    lock(&COMMANDS).push(command);
    if let Some(thread) = WAKE.get() {
        thread.unpark();
    }
}

/// Makes the pool and the flush thread, once.
fn ensure_running() -> Result<(), StartError> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = lock(&STARTING);
    if WAKE.get().is_some() {
        return Ok(());
    }
    clock::decide();
    if POOL.get().is_none() {
        let bytes = Settings::take_into_use().memory();
        let pool = Pool::with_memory(bytes).ok_or(StartError::Memory { bytes })?;
        // Cannot be set already: this function holds a lock.
        let _ = POOL.set(pool);
    }
    let started: Reply<ThreadId> = Reply::new();
    let handle = spawn(started.clone()).map_err(StartError::Thread)?;
    started.wait();
    let _ = WAKE.set(handle.thread().clone());
    at_exit();
    Ok(())
}

fn spawn(started: Reply<ThreadId>) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new()
        .name("exectrace-flush".into())
        .spawn(move || {
            local::mute_this_thread();
            let id = ThreadId(local::thread_number());
            started.give(id);
            Flusher::new(id).run();
        })
}

/// Has recordings finished when the process exits, and nothing recorded in its forked children.
#[cfg(unix)]
fn at_exit() {
    extern "C" fn finish() {
        let reply = Reply::new();
        send(Command::FinishAll(reply.clone()));
        // The flush thread may be stuck in a sink; the process should end all the same.
        let _ = reply.wait_for(EXIT_PATIENCE);
    }
    extern "C" fn in_child() {
        // The child has no flush thread, so its records would only fill the pool.
        switch::set_enabled(false);
    }
    // SAFETY: the function lives as long as the program, and touches no thread-local state that has
    // a destructor.
    unsafe { libc::atexit(finish) };
    // SAFETY: the handler only stores to an atomic, which is allowed in a forked child.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
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
