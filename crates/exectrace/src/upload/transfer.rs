//! One attempt to put a file and its manifest into the store.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};

use super::backlog::Item;
use super::key::{Keys, begin_in_name};
use super::manifest::Manifest;
use super::origin::Origin;

/// How an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// The file is gone, or cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable { path: String, error: io::Error },
    /// The store says no.
    #[error("the object store failed: {0}")]
    Store(#[from] object_store::Error),
    /// The store says nothing.
    #[error("the object store did not answer a request within {0:?}")]
    Timeout(Duration),
    /// The store has something else than what was sent.
    #[error("the object store has {found} of {key}, not {sent}")]
    Different {
        key: String,
        sent: String,
        found: String,
    },
    /// The manifest cannot be written as JSON.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transferred {
    Bytes(u64),
    /// It was in the store already.
    Known,
}

/// A part of an upload in parts. S3 wants 5 MiB at least, and takes 10,000.
const PART_BYTES: usize = 16 << 20;

/// Where files go, and whose they are.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) prefix: &'a str,
    pub(super) origin: &'a Origin,
    pub(super) timeout: Duration,
}

impl Transfer<'_> {
    /// Puts the file into the store, then its manifest.
    pub(super) async fn file(&self, item: &Item) -> Result<Transferred, TransferError> {
        let unreadable = |error| TransferError::Unreadable {
            path: item.path.display().to_string(),
            error,
        };
        let mut file = File::open(&item.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let times = item.times.unwrap_or_else(|| {
            let end = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            (begin_in_name(&item.path).unwrap_or(end), end)
        });
        let keys = Keys::new(self.prefix, self.origin, times.0, &item.path);
        if item.is_found && self.has(&keys.manifest).await? {
            return Ok(Transferred::Known);
        }
        let first = part_of(&mut file).map_err(unreadable)?;
        let (bytes, tag) = if first.len() < PART_BYTES {
            let bytes = first.len() as u64;
            let put = self.store.put(&keys.trace, first.into());
            (bytes, self.within(put).await?.e_tag)
        } else {
            self.in_parts(&keys.trace, first, || {
                part_of(&mut file).map_err(unreadable)
            })
            .await?
        };
        self.check(&keys.trace, bytes, tag).await?;
        let manifest = Manifest::new(item, self.origin, times, bytes);
        let manifest = serde_json::to_vec_pretty(&manifest)?;
        let length = manifest.len() as u64;
        let put = self.store.put(&keys.manifest, manifest.into());
        let tag = self.within(put).await?.e_tag;
        self.check(&keys.manifest, length, tag).await?;
        Ok(Transferred::Bytes(bytes))
    }

    /// Puts a large file, of which one part at a time is in memory.
    async fn in_parts(
        &self,
        key: &Path,
        first: Vec<u8>,
        next: impl FnMut() -> Result<Vec<u8>, TransferError>,
    ) -> Result<(u64, Option<String>), TransferError> {
        let mut upload = self.within(self.store.put_multipart(key)).await?;
        let outcome = self.parts(&mut *upload, first, next).await;
        if outcome.is_err() {
            // Parts that are left cost money. If this fails, too, only the store's own rules can remove them.
            let _ = self.within(upload.abort()).await;
        }
        outcome
    }

    async fn parts(
        &self,
        upload: &mut dyn MultipartUpload,
        first: Vec<u8>,
        mut next: impl FnMut() -> Result<Vec<u8>, TransferError>,
    ) -> Result<(u64, Option<String>), TransferError> {
        let (mut part, mut bytes) = (first, 0);
        while !part.is_empty() {
            bytes += part.len() as u64;
            self.within(upload.put_part(PutPayload::from(part))).await?;
            part = next()?;
        }
        let put = self.within(upload.complete()).await?;
        Ok((bytes, put.e_tag))
    }

    /// Whether the store has an object of this name.
    async fn has(&self, key: &Path) -> Result<bool, TransferError> {
        match self.within(self.store.head(key)).await {
            Ok(_) => Ok(true),
            Err(TransferError::Store(object_store::Error::NotFound { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks the store what it has, as an answer to a request may have been lost or wrong.
    async fn check(&self, key: &Path, sent: u64, tag: Option<String>) -> Result<(), TransferError> {
        let found = self.within(self.store.head(key)).await?;
        let different = |sent, found| {
            let key = key.to_string();
            Err(TransferError::Different { key, sent, found })
        };
        if found.size != sent {
            return different(format!("{sent} bytes"), format!("{} bytes", found.size));
        }
        match (tag, found.e_tag) {
            (Some(sent), Some(found)) if sent != found => different(
                format!("the version {sent}"),
                format!("the version {found}"),
            ),
            _ => Ok(()),
        }
    }

    async fn within<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, TransferError> {
        match tokio::time::timeout(self.timeout, request).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(TransferError::Timeout(self.timeout)),
        }
    }
}

/// The next part of a file: as much as a part may have, or all that is left.
fn part_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part)
}
