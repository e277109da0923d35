//! A program with all that a trace can have: async tasks, files, sockets, locks, work for the processor, and memory,
//! with every source of records on.
//!
//! `cargo run -p exectrace-examples --features sources --example all_sources [FOLDER]` writes `all_sources.trace` into
//! the folder. Then:
//!
//! - `exectrace check FILE` says which sources the trace has, and of the others why not.
//! - `exectrace syscalls FILE` has its calls by name; `--by task` and `--by place` say who made them.
//! - `exectrace profile --kind syscall FILE` has the time in calls by stack, and `--kind cpu` the samples.

use std::alloc::System;
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exectrace::runtime::{BuilderExt, block_on, spawn_blocking, spawn_named};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tracing::instrument;

#[global_allocator]
static ALLOCATOR: exectrace::Allocator<System> = exectrace::Allocator::new(System);

const LINES: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    let path = folder.join("all_sources.trace");

    exectrace::init()?;
    // Costs a system call for each switch of a thread, so it is off unless asked for.
    exectrace::Settings::new().kernel_switches(true).apply()?;
    let recording = exectrace::start(&path)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("service")
        .build()?;
    let lines = block_on(&runtime, run(folder.join("all_sources.txt")))?;
    drop(runtime);
    wait_for_a_lock();
    let report = recording.stop()?;
    assert_eq!(lines, LINES);
    assert_eq!(report.records_dropped, 0);
    println!("{report}");
    println!("trace: {}", path.display());
    Ok(())
}

/// Returns how many lines came back from the file, by way of a socket.
async fn run(file: PathBuf) -> Result<usize, Box<dyn Error>> {
    let text = "one line\n".repeat(LINES);
    write_whole(file.clone(), text).await?;
    let read = tokio::fs::read_to_string(&file).await?;
    tokio::fs::remove_file(&file).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = spawn_named("server", async move {
        let (mut stream, _) = listener.accept().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text.lines().count())
    });
    let mut client = TcpStream::connect(address).await?;
    client.write_all(read.as_bytes()).await?;
    client.shutdown().await?;
    let lines = server.await??;

    // Work for the processor and for the allocator, in pieces that let others run.
    let sums = spawn_named("sums", async {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(50) {
            sum();
            tokio::task::yield_now().await;
        }
    });
    sums.await?;
    Ok(lines)
}

/// On a blocking thread, as the disk may take its time.
#[instrument(skip(text))]
async fn write_whole(file: PathBuf, text: String) -> Result<(), Box<dyn Error>> {
    let written = spawn_blocking(move || {
        std::fs::write(&file, text)?;
        std::fs::File::open(&file)?.sync_all()
    });
    Ok(written.await??)
}

#[instrument]
fn sum() {
    let numbers: Vec<u64> = (0..10_000).collect();
    black_box(numbers.iter().sum::<u64>());
}

/// Two threads want one lock, and one of them sleeps with it.
fn wait_for_a_lock() {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock();
    let other = std::thread::spawn({
        let lock = Arc::clone(&lock);
        move || drop(lock.lock())
    });
    std::thread::sleep(Duration::from_millis(2));
    drop(held);
    assert!(other.join().is_ok(), "the other thread had the lock, too");
}
