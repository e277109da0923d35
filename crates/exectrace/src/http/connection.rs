//! One connection, which a client cannot hold for longer than it takes what it asked for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::hosts;
use super::service::Service;

/// How long a client may take to send the head of a request, and how long for its body.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take to read what waits for it, or [`READ_BYTES`] of that.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Less than a client that reads gets in that time by the slowest of lines.
const READ_BYTES: usize = 64 << 10;

/// Serves a connection until its end; only requests for local hosts, and those that the service knows, if `is_local`.
pub(super) async fn serve<S>(stream: S, is_local: bool, service: Service)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: Request<hyper::body::Incoming>| {
        let mut service = service.clone();
        async move {
            if is_local
                && let Err(refused) =
                    hosts::check(request.headers(), request.uri(), service.known_hosts())
            {
                return Ok(refused.answer());
            }
            tower_service::Service::call(&mut service, request.map(Timely::new)).await
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SEND_PATIENCE)
        .serve_connection(TokioIo::new(Impatient::new(stream)), answer);
    // A client that leaves is no error of ours.
    let _ = connection.await;
}

/// The body of a request, which fails if it does not come to its end in time.
struct Timely<B> {
    body: B,
    end: Pin<Box<Sleep>>,
}

impl<B> Timely<B> {
    fn new(body: B) -> Self {
        Self {
            body,
            end: Box::pin(sleep(SEND_PATIENCE)),
        }
    }
}

impl<B: Body<Error = hyper::Error> + Unpin> Body for Timely<B> {
    type Data = B::Data;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, io::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other))),
            Poll::Pending => {
                ready!(self.end.as_mut().poll(context));
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose writes fail if its other end takes too little.
struct Impatient<S> {
    stream: S,
    /// While something waits to be taken.
    wait: Option<Wait>,
}

struct Wait {
    end: Pin<Box<Sleep>>,
    taken_bytes: usize,
}

impl<S> Impatient<S> {
    fn new(stream: S) -> Self {
        Self { stream, wait: None }
    }

    /// What is to be said of a write with this result.
    fn judge(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let new = || Wait {
                    end: Box::pin(sleep(READ_PATIENCE)),
                    taken_bytes: 0,
                };
                let wait = self.wait.get_or_insert_with(new);
                ready!(wait.end.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(bytes)) => {
                let has_enough = |wait: &mut Wait| {
                    wait.taken_bytes = wait.taken_bytes.saturating_add(bytes);
                    wait.taken_bytes >= READ_BYTES
                };
                self.wait.take_if(has_enough);
                Poll::Ready(Ok(bytes))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is called when all was written.
        self.wait = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    //! On a clock that stands still, and goes on to the next timer when nothing else is to be done.

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(86_400);

    /// A connection with room for some bytes on their way, until its end.
    fn connect(bytes: usize, service: Service) -> (DuplexStream, impl Future<Output = ()>) {
        let (client, server) = duplex(bytes);
        (client, serve(server, true, service))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_loses_its_connection_and_gives_its_place_back() {
        let service = Service::new();
        let (mut client, connection) = connect(64, service.clone());
        let request = b"GET /debug/pprof/trace?seconds=600 HTTP/1.1\r\n\r\n";
        client.write_all(request).await.unwrap();
        // No limit of the test's own: the recording is started on a thread, for which this clock does not wait.
        connection.await;
        assert_eq!(service.shared().permits.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_byte_a_second_is_not_waited_for() {
        let (mut client, connection) = connect(64, Service::new());
        let request = b"GET /debug/pprof/ HTTP/1.0\r\n\r\n";
        client.write_all(request).await.unwrap();
        let reads = async {
            let mut bytes = 0;
            while client.read_u8().await.is_ok() {
                bytes += 1;
                sleep(SECOND).await;
            }
            bytes
        };
        let both = async { tokio::join!(connection, reads) };
        let ((), bytes) = timeout(DAY, both).await.unwrap();
        // Those of a minute, and those that were on their way.
        assert!((60..=60 + 64 + 2).contains(&bytes), "{bytes}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_all() {
        let (mut client, server) = duplex(4 << 10);
        let mut server = Impatient::new(server);
        let writes = async {
            server.write_all(&[7; 1 << 20]).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let reads = async {
            let (mut part, mut bytes) = ([0; 4 << 10], 0);
            loop {
                match client.read(&mut part).await.unwrap() {
                    0 => break bytes,
                    read => bytes += read,
                }
                sleep(SECOND).await;
            }
        };
        assert_eq!(tokio::join!(writes, reads).1, 1 << 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_to_its_end_is_not_waited_for() {
        for path in ["filter", "start", "stop"] {
            for sends in [false, true] {
                let (client, connection) = connect(4 << 10, Service::new());
                let (mut answer, mut request) = tokio::io::split(client);
                let head =
                    format!("POST /debug/exectrace/{path} HTTP/1.1\r\nContent-Length: 999\r\n\r\n");
                request.write_all(head.as_bytes()).await.unwrap();
                let trickle = async {
                    while sends && request.write_u8(b'x').await.is_ok() {
                        sleep(SECOND).await;
                    }
                };
                let mut text = String::new();
                let read = answer.read_to_string(&mut text);
                let all = async { tokio::join!(connection, trickle, read) };
                let ((), (), read) = timeout(DAY, all).await.unwrap();
                read.unwrap();
                assert!(text.starts_with("HTTP/1.1 400"), "{text}");
                assert!(text.contains("did not come to its end"), "{text}");
            }
        }
    }
}
