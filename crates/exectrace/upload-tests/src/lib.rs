//! An S3-compatible server on the loopback address, which goes wrong when a test asks for that.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const BUCKET: &str = "traces";
const KEY: &str = "key";
const SECRET: &str = "secret";

/// How a request to store something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server answers with an internal error, and stores nothing.
    Fails,
    /// It closes the connection, and stores nothing.
    Closes,
    /// It stores it, and closes the connection before it answers.
    ClosesLate,
    /// It never answers.
    Stalls,
    /// It stores half of it, and says that all is well.
    Truncates,
    /// It says that all is well, with the tag of something else.
    WrongTag,
    /// It says that all is well, and stores nothing.
    Forgets,
}

/// A server with one bucket in a folder. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    folder: TempDir,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on a free port. The first requests that store something have these faults, one each.
    ///
    /// # Errors
    ///
    /// The system has no folder, port or thread.
    pub fn start(faults: impl IntoIterator<Item = Fault>) -> io::Result<Self> {
        let folder = TempDir::new()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let files = FileSystem::new(folder.path())
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let faults = Arc::new(Mutex::new(faults.into_iter().collect()));
        let handler = Handler {
            service: builder.build(),
            bucket: folder.path().join(BUCKET),
            faults: Arc::clone(&faults),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || runtime.block_on(serve(listener, handler, ended)));
        Ok(Self {
            address,
            folder,
            faults,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// The store, for the uploader. It tries nothing again by itself.
    ///
    /// # Errors
    ///
    /// Those of the builder.
    pub fn store(&self) -> object_store::Result<AmazonS3> {
        // `reqwest` wants one, even for addresses without TLS. If there is one already, that is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 0,
            retry_timeout: Duration::from_secs(60),
        };
        AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", self.address))
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_bucket_name(BUCKET)
            .with_region("us-east-1")
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .with_retry(retry)
            .build()
    }

    /// The folder of the bucket, with a file for each object.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// How many faults are still to come.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Handler {
    service: S3Service,
    bucket: PathBuf,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

async fn serve(listener: TcpListener, handler: Handler, mut ended: oneshot::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut ended => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let handler = handler.clone();
        let service = hyper::service::service_fn(move |request| handler.clone().answer(request));
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A connection that was closed on purpose is an error here.
            let _ = connection.await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl Handler {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<s3s::Body>, Closed> {
        let fault = match *request.method() == Method::PUT {
            true => self
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front(),
            false => None,
        };
        let path = request.uri().path().to_owned();
        match fault {
            Some(Fault::Fails) => return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR)),
            Some(Fault::Closes) => return Err(Closed),
            Some(Fault::Stalls) => return std::future::pending().await,
            Some(Fault::Forgets) => return Ok(plain(StatusCode::OK)),
            _ => {}
        }
        let answer = hyper::service::Service::call(&self.service, request).await;
        let mut answer = answer.map_err(|_| Closed)?;
        match fault {
            Some(Fault::ClosesLate) => Err(Closed),
            Some(Fault::Truncates) => {
                truncate(&self.bucket, &path);
                Ok(answer)
            }
            Some(Fault::WrongTag) => {
                answer
                    .headers_mut()
                    .insert(ETAG, HeaderValue::from_static("\"another\""));
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }
}

fn plain(status: StatusCode) -> Response<s3s::Body> {
    let mut answer = Response::new(s3s::Body::from(Bytes::new()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(ETAG, HeaderValue::from_static("\"nothing\""));
    answer
}

/// Cuts what was stored at half its size. In the path of a request, names are percent-encoded; those here need none
/// but `=`.
fn truncate(bucket: &Path, path: &str) {
    let key = path.replace("%3D", "=");
    let Some(key) = key.strip_prefix(&format!("/{BUCKET}/")) else {
        return;
    };
    let file = OpenOptions::new().write(true).open(bucket.join(key));
    if let Ok(file) = file
        && let Ok(metadata) = file.metadata()
    {
        // If this fails, the test that asks for it does.
        let _ = file.set_len(metadata.len() / 2);
    }
}
