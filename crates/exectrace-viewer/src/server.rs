//! The server: which requests are answered, by whom.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::trace::{Opened, Trace};
use crate::{api, assets, pages};

/// Serves the pages of one trace on an address of this machine.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    token: String,
    opened: Arc<Opened>,
    /// A path that leads to the first page once.
    once: String,
}

impl Server {
    /// Listens on an address; with port 0, on a port that is free.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on, or the system gives no random numbers.
    pub fn bind(address: SocketAddr, trace: Trace) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            token: token()?,
            once: token()?,
            opened: Arc::new(Opened::new(trace)),
        })
    }

    /// The address of the first page, with the token that gives access.
    pub fn url(&self) -> String {
        format!("{}{}/", self.origin(), self.token)
    }

    fn origin(&self) -> String {
        let port = self.address.port();
        let address = match self.address.ip() {
            ip if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], port)),
            _ => self.address,
        };
        format!("http://{address}/")
    }

    /// An address that leads to the first page when it is asked for the first time, and nowhere afterwards: for the
    /// command line of a browser, which other users of the machine can read.
    pub fn url_for_once(&self) -> String {
        format!("{}{}", self.origin(), self.once)
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// The threads that serve cannot be started.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let opened = self.opened.clone();
        // Read at once, so that it is there when somebody looks.
        runtime.spawn_blocking(move || drop(opened.index().map(drop)));
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            axum::serve(
                listener,
                router(self.opened, &self.token, &self.once, self.address),
            )
            .await
        })
    }
}

/// 128 random bits, as text.
fn token() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All that is served, behind the token.
pub(crate) fn router(opened: Arc<Opened>, token: &str, once: &str, address: SocketAddr) -> Router {
    let root = format!("/{token}");
    let first = format!("{root}/");
    let pages = Router::new()
        .merge(pages::routes())
        .nest("/api/v1", api::routes())
        .route("/ui/{name}", get(asset));
    let is_used = Arc::new(AtomicBool::new(false));
    let to_first = first.clone();
    let enter = move || async move {
        match is_used.swap(true, Ordering::Relaxed) {
            false => Redirect::to(&to_first).into_response(),
            true => (StatusCode::NOT_FOUND, "this address was used already\n").into_response(),
        }
    };
    Router::new()
        .route(&format!("/{once}"), get(enter))
        .nest(&root, pages)
        .route(&first, get(pages::first))
        .with_state(opened)
        .route(&root, get(|| async move { Redirect::permanent(&first) }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") })
        .layer(middleware::from_fn_with_state(address, guard))
}

async fn asset(Path(name): Path<String>) -> Response {
    match assets::find(&name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type)], asset.text).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
    }
}

/// Answers only those who ask for this host, and forbids pages to load anything from elsewhere.
async fn guard(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    if address.ip().is_loopback() && !names_this_host(request.headers()) {
        return (
            StatusCode::FORBIDDEN,
            "this is served to the machine itself only\n",
        )
            .into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether the host of a request is an address or this machine's own name. A page of the web whose name was made to
/// lead here has that name as its host; the port may be another where it is forwarded.
fn names_this_host(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
    })
}
