//! An HTTP server whose requests take some 20 microseconds of work, under load.

use std::convert::Infallible;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::tasks::{Cost, builder, measure};
use crate::{Outcome, Peer, PlainTasks, Tasks};

/// What a handler answers; the harness makes a response of it.
#[derive(Clone, Copy, Debug)]
pub struct Answer;

const PLAIN_WORKER: &str = "plain-server";
const OWN_WORKER: &str = "own-server";
const CLIENTS: usize = 2;

/// The work of a request: numbers are mixed, some 20 microseconds on a machine of 3 GHz.
fn work() {
    let mut mixed = 1_u64;
    for _ in 0..13_000 {
        mixed = black_box(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    }
}

/// Two servers, with the tracer and without.
pub(crate) struct Servers {
    plain: (Runtime, SocketAddr),
    own: (Runtime, SocketAddr),
}

impl Servers {
    pub(crate) fn start<P: Peer>(peer: &P) -> Outcome<Self> {
        let plain = builder(1, PLAIN_WORKER).build()?;
        let own = peer.runtime(builder(1, OWN_WORKER))?;
        let plain_address = listen(&plain, How::of::<PlainTasks>())?;
        let own_address = listen(&own, How::of::<P::Tasks>())?;
        Ok(Self {
            plain: (plain, plain_address),
            own: (own, own_address),
        })
    }

    /// CPU time of the servers' threads for a request, without the tracer and with it.
    pub(crate) fn turn<P: Peer>(
        &mut self,
        peer: &mut P,
        budget: Duration,
    ) -> Outcome<(Cost, Cost)> {
        // A request takes some 50 microseconds on both sides together.
        let count = (budget.as_micros() as u64 / 50).max(50);
        let requests = count * CLIENTS as u64;
        let run = || load(self.plain.1, count);
        let plain = measure(PLAIN_WORKER, requests, run, || Ok(()))?;
        peer.begin()?;
        let run = || load(self.own.1, count);
        let own = measure(OWN_WORKER, requests, run, || peer.end().map(drop))?;
        Ok((plain, own))
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a peer serves. Boxed, so that the server is compiled once and not for each peer; the boxes are
/// there without a tracer as well.
#[derive(Clone, Copy)]
struct How {
    spawn: fn(Boxed<()>),
    request: fn() -> Boxed<Answer>,
}

impl How {
    fn of<T: Tasks>() -> Self {
        Self {
            spawn: |future| drop(T::spawn(future)),
            request: || Box::pin(T::request(work)),
        }
    }
}

fn listen(runtime: &Runtime, how: How) -> Outcome<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let accept = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            (how.spawn)(Box::pin(serve_connection(stream, how)));
        }
    };
    runtime.block_on(async { (how.spawn)(Box::pin(accept)) });
    Ok(address)
}

async fn serve_connection(stream: tokio::net::TcpStream, how: How) {
    let service = service_fn(|_: Request<hyper::body::Incoming>| async move {
        let Answer = (how.request)().await;
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    });
    let connection = http1::Builder::new();
    // A client that leaves is none of the server's faults.
    let _ = connection
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Has clients on threads of their own send requests, one after the other.
fn load(address: SocketAddr, count: u64) -> Outcome<()> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| std::thread::spawn(move || client(address, count)))
        .collect();
    for client in clients {
        client.join().map_err(|_| "a client panicked")??;
    }
    Ok(())
}

fn client(address: SocketAddr, count: u64) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut buffer = [0; 1024];
    for _ in 0..count {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let begin = Instant::now();
        let mut got = 0;
        while !buffer[..got].ends_with(b"hello") {
            let bytes = stream.read(&mut buffer[got..])?;
            if bytes == 0 {
                let after = begin.elapsed();
                return Err(format!("the server hung up after {after:?}").into());
            }
            got += bytes;
        }
    }
    Ok(())
}
