//! Plays a fleet: records the same service on three hosts in two releases, and exports all six
//! traces into one data set, which `fleet/check.py` then asks questions.
//!
//! `cargo run --example data_set --features parquet FOLDER`

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use exectrace_export::{ParquetOptions, parquet};
use exectrace_format::Reader;
use exectrace_recorder::{RecordingOptions, Task};
use exectrace_tokio::{BuilderExt, spawn_named};
use tokio::runtime::Builder;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];
const RELEASES: [&str; 2] = ["1.0", "1.1"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: data_set FOLDER")?;
    for release in RELEASES {
        for host in HOSTS {
            let trace = record(host, release)?;
            let options = ParquetOptions {
                trace_id: format!("{host}-{release}"),
                partitions: vec![
                    ("host".to_owned(), host.to_owned()),
                    ("release".to_owned(), release.to_owned()),
                ],
            };
            let exported = parquet(
                Reader::new(Cursor::new(trace))?,
                Path::new(&folder),
                &options,
            )?;
            if let Some(damage) = exported.damage {
                return Err(damage.into());
            }
            println!(
                "{host} {release}: {} events, {} rows",
                exported.events, exported.items
            );
        }
    }
    Ok(())
}

/// A recording in memory.
#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self
            .0
            .lock()
            .map_err(|_| std::io::Error::other("poisoned"))?;
        all.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The service under some load. Release 1.1 has a slow search, and one host answers slowly.
fn record(host: &str, release: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let bytes = Bytes::default();
    let recording = RecordingOptions::new().start_writer(bytes.clone())?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .exectrace("web")
        .build()?;
    let slow = if host == "web3" { 3 } else { 1 };
    let search_us = if release == "1.1" { 400 } else { 100 };
    exectrace_tokio::block_on(&runtime, async move {
        let mut requests = Vec::new();
        for number in 0..120_u64 {
            requests.push(spawn_named("request", async move {
                let is_search = number % 3 == 0;
                let task = Task::new(if is_search {
                    "GET /search"
                } else {
                    "GET /item"
                });
                let micros = slow * if is_search { search_us } else { 50 };
                tokio::time::sleep(Duration::from_micros(number * 20)).await;
                {
                    let _region = task.region("compute");
                    work(Duration::from_micros(micros));
                }
                task.log_args("status", format_args!("200 after request {number}"));
            }));
        }
        for request in requests {
            request.await?;
        }
        Ok::<(), tokio::task::JoinError>(())
    })?;
    drop(runtime);
    recording.stop()?;
    let bytes = bytes.0.lock().map_err(|_| "poisoned")?.clone();
    Ok(bytes)
}

/// Keeps the worker busy.
fn work(duration: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < duration {
        std::hint::spin_loop();
    }
}
