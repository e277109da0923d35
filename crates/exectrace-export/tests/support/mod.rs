//! What the tests share: traces, and rows that must nest. `expected` says what is in a trace by the
//! reader's own word, `go` has Go programs make traces.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod expected;
pub mod go;
pub mod processor;
pub mod protobuf;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exectrace_format::{Reader, text};
use exectrace_recorder::{RecordingOptions, Task};
use exectrace_tokio::{BuilderExt, spawn_blocking, spawn_named};

/// A made-up trace of one request.
pub fn service() -> Vec<u8> {
    text::parse(include_str!("service.trace.txt")).expect("the service's trace is well-formed")
}

/// The made-up trace, that of a Tokio program, and those of a Go program where there is Go.
pub fn traces() -> Vec<Vec<u8>> {
    let mut traces = vec![service(), recorded()];
    traces.extend_from_slice(go::traces());
    traces
}

/// A thread that enters the span `save` three times, from 1030 to 1190, and is 40 ns in it; between, a
/// user task carries the span `branch` from 1050 to 1160, with the region `query` in it.
pub fn spans() -> Vec<u8> {
    text::parse(include_str!("spans.trace.txt")).expect("the trace is well-formed")
}

/// A task and a thread that are in calls: see the head of the file.
pub fn calls() -> Vec<u8> {
    text::parse(include_str!("calls.trace.txt")).expect("the trace is well-formed")
}

/// Every case of the format's own tests that has a header, legal and damaged, with its name.
pub fn cases() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../exectrace-format/tests/cases"
    );
    let entries = std::fs::read_dir(folder).expect("the folder of cases");
    let mut cases: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a case is text");
            let bytes = text::parse(&text).expect("a case is well-formed");
            (
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                bytes,
            )
        })
        .filter(|(_, bytes)| Reader::new(bytes.as_slice()).is_ok())
        .collect();
    cases.sort();
    assert!(cases.len() > 100, "where are the cases?");
    cases
}

/// A recording of a Tokio program: two tasks that exchange messages, requests, a blocking closure.
pub fn recorded() -> Vec<u8> {
    let _turn = turn();
    let bytes = Bytes::default();
    let started = RecordingOptions::new().start_writer(bytes.clone());
    let recording = started.expect("a recording in memory starts");
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .exectrace("test")
        .build();
    let runtime = runtime.expect("a runtime");
    exectrace_tokio::block_on(&runtime, exchange()).expect("the program ran");
    drop(runtime);
    recording.stop().expect("a recording in memory stops");
    let bytes = bytes.0.lock().expect("the bytes");
    bytes.clone()
}

async fn exchange() -> Result<(), tokio::task::JoinError> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let ping = spawn_named("ping", async move {
        for number in 0..50_u64 {
            let request = Task::new("request");
            drop(request.region("send"));
            request.log_args("number", format_args!("{number}"));
            if sender.send(number).await.is_err() {
                break;
            }
        }
    });
    let pong = spawn_named("pong", async move {
        while receiver.recv().await.is_some() {
            drop(exectrace_recorder::region("receive"));
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    });
    ping.await?;
    pong.await?;
    spawn_blocking(|| drop(exectrace_recorder::region("blocking"))).await
}

/// There is one tracer in a process: tests that record must take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the bytes").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plays begins and ends, in the order of the file where times are equal, and gives the slices;
/// what stays open has no end. Panics where an end has no begin.
pub fn nest<R: std::hash::Hash + Eq + Clone + std::fmt::Debug, T>(
    mut edges: Vec<(i64, R, Option<T>)>,
) -> Vec<(R, T, i64, Option<i64>)> {
    edges.sort_by_key(|(time, ..)| *time);
    let mut open: HashMap<R, Vec<(T, i64)>> = HashMap::new();
    let mut slices = Vec::new();
    for (time, row, begun) in edges {
        let stack = open.entry(row.clone()).or_default();
        match begun {
            Some(what) => stack.push((what, time)),
            None => {
                let (what, begin) = stack
                    .pop()
                    .unwrap_or_else(|| panic!("an end without begin on {row:?} at {time}"));
                slices.push((row, what, begin, Some(time)));
            }
        }
    }
    for (row, stack) in open {
        slices.extend(
            stack
                .into_iter()
                .map(|(what, begin)| (row.clone(), what, begin, None)),
        );
    }
    slices
}
