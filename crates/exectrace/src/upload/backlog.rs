//! The files that wait, and what has become of the others.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use exectrace_recorder::{Contents, Sealed};
use tokio::sync::Notify;

use super::UploadStatus;

/// A file that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) path: PathBuf,
    /// Begin and end by the wall clock, as far as they are known.
    pub(super) times: Option<(SystemTime, SystemTime)>,
    pub(super) contents: Option<Contents>,
    /// It may have been uploaded by an earlier process.
    pub(super) is_found: bool,
}

impl Item {
    pub(super) fn sealed(file: &Sealed) -> Self {
        Self {
            path: file.path.clone(),
            times: Some((file.begin, file.end)),
            contents: file.contents,
            is_found: false,
        }
    }

    pub(super) fn found(path: PathBuf) -> Self {
        Self {
            path,
            times: None,
            contents: None,
            is_found: true,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// The one that is being uploaded, which is not left out for others.
    current: Option<Item>,
    status: UploadStatus,
    /// Nothing is taken any more; what is there may be uploaded until then.
    deadline: Option<Instant>,
    has_ended: bool,
}

/// Files go in on any thread, and out on the uploader's.
#[derive(Debug)]
pub(super) struct Backlog {
    max: usize,
    state: Mutex<State>,
    /// Something was pushed, or the end has come nearer.
    pub(super) changed: Notify,
    ended: Condvar,
}

/// Says that the uploader's thread has ended, however it did.
#[derive(Debug)]
pub(super) struct EndMark(pub(super) Arc<Backlog>);

impl Drop for EndMark {
    fn drop(&mut self) {
        self.0.state().has_ended = true;
        self.0.ended.notify_all();
    }
}

impl Backlog {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::default(),
            changed: Notify::new(),
            ended: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a file. One that waits already, as it was found and is reported as well, comes once.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.state();
        if let Some(known) = state.items.iter_mut().find(|known| known.path == item.path) {
            *known = Item {
                is_found: known.is_found,
                ..item
            };
            return;
        }
        if state.deadline.is_some() {
            state.status.left_out += 1;
            return;
        }
        let waiting = state.items.len() + usize::from(state.current.is_some());
        if waiting >= self.max && state.items.pop_front().is_some() {
            state.status.left_out += 1;
        }
        if state.items.len() < self.max {
            state.items.push_back(item);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The next file, which is then the current one.
    pub(super) fn next(&self) -> Option<Item> {
        let mut state = self.state();
        state.current = state.items.pop_front();
        state.current.clone()
    }

    /// The current file is done with.
    pub(super) fn done(&self, change: impl FnOnce(&mut UploadStatus)) {
        let mut state = self.state();
        state.current = None;
        change(&mut state.status);
    }

    /// An attempt has failed.
    pub(super) fn failed(&self, error: String) {
        let status = &mut self.state().status;
        status.failed_attempts += 1;
        status.last_error = Some(error);
    }

    pub(super) fn status(&self) -> UploadStatus {
        let state = self.state();
        let waiting = state.items.len() + usize::from(state.current.is_some());
        UploadStatus {
            waiting: waiting as u64,
            ..state.status.clone()
        }
    }

    /// Takes no more files, and gives up those that are not uploaded by then.
    pub(super) fn finish_until(&self, deadline: Instant) {
        let mut state = self.state();
        state.deadline = Some(state.deadline.map_or(deadline, |known| known.min(deadline)));
        drop(state);
        self.changed.notify_one();
    }

    /// Until when files are uploaded; `None` while others may come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.state().deadline
    }

    /// Waits for the end of the thread that uploads, until then.
    pub(super) fn wait_for_end(&self, until: Instant) {
        let mut state = self.state();
        while !state.has_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> Item {
        Item::found(PathBuf::from(name))
    }

    #[test]
    fn the_oldest_that_is_not_being_uploaded_is_left_out_for_a_new_one() {
        let backlog = Backlog::new(3);
        for name in ["a", "b", "c"] {
            backlog.push(item(name));
        }
        let current = backlog.next();
        assert_eq!(current, Some(item("a")));
        backlog.push(item("d"));
        let status = backlog.status();
        assert_eq!((status.waiting, status.left_out), (3, 1));
        backlog.done(|status| status.uploaded += 1);
        assert_eq!(
            [backlog.next(), backlog.next()],
            [Some(item("c")), Some(item("d"))]
        );
    }

    #[test]
    fn a_file_that_waits_already_waits_once() {
        let backlog = Backlog::new(3);
        for name in ["a", "a"] {
            backlog.push(item(name));
        }
        assert_eq!(backlog.status().waiting, 1);
    }

    #[test]
    fn after_the_end_nothing_is_taken() {
        let backlog = Backlog::new(3);
        backlog.finish_until(Instant::now());
        backlog.push(item("a"));
        let status = backlog.status();
        assert_eq!((status.waiting, status.left_out), (0, 1));
    }
}
