//! A program serves its traces over HTTP, and a client fetches one.
//!
//! `cargo run --example http_endpoint [PATH]` writes the trace that its client got to `PATH`.
//!
//! A program that serves HTTP itself adds the service to its routes instead, with axum by
//! `nest_service("/debug", exectrace::http::Service::new())`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use exectrace::http::{Builder, serve_with};
use tracing::{info, instrument};

#[instrument]
fn order(number: u64) {
    thread::sleep(Duration::from_millis(2));
    info!("packed");
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.unwrap_or_else(|| std::env::temp_dir().join("http_endpoint.trace"));

    let handle = exectrace::init()?;
    // With the handle, requests can look at the filter and change it.
    let service = Builder::new().handle(handle).service();
    // A real program has a fixed port: then `curl -o trace.out 'localhost:6060/debug/pprof/trace?seconds=5'` gets a
    // trace from it.
    let server = serve_with("127.0.0.1:0", service)?;

    let done = AtomicBool::new(false);
    let trace = thread::scope(|scope| {
        scope.spawn(|| {
            for number in (1..).take_while(|_| !done.load(Ordering::Relaxed)) {
                order(number);
            }
        });
        let trace = get(server.address(), "/debug/pprof/trace?seconds=0.3");
        done.store(true, Ordering::Relaxed);
        trace
    })?;
    std::fs::write(&path, &trace)?;

    let status = get(server.address(), "/debug/exectrace/status")?;
    print!("{}", String::from_utf8(status)?);
    println!("trace: {}", path.display());
    Ok(())
}

/// What `curl` does: the body of the answer to a `GET`.
fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end_of_head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end_of_head.ok_or("no head of an answer")? + 4);
    match answer.starts_with(b"HTTP/1.0 200 ") {
        true => Ok(body),
        false => Err(String::from_utf8_lossy(&body).into()),
    }
}
