//! A trace that is streamed to a client.

use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::CONTENT_DISPOSITION;
use ::http::{HeaderValue, Response};
use bytes::Bytes;

use super::answer::{Refused, of_type};
use super::body::Body;
use super::off_thread::off_thread;
use super::parameters::Parameters;
use super::permits::Permit;
use super::service::Shared;
use crate::{Recording, RecordingOptions, Stream};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const AS_FILE: HeaderValue = HeaderValue::from_static("attachment; filename=\"trace\"");

/// A recording, and the stream that it goes to. Dropping it stops the recording, and waits for nothing.
#[derive(Debug)]
pub(super) struct Trace {
    stream: Stream,
    /// `None` once it is dropped.
    recording: Option<Recording>,
    _permit: Permit,
}

impl Trace {
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let part = self.stream.poll_next(context);
        part.map(|part| part.map(Bytes::from))
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.stream.is_at_end()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.stop_in_background();
        }
    }
}

/// Starts a recording, and answers with it.
pub(super) async fn answer(
    shared: &Shared,
    query: Option<&str>,
    is_head: bool,
) -> Result<Response<Body>, Refused> {
    let duration = Parameters::of(query, &["seconds"])?.seconds()?;
    let duration = duration.unwrap_or(Duration::from_secs(1));
    let limit = shared.settings.max_duration;
    if duration > limit {
        return Err(Refused::Bad(format!(
            "seconds={} is more than the {} that a trace may have here",
            duration.as_secs_f64(),
            limit.as_secs_f64(),
        )));
    }
    let body = match is_head {
        true => Body::from(Bytes::new()),
        false => Body::trace(start(shared, duration).await?),
    };
    let mut answer = of_type(BYTES, body);
    answer.headers_mut().insert(CONTENT_DISPOSITION, AS_FILE);
    Ok(answer)
}

async fn start(shared: &Shared, duration: Duration) -> Result<Trace, Refused> {
    let permits = &shared.permits;
    let busy = || {
        let limit = permits.limit();
        Refused::Busy(format!(
            "{limit} traces are being streamed, and no more may be; try again later"
        ))
    };
    let permit = permits.take().ok_or_else(busy)?;
    let capacity = shared.settings.buffer_bytes;
    let started = off_thread(move || {
        let options = RecordingOptions::new().stop_after(duration);
        let (recording, stream) = options.start_stream(capacity)?;
        Ok(Trace {
            stream,
            recording: Some(recording),
            _permit: permit,
        })
    });
    match started.await {
        Some(started) => {
            started.map_err(|error: crate::StartError| Refused::Failed(error.to_string()))
        }
        None => Err(Refused::Failed("a thread could not be started".to_owned())),
    }
}
