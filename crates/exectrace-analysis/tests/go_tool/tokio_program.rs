//! A traced Tokio program that waits for many things, nested in user tasks and regions.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exectrace_recorder::{RecordingOptions, Task, region};
use exectrace_tokio::BuilderExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Records the program to a file.
pub(crate) fn record(trace: &Path) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("rt")
        .build()
        .expect("a runtime");
    // What is older than the trace, and outlives it.
    let (keep, mut kept) = mpsc::channel::<()>(1);
    exectrace_tokio::spawn_on(async move { kept.recv().await }, runtime.handle());
    let file = File::create(trace).expect("a file");
    let recording = RecordingOptions::new()
        .start_writer(file)
        .expect("it starts");
    exectrace_tokio::block_on(&runtime, program());
    recording.stop().expect("it stops");
    drop(keep);
}

async fn program() {
    let pinging = exectrace_tokio::spawn(ping_pong());
    let locking: Vec<_> = (0..3)
        .map(|_| exectrace_tokio::spawn(lock(Arc::default())))
        .collect();
    let echoing = exectrace_tokio::spawn(echo());
    for number in 0..20_u32 {
        let request = Task::new("request");
        request.log_args("number", format_args!("{number}"));
        let query = request.child("query");
        let (answer, answered) = oneshot::channel();
        exectrace_tokio::spawn(async move {
            {
                let _work = query.region("work");
                std::hint::black_box((0..1_000_u64).sum::<u64>());
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
            _ = answer.send(number);
        });
        answered.await.expect("an answer");
        let _reply = region("reply");
    }
    exectrace_tokio::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
        .await
        .expect("it ends");
    pinging.await.expect("it ends");
    echoing.await.expect("it ends");
    for locking in locking {
        locking.await.expect("it ends");
    }
}

async fn ping_pong() {
    let (ping, mut pinged) = mpsc::channel(1);
    let (pong, mut ponged) = mpsc::channel(1);
    exectrace_tokio::spawn(async move {
        while let Some(value) = pinged.recv().await {
            pong.send(value).await.expect("somebody listens");
        }
    });
    for value in 0..200_u32 {
        ping.send(value).await.expect("somebody listens");
        ponged.recv().await.expect("an answer");
    }
}

async fn lock(lock: Arc<Mutex<u64>>) {
    for _ in 0..50 {
        *lock.lock().await += 1;
        tokio::task::yield_now().await;
    }
}

async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    exectrace_tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a guest");
        let (mut from, mut to) = stream.split();
        _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let mut stream = TcpStream::connect(address).await.expect("a host");
    for _ in 0..20 {
        stream.write_all(b"ping").await.expect("sent");
        let mut back = [0; 4];
        stream.read_exact(&mut back).await.expect("received");
    }
}
