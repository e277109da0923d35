//! Measures what tracing costs a Tokio program per poll, per spawn and per echo: not installed, off, and on.
//!
//! `cargo bench -p exectrace-tokio --bench overhead [WORKLOAD] [ROUNDS]`, and the same with
//! `RUSTFLAGS="--cfg tokio_unstable -C force-frame-pointers=yes"` for the other half of the table.
//!
//! All variants run in turn, in short rounds, so that other load on the machine affects all of them alike. A row
//! is the 20th percentile over the rounds, in nanoseconds of wall time an operation. Its ratio is to the row
//! without hooks of the same workload. While something records, the flush thread uses a part of a processor
//! as well.

use std::io;
use std::time::Instant;

use exectrace_recorder::RecordingOptions;
use exectrace_tokio::BuilderExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    name: &'static str,
    is_hooked: bool,
    is_wrapped: bool,
    is_recorded: bool,
}

const fn way(name: &'static str, hooks: bool, wrap: bool, record: bool) -> Way {
    Way {
        name,
        is_hooked: hooks,
        is_wrapped: wrap,
        is_recorded: record,
    }
}

const WAYS: [Way; 5] = [
    way("plain", false, false, false),
    way("hooks, off", true, false, false),
    way("hooks and wrapper, off", true, true, false),
    way("hooks, on", true, false, true),
    way("hooks and wrapper, on", true, true, true),
];

/// A workload: it returns how many operations it did.
type Workload = fn(&Runtime, Way) -> usize;

const WORKLOADS: [(&str, &str, Workload); 4] = [
    ("ping-pong", "poll", ping_pong),
    ("yield", "poll", yields),
    ("spawn", "spawn + join", spawns),
    ("echo", "echo", echoes),
];

fn runtime(way: Way, workers: usize) -> Runtime {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers.max(1)).enable_all();
    if way.is_hooked {
        builder.exectrace("bench");
    }
    builder.build().expect("a runtime")
}

fn spawn<T: Send + 'static>(
    way: Way,
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    match way.is_wrapped {
        true => exectrace_tokio::spawn(future),
        false => tokio::spawn(future),
    }
}

/// Two tasks that send one another a number: two polls and two wakes a round.
fn ping_pong(runtime: &Runtime, way: Way) -> usize {
    const ROUNDS: usize = 10_000;
    runtime.block_on(async {
        let (to_pong, mut from_ping) = mpsc::channel::<usize>(1);
        let (to_ping, mut from_pong) = mpsc::channel::<usize>(1);
        let pong = spawn(way, async move {
            while let Some(round) = from_ping.recv().await {
                to_ping.send(round).await.expect("ping lives");
            }
        });
        let ping = spawn(way, async move {
            for round in 0..ROUNDS {
                to_pong.send(round).await.expect("pong lives");
                from_pong.recv().await;
            }
        });
        ping.await.expect("no panic");
        pong.await.expect("no panic");
    });
    ROUNDS * 2
}

/// Some tasks that do nothing but yield.
fn yields(runtime: &Runtime, way: Way) -> usize {
    const TASKS: usize = 8;
    const YIELDS: usize = 4_000;
    runtime.block_on(async {
        let storm = || async {
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| spawn(way, storm())).collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    TASKS * YIELDS
}

/// A task that spawns others and waits for each.
fn spawns(runtime: &Runtime, way: Way) -> usize {
    const SPAWNS: usize = 10_000;
    runtime.block_on(async {
        let spawner = spawn(way, async move {
            for number in 0..SPAWNS {
                let joined = spawn(way, async move { number }).await;
                assert_eq!(joined.ok(), Some(number));
            }
        });
        spawner.await.expect("no panic");
    });
    SPAWNS
}

/// A client and a server over the loopback.
fn echoes(runtime: &Runtime, way: Way) -> usize {
    const ECHOES: usize = 1_000;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = spawn(way, async move {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut buffer = [0; 64];
            loop {
                let bytes = stream.read(&mut buffer).await?;
                if bytes == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..bytes]).await?;
            }
        });
        let client = spawn(way, async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = [7; 64];
            for _ in 0..ECHOES {
                stream.write_all(&buffer).await?;
                stream.read_exact(&mut buffer).await?;
            }
            io::Result::Ok(())
        });
        client.await.expect("no panic")?;
        server.await.expect("no panic")
    });
    served.expect("the loopback works");
    ECHOES
}

/// Nanoseconds an operation, and records dropped.
fn measure(workload: Workload, way: Way, runtime: &Runtime) -> (f64, u64) {
    let recording = way.is_recorded.then(|| {
        let started = RecordingOptions::new().start_writer(io::sink());
        started.expect("a recording into nothing starts")
    });
    let begin = Instant::now();
    let operations = workload(runtime, way);
    let took = begin.elapsed();
    let report = recording.map(|recording| recording.stop().expect("it stops"));
    let dropped = report.map_or(0, |report| report.records_dropped);
    (took.as_nanos() as f64 / operations as f64, dropped)
}

fn main() {
    // Cargo hands `--bench` to every bench.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let only = arguments.next();
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
    let rounds: usize = rounds.unwrap_or(31);
    println!(
        "{}",
        if cfg!(tokio_unstable) {
            "with the flag"
        } else {
            "without the flag"
        }
    );
    println!("{:?}", exectrace_tokio::capabilities());
    for (name, operation, workload) in WORKLOADS {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        for workers in [0, 1, 2] {
            report(name, operation, workload, workers, rounds);
        }
    }
}

fn report(name: &str, operation: &str, workload: Workload, workers: usize, rounds: usize) {
    let runtimes = WAYS.map(|way| runtime(way, workers));
    let mut taken = WAYS.map(|_| Vec::new());
    let mut dropped = WAYS.map(|_| 0);
    for round in 0..=rounds {
        for (index, way) in WAYS.into_iter().enumerate() {
            let (ns, lost) = measure(workload, way, &runtimes[index]);
            // The first warms up.
            if round > 0 {
                taken[index].push(ns);
                dropped[index] += lost;
            }
        }
    }
    let kind = match workers {
        0 => "current thread".to_owned(),
        _ => format!("{workers} workers"),
    };
    println!("{name}, {kind}: ns per {operation}");
    let mut base = None;
    for (index, way) in WAYS.iter().enumerate() {
        taken[index].sort_by(f64::total_cmp);
        let ns = taken[index][taken[index].len() / 5];
        let base = *base.get_or_insert(ns);
        let lost = match dropped[index] {
            0 => String::new(),
            lost => format!("  ({lost} records dropped)"),
        };
        let ratio = ns / base;
        println!(
            "  {:<24}{ns:>9.1}{:>+9.1}{ratio:>8.3}{lost}",
            way.name,
            ns - base
        );
    }
}
