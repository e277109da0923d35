//! The status, as text and as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use ::http::header::ACCEPT;
use ::http::{HeaderMap, HeaderValue, Response};
use serde_json::{Map, Value, json};

use super::answer::{Refused, of_type, text};
use super::body::Body;
use super::parameters::Parameters;
use super::service::Shared;
use crate::{RecordingStatus, Status};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) fn answer(
    shared: &Shared,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let parameters = Parameters::of(query, &["format"])?;
    let is_json = match parameters.get("format") {
        None => {
            let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
            accept.is_some_and(|accept| accept.contains("application/json"))
        }
        Some("json") => true,
        Some("text") => false,
        Some(other) => {
            return Err(Refused::Bad(format!(
                "format={other:?} is neither json nor text"
            )));
        }
    };
    let (status, streamed) = (crate::status(), shared.permits.taken());
    if is_json {
        return Ok(of_type(JSON, json(&status, streamed).to_string()));
    }
    let limit = shared.settings.max_traces;
    Ok(text(format!(
        "{status}traces streamed: {streamed} of {limit}\n"
    )))
}

fn json(status: &Status, streamed: usize) -> Value {
    let recordings: Vec<_> = status.recordings.iter().map(recording).collect();
    let nothing = status.nothing_recorded.as_ref().map(|nothing| {
        json!({
            "after_ns": nanoseconds(nothing.after),
            "is_fault": nothing.cause.is_fault(),
            "cause": nothing.cause.text(),
        })
    });
    let dropped = &status.dropped;
    let thinned = counts(
        dropped
            .thinned
            .iter()
            .map(|(source, count)| (source.name(), *count)),
    );
    let settings = &status.settings;
    let budgets = counts(
        settings
            .budgets
            .iter()
            .map(|(source, budget)| (source.name(), *budget)),
    );
    json!({
        "schema": "exectrace.status/1",
        "recordings": recordings,
        "streamed": streamed,
        "nothing_recorded": nothing,
        "records": counts(status.records.iter()),
        "last_record_unix_ns": status.last_record.map(unix_ns),
        "dropped": {
            "buffers_full": dropped.buffers_full,
            "unformatted": dropped.unformatted,
            "nested": dropped.nested,
            "cpu_samples": dropped.cpu_samples,
            "thinned": thinned,
        },
        "threads": status.threads,
        "memory": {
            "limit_bytes": status.memory.limit_bytes,
            "used_bytes": status.memory.used_bytes,
        },
        "since_last_pass_ns": status.since_last_pass.map(nanoseconds),
        "capabilities": status.capabilities.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into()))
            .collect::<Map<String, Value>>(),
        "settings": {
            "memory_bytes": settings.memory_bytes,
            "call_threshold_ns": nanoseconds(settings.call_threshold),
            "socket_calls": settings.socket_calls,
            "budgets": budgets,
            "process_samples": settings.process_samples,
            "cpu_samples_hz": settings.cpu_samples_hz,
            "kernel_switches": settings.kernel_switches,
            "warn_if_nothing_for_ns": nanoseconds(settings.warn_if_nothing_for),
        },
    })
}

fn recording(recording: &RecordingStatus) -> Value {
    let written = &recording.written;
    json!({
        "number": recording.number,
        "destination": recording.destination.to_string(),
        "started_unix_ns": unix_ns(recording.started),
        "stops_after_ns": recording.stops_after.map(nanoseconds),
        "bytes": written.bytes,
        "events": written.events,
        "generations": written.generations,
        "records": written.records,
        "records_dropped": written.records_dropped,
        "error": recording.error.as_ref().map(ToString::to_string),
    })
}

fn counts<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Map<String, Value> {
    counts
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

/// Nanoseconds that a number of JSON holds: up to 584 years.
fn nanoseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn unix_ns(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, nanoseconds)
}
