//! The body of an answer: some text, or a trace as it is made.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::trace::Trace;

/// The body of an answer of a [`Service`](super::Service).
///
/// It never fails. Dropping it before its end stops the recording that it is of.
pub struct Body(Kind);

enum Kind {
    /// What is left of a text.
    Text(Bytes),
    Trace(Box<Trace>),
}

impl Body {
    pub(super) fn trace(trace: Trace) -> Self {
        Self(Kind::Trace(Box::new(trace)))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(text: T) -> Self {
        Self(Kind::Text(text.into()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Text(_) => "text",
            Kind::Trace(_) => "trace",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = match &mut self.0 {
            Kind::Text(text) => Poll::Ready(match std::mem::take(text) {
                text if text.is_empty() => None,
                text => Some(text),
            }),
            Kind::Trace(trace) => trace.poll_next(context),
        };
        part.map(|part| part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Text(text) => text.is_empty(),
            Kind::Trace(trace) => trace.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Text(text) => SizeHint::with_exact(text.len() as u64),
            Kind::Trace(_) => SizeHint::default(),
        }
    }
}
