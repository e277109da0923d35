//! Traces over HTTP: start a recording with a request, and read it as the answer.
//!
//! [`Service`] has the paths of Go's `net/http/pprof`, for a program that serves HTTP itself. [`serve`](serve()) (feature
//! `http-server`) is a small server on a thread of its own, for one that does not.
//!
//! ```sh
//! curl -o trace.out 'localhost:6060/debug/pprof/trace?seconds=5'
//! go tool trace trace.out
//! ```
//!
//! | request | answer |
//! |---|---|
//! | `GET /debug/pprof/trace?seconds=N` | a new recording of the next `N` seconds, as it is made; `N` may be a fraction, and is 1 if left out |
//! | `GET /debug/exectrace/status` | [`status`](crate::status()) as text; with `?format=json`, or `Accept: application/json`, as JSON |
//! | `GET /debug/exectrace/filter` | the filter |
//! | `POST /debug/exectrace/filter?filter=F` | sets the filter, as [`Handle::reload`](crate::Handle::reload) does; `F` may also be the body, or a form with `filter=F` |
//! | `POST /debug/exectrace/start` | starts a recording into a file in the directory that was configured; with `?seconds=N` it stops by itself |
//! | `POST /debug/exectrace/stop` | stops that recording; the answer is its [`Report`](crate::Report) |
//! | `GET /debug/exectrace/snapshot` | 501: there is no flight recorder yet |
//! | `GET /debug/pprof/` | a page that lists these |
//!
//! A wrong parameter is answered with 400 and the reason, a wrong method with 405, and a path that is none of these
//! with 404. `HEAD` is answered as `GET`, without recording anything. What is not configured is answered with 501.
//!
//! The JSON of the status has a field `schema`, which is `exectrace.status/1` as long as no field changes its meaning.
//! The others are those of [`Status`](crate::Status) under the same names, with their units: times since 1970 end in
//! `_unix_ns`, and lengths of time in `_ns`.
//!
//! # Mounting it
//!
//! [`Service`] is a `tower::Service` for requests of the crate `http`. Only the end of a path counts, so it can stand
//! below any prefix. With axum:
//!
//! ```text
//! let traces = exectrace::http::Builder::new().handle(handle).service();
//! let app = axum::Router::new()
//!     .route("/", get(hello))
//!     .nest_service("/debug", traces.clone());       // behind your own authentication
//! ```
//!
//! # Who may reach it
//!
//! A trace has the names of the program's spans and functions, and the fields of its spans and events. Who can reach
//! `start` can fill the disk, and who can reach `filter` can make the program slower. So mount it behind
//! your own authentication, or on an address that only administrators reach. The service itself has none. It refuses
//! `POST` requests that a browser sends for a page of another origin.
//!
//! A [server](serve_with) on a loopback address answers only to `localhost`, to addresses, and to names that
//! [`Builder::host`] gives it: a page of another site could have its own name resolved to that address. On other
//! addresses, and where the service is mounted, this is left to you.
//!
//! # What a request costs
//!
//! Each trace is a recording of its own, with at most [`Builder::buffer_bytes`] in memory. A client that reads too
//! slowly gets a trace that ends early and says so; neither the program nor other recordings wait for it. When a client
//! leaves, its recording stops. Nothing blocks the thread that polls the service: recordings are started on a thread
//! that lives for some microseconds, and end by themselves, so no timer of an async runtime is needed. Up to eight
//! requests at once change something, of which each has such a thread; others get 503.
//!
//! The small server closes the connection of a client that takes more than 30 seconds to send the head of a request, or
//! its body, or that reads less than 64 KiB of what waits for it in a minute. Up to 128 are served at once. Where the
//! service is mounted, such limits are for the server to have: a client that stops reading keeps its place among the
//! traces, and up to [`Builder::buffer_bytes`], until its connection is closed.

mod answer;
mod body;
#[cfg(feature = "http-server")]
mod connection;
mod control;
#[cfg(feature = "http-server")]
mod hosts;
mod off_thread;
mod parameters;
mod permits;
mod posted;
mod routes;
#[cfg(feature = "http-server")]
mod server;
mod service;
mod status;
mod trace;

pub use body::Body;
#[cfg(feature = "http-server")]
pub use server::{Server, serve, serve_with};
pub use service::{Builder, ResponseFuture, Service};
