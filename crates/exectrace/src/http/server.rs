//! A small server for programs that serve no HTTP themselves.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::connection;
use super::service::Service;

/// Connections that are served at once; others wait.
const MAX_CONNECTIONS: usize = 128;
/// How long nothing is accepted after the system refused, as it does when the process has too many files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves a [`Service`] with the default settings at an address, on a thread of its own.
///
/// The server listens when this returns, until it is dropped. Choose a loopback address, as in
/// `serve("127.0.0.1:6060")`, unless only administrators reach the machine: there is no authentication.
/// ([Who may reach it](crate::http#who-may-reach-it) says why.) Port 0 has the system choose one, which
/// [`Server::address`] returns.
///
/// The server has a Tokio runtime of its own, on its thread, whose tasks are not traced.
///
/// ```
/// use std::io::{Read, Write};
///
/// let server = exectrace::http::serve("127.0.0.1:0")?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// client.write_all(b"GET /debug/pprof/trace?seconds=0.01 HTTP/1.0\r\n\r\n")?;
/// let mut answer = Vec::new();
/// client.read_to_end(&mut answer)?;
/// assert!(answer.starts_with(b"HTTP/1.0 200 OK\r\n"));
/// let begin = b"\r\n\r\ngo 1.25 trace";
/// assert!(answer.windows(begin.len()).any(|bytes| bytes == begin));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of the system: the address cannot be bound, or a thread cannot be started.
pub fn serve(address: impl ToSocketAddrs) -> io::Result<Server> {
    serve_with(address, Service::new())
}

/// As [`serve`], with settings of its own: those of the service.
///
/// # Errors
/// As [`serve`].
pub fn serve_with(address: impl ToSocketAddrs, service: Service) -> io::Result<Server> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let is_local = address.ip().to_canonical().is_loopback();
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("exectrace-http".into());
    let thread = thread.spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                result = accept(listener, is_local, service) => result,
                // Also if the server was forgotten together with its end of the channel.
                _ = stopped => Ok(()),
            }
        })
    })?;
    Ok(Server {
        address,
        process: std::process::id(),
        stop: Some(stop),
        thread: Some(thread),
    })
}

/// A server that runs. Dropping it closes its connections, which ends the recordings that they are of. In a forked child
/// it serves nothing, and dropping it there does nothing.
#[derive(Debug)]
#[must_use = "a server stops when it is dropped"]
pub struct Server {
    address: SocketAddr,
    /// Whose thread it is.
    process: u32,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (stop, thread) = (self.stop.take(), self.thread.take());
        if self.process != std::process::id() {
            // In a forked child there is no such thread, for which one could wait.
            std::mem::forget((stop, thread));
            return;
        }
        drop(stop);
        if let Some(thread) = thread {
            // Its errors are those of the system at the start, which nobody waits for any more.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, is_local: bool, service: Service) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_one(stream, is_local, service.clone()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serve_one(stream: TcpStream, is_local: bool, service: Service) {
    // Groups of events are to go out when they are there.
    let _ = stream.set_nodelay(true);
    connection::serve(stream, is_local, service).await;
}
