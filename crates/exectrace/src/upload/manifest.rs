//! What stands beside each trace in the store.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::backlog::Item;
use super::origin::Origin;

/// What the manifest of an uploaded file says, as JSON.
///
/// Fields may be added. Times are by the wall clock of the host, as RFC 3339 has them, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// `exectrace.manifest/1`.
    pub schema: String,
    /// The service.
    pub service: String,
    /// Its version, if `OTEL_RESOURCE_ATTRIBUTES` has `service.version`.
    pub service_version: Option<String>,
    /// The host.
    pub host: String,
    /// The name of the trace, which is beside the manifest.
    pub file: String,
    /// When the trace begins.
    pub begin: String,
    /// When it ends. Of a file that an earlier process wrote: when it was last written.
    pub end: String,
    /// The size of the file in bytes, as it is in the store.
    pub bytes: u64,
    /// What is in it: `None` for a file that an earlier process wrote.
    pub contents: Option<ManifestContents>,
    /// The version of exectrace that uploaded it.
    pub exectrace_version: String,
}

/// What is in an uploaded trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManifestContents {
    /// Its size in bytes before compression.
    pub trace_bytes: u64,
    /// Events.
    pub events: u64,
    /// Records of the program.
    pub records: u64,
    /// Records that were lost.
    pub records_dropped: u64,
}

impl Manifest {
    pub(super) fn new(
        item: &Item,
        origin: &Origin,
        (begin, end): (SystemTime, SystemTime),
        bytes: u64,
    ) -> Self {
        let file = item.path.file_name().unwrap_or_default();
        Self {
            schema: "exectrace.manifest/1".to_owned(),
            service: origin.service.clone(),
            service_version: origin.version.clone(),
            host: origin.host.clone(),
            file: file.to_string_lossy().into_owned(),
            begin: text(begin),
            end: text(end),
            bytes,
            contents: item.contents.map(|contents| ManifestContents {
                trace_bytes: contents.trace_bytes,
                events: contents.events,
                records: contents.records,
                records_dropped: contents.records_dropped,
            }),
            exectrace_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

fn text(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Nanos, true)
}
