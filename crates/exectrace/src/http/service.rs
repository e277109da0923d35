//! The service, and its settings.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{Request, Response};

use super::body::Body;
use super::control::Started;
use super::permits::Permits;
use super::routes;

/// The default for [`Builder::max_duration`].
const DEFAULT_MAX_DURATION: Duration = Duration::from_secs(10 * 60);
/// The default for [`Builder::max_traces`].
const DEFAULT_MAX_TRACES: usize = 32;
/// The default for [`Builder::buffer_bytes`].
const DEFAULT_BUFFER_BYTES: usize = 8 << 20;
/// How many requests may change something at once. Each has a thread meanwhile.
pub(super) const MAX_CHANGES: usize = 8;

/// What the service may do. Makes a [`Service`].
///
/// ```
/// use std::time::Duration;
///
/// let service = exectrace::http::Builder::new()
///     .max_duration(Duration::from_secs(60))
///     .directory("/var/lib/my-service/traces")
///     .service();
/// # drop(service);
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a service is made"]
pub struct Builder {
    pub(super) max_duration: Duration,
    pub(super) max_traces: usize,
    pub(super) buffer_bytes: usize,
    pub(super) directory: Option<PathBuf>,
    #[cfg(feature = "http-server")]
    hosts: Vec<String>,
    #[cfg(feature = "tracing")]
    pub(super) handle: Option<crate::Handle>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Traces of up to 10 minutes, 32 at once, with 8 MiB in memory each at most. Neither `start` nor `filter`.
    pub fn new() -> Self {
        Self {
            max_duration: DEFAULT_MAX_DURATION,
            max_traces: DEFAULT_MAX_TRACES,
            buffer_bytes: DEFAULT_BUFFER_BYTES,
            directory: None,
            #[cfg(feature = "http-server")]
            hosts: Vec::new(),
            #[cfg(feature = "tracing")]
            handle: None,
        }
    }

    /// How long a trace may be that is streamed to a client. Who asks for more gets 400.
    pub fn max_duration(mut self, duration: Duration) -> Self {
        self.max_duration = duration;
        self
    }

    /// How many traces are streamed at once. Who asks for one more gets 503.
    pub fn max_traces(mut self, traces: usize) -> Self {
        self.max_traces = traces;
        self
    }

    /// How many bytes of a trace may wait in memory for a client that reads slowly, or a server that is held up
    /// ([`RecordingOptions::start_stream`](crate::RecordingOptions::start_stream)). With all [traces](Self::max_traces)
    /// at once it is so much for each.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Allows `start`, into new files in this directory, which must exist. Clients do not choose their names.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Has a [server](crate::http::serve_with) on a loopback address answer to this name too, as a proxy or a hosts file may
    /// give it. It answers to `localhost` and to addresses anyway.
    #[cfg(feature = "http-server")]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Allows to look at the filter of this handle's Layer or Subscriber, and to change it.
    #[cfg(feature = "tracing")]
    pub fn handle(mut self, handle: crate::Handle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Makes the service.
    #[must_use]
    pub fn service(self) -> Service {
        Service(Arc::new(Shared {
            permits: Permits::new(self.max_traces),
            changes: Permits::new(MAX_CHANGES),
            started: Started::default(),
            settings: self,
        }))
    }
}

/// Answers requests for traces. See the [module](crate::http).
///
/// A clone is the same service: the limit of traces, and the recording that `start` starts, are those of all clones.
/// That recording stops when the last clone is dropped.
///
/// It is a `tower::Service` of requests with any body. Its answers have [`Body`] as their body, it is always ready, and
/// it never fails.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

/// What the clones of a service share.
pub(super) struct Shared {
    pub(super) settings: Builder,
    /// Of traces that are streamed.
    pub(super) permits: Permits,
    /// Of requests that change something.
    pub(super) changes: Permits,
    pub(super) started: Started,
}

impl Service {
    /// A service with the default settings: see [`Builder::new`].
    #[must_use]
    pub fn new() -> Self {
        Builder::new().service()
    }

    #[cfg(feature = "http-server")]
    pub(super) fn known_hosts(&self) -> &[String] {
        &self.0.settings.hosts
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let shared = Arc::clone(&self.0);
        ResponseFuture(Box::pin(routes::answer(shared, request)))
    }
}

/// The answer of a [`Service`], which comes soon: also a trace is answered when it begins.
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
