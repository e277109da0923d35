//! The service that serves traces, mounted in axum and given to hyper.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use axum::Router;
use axum::routing::get;
use exectrace::http::Service;
use exectrace_format::Reader;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// What `curl` does.
fn fetch(address: SocketAddr, path: &str) -> (Vec<u8>, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    stream.read_to_end(&mut head).unwrap();
    let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = head.split_off(end.expect("a head") + 4);
    (head, body)
}

fn is_a_trace((head, body): (Vec<u8>, Vec<u8>)) {
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert!(Reader::new(&body[..]).unwrap().all(|event| event.is_ok()));
    exectrace_referee::assert_bytes_accepted(&body);
}

/// Runs `ask` on a thread while a server runs that `serve` makes of a listener.
async fn asked<F: Future>(ask: fn(SocketAddr), serve: impl FnOnce(TcpListener) -> F) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, asked) = tokio::sync::oneshot::channel();
    let client = thread::spawn(move || {
        ask(address);
        // If the server has ended, the test has failed.
        let _ = send.send(());
    });
    tokio::select! {
        _ = serve(listener) => panic!("the server ended"),
        _ = asked => client.join().unwrap(),
    }
}

#[tokio::test]
async fn axum_mounts_it_below_a_prefix_and_as_its_fallback() {
    let ask = |address| {
        is_a_trace(fetch(address, "/admin/debug/pprof/trace?seconds=0.05"));
        is_a_trace(fetch(address, "/debug/pprof/trace?seconds=0.05"));
        let (head, body) = fetch(address, "/debug/exectrace/status?format=json");
        assert!(
            String::from_utf8(head)
                .unwrap()
                .contains("application/json")
        );
        assert!(body.starts_with(b"{"));
        assert!(fetch(address, "/hello").1 == b"hello");
    };
    let service = Service::new();
    let app = Router::new()
        .route("/hello", get(async || "hello"))
        .nest_service("/admin/debug", service.clone())
        .fallback_service(service);
    asked(ask, async |listener| axum::serve(listener, app).await).await;
}

#[tokio::test]
async fn hyper_takes_it_as_a_service_of_tower() {
    let ask = |address| is_a_trace(fetch(address, "/debug/pprof/trace?seconds=0.05"));
    asked(ask, async |listener| {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(Service::new());
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(TokioIo::new(stream), service);
        connection.await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
}
