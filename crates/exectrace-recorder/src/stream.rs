//! The stream of a recording: its bytes in memory, for a reader that takes them when it can.
//!
//! The flush thread puts each group at the end, and whoever reads takes the first. The flush thread never waits for
//! the reader. When the reader is behind by more bytes than were allowed, the recording ends, and says so in its
//! last bytes.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::enabled::lock;

/// Reads a recording while it is made. Made by [`RecordingOptions::start_stream`](crate::RecordingOptions::start_stream).
///
/// An async reader calls [`poll_next`](Self::poll_next). On a thread, it is an iterator that waits for each part. The
/// parts in their order are a trace; each is one or more whole batches of the format, so what was read until any of
/// them is a valid trace as well.
///
/// If it is dropped, its recording ends with an error at the next group.
#[derive(Debug)]
pub struct Stream(Arc<Shared>);

/// The end of a stream that the flush thread has.
#[derive(Debug)]
pub(crate) struct StreamWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when there is more, and at the end.
    more: Condvar,
    /// How many bytes may wait.
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Vec<u8>>,
    /// Bytes in them.
    waiting: usize,
    /// Nothing more will come.
    is_ended: bool,
    /// Nobody reads any more.
    is_abandoned: bool,
    waker: Option<Waker>,
}

/// Why a part was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no reader.
    Abandoned,
    /// So many bytes wait for the reader.
    Full(usize),
}

/// A stream in which so many bytes may wait; a single part may be larger.
pub(crate) fn stream(capacity: usize) -> (StreamWriter, Stream) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        more: Condvar::new(),
        capacity,
    });
    (StreamWriter(Arc::clone(&shared)), Stream(shared))
}

impl StreamWriter {
    /// Puts a part at the end, if there is room.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<(), Refused> {
        self.push_if(bytes, |waiting| {
            waiting == 0 || waiting.saturating_add(bytes.len()) <= self.0.capacity
        })
    }

    /// Puts a small part at the end in any case.
    pub(crate) fn push_last(&self, bytes: &[u8]) {
        // Without a reader nobody misses it.
        let _ = self.push_if(bytes, |_| true);
    }

    fn push_if(&self, bytes: &[u8], has_room: impl FnOnce(usize) -> bool) -> Result<(), Refused> {
        let mut state = lock(&self.0.state);
        if state.is_abandoned {
            return Err(Refused::Abandoned);
        }
        if !has_room(state.waiting) {
            return Err(Refused::Full(state.waiting));
        }
        state.waiting += bytes.len();
        state.parts.push_back(bytes.to_vec());
        let waker = state.waker.take();
        drop(state);
        self.0.notify(waker);
        Ok(())
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.is_ended = true;
        let waker = state.waker.take();
        drop(state);
        self.0.notify(waker);
    }
}

impl Shared {
    fn notify(&self, waker: Option<Waker>) {
        self.more.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn take(&mut self) -> Option<Vec<u8>> {
        let part = self.parts.pop_front()?;
        self.waiting -= part.len();
        Some(part)
    }
}

impl Stream {
    /// The next part; `None` after the last one. If there is none yet, the task of `context` is woken when there is.
    ///
    /// The waker is called on the flush thread, which serves all recordings: as any waker it should have the task
    /// polled elsewhere, and neither block nor poll it there.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut state = lock(&self.0.state);
        if let Some(part) = state.take() {
            return Poll::Ready(Some(part));
        }
        if state.is_ended {
            return Poll::Ready(None);
        }
        let waker = context.waker();
        let is_known = |known: &Waker| known.will_wake(waker);
        let earlier = match state.waker.as_ref().is_some_and(is_known) {
            true => None,
            false => state.waker.replace(waker.clone()),
        };
        // What a waker does at its end is its own affair, and not done under a lock.
        drop(state);
        drop(earlier);
        Poll::Pending
    }

    /// Whether all parts were read, and no more will come.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        let state = lock(&self.0.state);
        state.is_ended && state.parts.is_empty()
    }
}

impl Iterator for Stream {
    type Item = Vec<u8>;

    /// Waits for the next part.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut state = lock(&self.0.state);
        loop {
            if let Some(part) = state.take() {
                return Some(part);
            }
            if state.is_ended {
                return None;
            }
            let waited = self.0.more.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.is_abandoned = true;
        state.waiting = 0;
        let left = (std::mem::take(&mut state.parts), state.waker.take());
        drop(state);
        drop(left);
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Abandoned => Self::new(io::ErrorKind::BrokenPipe, "nobody reads the stream"),
            Refused::Full(_) => Self::new(io::ErrorKind::WouldBlock, "the stream is full"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_waits_only_where_nothing_did_before() {
        let (writer, mut stream) = stream(10);
        writer.push(&[0; 100]).unwrap();
        assert_eq!(writer.push(&[1]), Err(Refused::Full(100)));
        assert_eq!(stream.next().map(|part| part.len()), Some(100));
        writer.push(&[2; 6]).unwrap();
        assert_eq!(writer.push(&[3; 5]), Err(Refused::Full(6)));
        writer.push_last(&[4; 5]);
        drop(writer);
        assert_eq!(
            stream.by_ref().map(|part| part[0]).collect::<Vec<_>>(),
            [2, 4]
        );
        assert!(stream.is_at_end());
    }

    #[test]
    fn a_part_wakes_the_last_task_that_asked_and_so_does_the_end() {
        struct Counts(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Counts {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let counts = [(); 2].map(|()| Arc::new(Counts(Default::default())));
        let woken = || {
            counts
                .each_ref()
                .map(|counts| counts.0.load(std::sync::atomic::Ordering::Relaxed))
        };
        let wakers = counts
            .each_ref()
            .map(|counts| Waker::from(Arc::clone(counts)));
        let (writer, mut stream) = stream(10);
        for waker in &wakers {
            assert!(
                stream
                    .poll_next(&mut Context::from_waker(waker))
                    .is_pending()
            );
        }
        writer.push(&[1]).unwrap();
        assert_eq!(woken(), [0, 1]);
        let mut context = Context::from_waker(&wakers[0]);
        assert_eq!(stream.poll_next(&mut context), Poll::Ready(Some(vec![1])));
        assert!(stream.poll_next(&mut context).is_pending());
        drop(writer);
        assert_eq!(woken(), [1, 1]);
        assert_eq!(stream.poll_next(&mut context), Poll::Ready(None));
    }
}
