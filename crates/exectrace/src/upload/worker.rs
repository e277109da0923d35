//! The loop of the uploader's thread: one file after the other, each until it is in the store.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Item};
use super::key::is_finished_file;
use super::transfer::{Transfer, TransferError, Transferred};
use super::{UploadStatus, UploaderOptions};

pub(super) struct Worker {
    backlog: Arc<Backlog>,
    options: UploaderOptions,
}

impl Worker {
    /// Also takes what earlier processes left, which is found before anything new is finished.
    pub(super) fn new(backlog: Arc<Backlog>, options: UploaderOptions) -> Self {
        for rotation in &options.resume {
            match finished_files(rotation) {
                Ok(files) => files.into_iter().for_each(|file| backlog.push(file)),
                // There may be no folder yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => backlog.failed(format!(
                    "cannot read the folder of {}: {error}",
                    rotation.display()
                )),
            }
        }
        Self { backlog, options }
    }

    /// Uploads until the uploader is finished, and nothing is left or the time is over.
    pub(super) async fn run(self) {
        loop {
            let deadline = self.backlog.deadline();
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            match self.backlog.next() {
                Some(item) => {
                    if !self.upload(&item).await {
                        return;
                    }
                }
                None if deadline.is_some() => return,
                None => self.backlog.changed.notified().await,
            }
        }
    }

    /// Uploads a file, however often it takes. `false` if the time was over before.
    async fn upload(&self, item: &Item) -> bool {
        let mut pause = self.options.retry.0;
        loop {
            let Some(outcome) = self.in_time(self.attempt(item)).await else {
                return false;
            };
            match outcome {
                Ok(done) => {
                    self.backlog.done(|status| count(status, done));
                    return true;
                }
                Err(error @ TransferError::Unreadable { .. }) => {
                    self.backlog.done(|status| {
                        status.unreadable += 1;
                        status.last_error = Some(error.to_string());
                    });
                    return true;
                }
                Err(error) => self.backlog.failed(error.to_string()),
            }
            if self
                .in_time(tokio::time::sleep(by_chance(pause)))
                .await
                .is_none()
            {
                return false;
            }
            pause = (pause * 2).min(self.options.retry.1);
        }
    }

    async fn attempt(&self, item: &Item) -> Result<Transferred, TransferError> {
        let transfer = Transfer {
            store: &*self.options.store,
            prefix: &self.options.prefix,
            origin: &self.options.origin,
            timeout: self.options.request_timeout,
        };
        let done = transfer.file(item).await?;
        if self.options.delete_uploaded {
            // If it is gone already, that is as well; if it cannot be removed, the rotation's budget does it.
            let _ = fs::remove_file(&item.path);
        }
        Ok(done)
    }

    /// What a future comes to, unless the uploader's time is over before.
    async fn in_time<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        loop {
            let deadline = self.backlog.deadline();
            let over = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                outcome = &mut future => return Some(outcome),
                () = over => return None,
                // There may be a deadline now.
                () = self.backlog.changed.notified() => {}
            }
        }
    }
}

fn count(status: &mut UploadStatus, done: Transferred) {
    match done {
        Transferred::Bytes(bytes) => {
            status.uploaded += 1;
            status.uploaded_bytes += bytes;
        }
        Transferred::Known => status.found_uploaded += 1,
    }
}

/// The finished files of a rotation, the oldest first.
fn finished_files(rotation: &Path) -> io::Result<Vec<Item>> {
    let name = rotation.file_name().unwrap_or_default();
    let folder = match rotation.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // As the rotation names its files, so that a file is known whoever found it.
    let folder = std::path::absolute(folder)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_finished_file(&path, name) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(Item::found).collect())
}

/// Between half of a time and all of it, so that many processes do not come back at once.
fn by_chance(pause: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}
