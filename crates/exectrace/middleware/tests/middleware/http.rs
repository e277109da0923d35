//! Servers whose requests go through `TraceLayer`, which enters its span by a guard: once to call the
//! service, and then in each poll of what that gives.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::get;
use exectrace::runtime::spawn;
use exectrace_middleware::Tasks;
use tower::ServiceBuilder;
use tower_http::trace::{DefaultMakeSpan, HttpMakeClassifier, TraceLayer};
use tracing::{Level, instrument};

use crate::load::{sleep, turn};
use crate::servers::{Numbers, SEEN_BY_HOOKS, compared, serve, served_until_all_are_done};

/// The spans of a request; the first is a user task.
const SPANS: &[&str] = &["request", "order", "save"];

#[instrument(skip_all)]
async fn order(number: u64) -> String {
    turn().await;
    save(number).await;
    turn().await;
    format!("order {number}")
}

#[instrument(skip_all)]
async fn save(number: u64) {
    for _ in 0..number % 3 {
        sleep(1).await;
    }
}

fn trace_layer() -> TraceLayer<HttpMakeClassifier> {
    TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::INFO))
}

/// An axum service.
fn routes() -> Router {
    let order = get(|Path(number): Path<u64>| order(number));
    Router::new().route("/{number}", order).layer(trace_layer())
}

/// A client that does its share of the requests on one connection, and compares the answers.
fn client(address: SocketAddr, numbers: Numbers) {
    let mut server = TcpStream::connect(address).unwrap();
    server.set_nodelay(true).unwrap();
    for number in numbers {
        let request = format!("GET /{number} HTTP/1.1\r\nhost: here\r\n\r\n");
        server.write_all(request.as_bytes()).unwrap();
        let expected = format!("\r\n\r\norder {number}");
        let mut answer = Vec::new();
        while !answer.ends_with(expected.as_bytes()) {
            let mut some = [0; 1024];
            let bytes = server.read(&mut some).unwrap();
            assert!(bytes > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..bytes]);
        }
    }
}

#[test]
fn each_request_to_axum_is_one_request_one_order_and_one_save() {
    compared(SPANS, || serve(client, routes()), Tasks::Followed);
}

#[test]
fn requests_are_whole_where_axum_spawns_the_connections() {
    let serve = || {
        served_until_all_are_done(client, |listener, done| async {
            let serve = axum::serve(listener, routes()).with_graceful_shutdown(done);
            serve.await.unwrap();
        })
    };
    compared(SPANS, serve, SEEN_BY_HOOKS);
}

/// What the path of a request asks for.
async fn answer(request: Request) -> Result<Response<String>, Infallible> {
    let number = request.uri().path()[1..].parse().unwrap();
    Ok(Response::new(order(number).await))
}

#[test]
fn requests_through_a_stack_of_layers_are_whole() {
    let serve = || {
        serve(
            client,
            ServiceBuilder::new()
                .layer(tower::limit::GlobalConcurrencyLimitLayer::new(3))
                .layer(trace_layer())
                .timeout(Duration::from_secs(60))
                .concurrency_limit(2)
                .service_fn(answer),
        )
    };
    compared(SPANS, serve, Tasks::Followed);
}

#[test]
fn requests_that_a_buffer_s_task_hands_on_are_whole() {
    let serve = || async {
        let (buffer, worker) = tower::buffer::Buffer::pair(tower::service_fn(answer), 4);
        let worker = spawn(worker);
        let service = ServiceBuilder::new().layer(trace_layer()).service(buffer);
        serve(client, service).await;
        worker.await.unwrap();
    };
    compared(SPANS, serve, Tasks::Several);
}
