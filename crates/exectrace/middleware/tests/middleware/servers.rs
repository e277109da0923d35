//! Servers, and the clients that ask them, in one process.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use exectrace::runtime::{block_on, spawn};
use exectrace_middleware::{Tasks, WAYS, record, runtime};
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

const CLIENTS: u64 = 6;
const REQUESTS: u64 = 240;

/// Whether the build's hooks see tasks that others spawn.
pub(crate) const SEEN_BY_HOOKS: Tasks = if cfg!(tokio_unstable) {
    Tasks::Followed
} else {
    Tasks::NotFollowed
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Has hyper spawn by the tracer's `spawn`.
#[derive(Clone, Debug)]
struct Spawner;

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        spawn(future);
    }
}

/// What a client does: the requests of these numbers, one after the other on one connection.
pub(crate) type Client = fn(SocketAddr, Numbers);

/// Numbers of requests.
pub(crate) type Numbers = std::iter::StepBy<std::ops::Range<u64>>;

fn clients(address: SocketAddr, client: Client) -> Vec<JoinHandle<()>> {
    let numbers = (0..CLIENTS).map(|number| (number..REQUESTS).step_by(CLIENTS as usize));
    numbers
        .map(|numbers| thread::spawn(move || client(address, numbers)))
        .collect()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves all clients, each connection and each stream of it in a task that the tracer's `spawn` made.
pub(crate) async fn serve<S, B>(client: Client, service: S)
where
    S: Service<Request, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (listener, address) = listen().await;
    let clients = clients(address, client);
    let mut connections = Vec::new();
    for _ in &clients {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service.clone();
        let service = service.map_request(|request: axum::http::Request<_>| request.map(Body::new));
        connections.push(spawn(async move {
            let connection = Builder::new(Spawner);
            let service = TowerToHyperService::new(service);
            let served = connection.serve_connection(TokioIo::new(stream), service);
            served.await.unwrap();
        }));
    }
    for connection in connections {
        connection.await.unwrap();
    }
    for client in clients {
        client.join().unwrap();
    }
}

/// Runs a server that accepts connections itself, until all clients are done.
pub(crate) async fn served_until_all_are_done<F: Future<Output = ()>>(
    client: Client,
    serve: impl FnOnce(TcpListener, BoxFuture<'static, ()>) -> F,
) {
    let (listener, address) = listen().await;
    let clients = clients(address, client);
    let (send, done) = oneshot::channel();
    let waiting = thread::spawn(move || {
        for client in clients {
            client.join().unwrap();
        }
        send.send(()).unwrap();
    });
    serve(listener, Box::pin(async { done.await.unwrap() })).await;
    waiting.join().unwrap();
}

/// Records, each way, what serves all requests: each has these spans, of which the first is a user task.
pub(crate) fn compared<F: Future<Output = ()>>(
    names: &[&str],
    serve: impl Fn() -> F,
    tasks: Tasks,
) {
    for way in WAYS {
        let (account, trace) = record(way, || block_on(&runtime(2), serve()));
        for name in names {
            assert_eq!(trace.count(name), REQUESTS as usize, "{way:?} {name}");
        }
        assert_eq!(trace.tasks(names[0]), REQUESTS as usize, "{way:?}");
        trace.agrees_with(&account, tasks);
    }
}
