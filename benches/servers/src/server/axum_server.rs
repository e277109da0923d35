//! axum as its users have it: routes, and tower-http's layer that makes a span of each request.

use std::io;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::trace::TraceLayer;

use super::work;

/// The route of [`Case::AxumWork`](crate::case::Case::AxumWork); the other is `/`.
pub(crate) const WORK_ROUTE: &str = "/work";

pub(super) async fn run(
    listener: TcpListener,
    blocks: u32,
    ended: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/", get(async || "Hello, World!"))
        .route(WORK_ROUTE, get(async move || work::digest(blocks)))
        .layer(TraceLayer::new_for_http());
    axum::serve(listener, routes)
        .with_graceful_shutdown(ended)
        .await
}
