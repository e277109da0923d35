//! A TCP server that echoes lines, and its clients, with a span for each request. Async tasks in all of their
//! states occur.
//!
//! `cargo run --example tokio_echo [FOLDER]` writes `tokio_echo.trace` into the folder.
//!
//! By default the trace shows the async tasks that are spawned through `exectrace::runtime`. With
//! `RUSTFLAGS="--cfg tokio_unstable -C force-frame-pointers=yes"` it shows all of them, and where in their
//! functions they wait.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use exectrace::runtime::{BuilderExt, block_on, spawn, spawn_blocking};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tracing::{info, instrument};

const CLIENTS: u64 = 4;
const REQUESTS: u64 = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let path = folder
        .unwrap_or_else(std::env::temp_dir)
        .join("tokio_echo.trace");

    exectrace::init()?;
    let recording = exectrace::start(&path)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("echo")
        .build()?;
    let bytes = block_on(&runtime, run())?;
    drop(runtime);
    let report = recording.stop()?;
    // The numbers from 0 to 99 and their line ends.
    assert_eq!(bytes, 290);
    assert_eq!(report.records_dropped, 0);
    println!("{report}");

    println!("Goroutine analysis has the tasks by name; \"request\" is one of the user tasks.");
    println!("trace: {}", path.display());
    Ok(())
}

/// Returns how many bytes came back.
async fn run() -> Result<usize, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = spawn(serve(listener));
    let (sender, mut answers) = mpsc::channel(2);
    for number in 0..CLIENTS {
        spawn(client(number, address, sender.clone()));
    }
    drop(sender);
    let mut bytes = 0;
    while let Some(answer) = answers.recv().await {
        bytes += answer;
    }
    server.abort();
    info!(bytes, "echoed");
    Ok(bytes)
}

/// Accepts connections, and spawns an async task for each.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(connection(stream));
    }
}

async fn connection(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        handle(&line, stream.get_mut()).await?;
        line.clear();
    }
    Ok(())
}

// This span has no parent, so it is a user task, from the arrival of the request to its answer.
#[instrument(name = "request", skip_all, fields(bytes = line.len()))]
async fn handle(line: &str, stream: &mut TcpStream) -> io::Result<()> {
    let number = line.trim_end().parse::<u64>().unwrap_or(0);
    if number.is_multiple_of(10) {
        // This may block, so it runs on the blocking pool.
        spawn_blocking(|| std::thread::sleep(Duration::from_micros(200))).await?;
    }
    stream.write_all(line.as_bytes()).await
}

async fn client(number: u64, address: SocketAddr, answers: mpsc::Sender<usize>) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = [0; 32];
    for request in 0..REQUESTS {
        let line = format!("{}\n", number * REQUESTS + request);
        stream.write_all(line.as_bytes()).await?;
        let length = stream.read(&mut answer).await?;
        // The channel is small, so some senders wait for room.
        if answers.send(length).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    Ok(())
}
