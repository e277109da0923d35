//! Closures of the blocking pool that no wrapper has seen.

#![cfg(target_os = "linux")]

// The calls of this program are seen.
use exectrace_syscalls as _;

mod support;

use exectrace_format::{GoState, StateChange, TraceEvent, TraceEventKind};
use exectrace_recorder::Settings;
use std::time::Duration;
use support::{Sink, runtime, turn};

/// The goroutine's name: the root of its stacks.
fn name_of(stack: &Option<std::sync::Arc<[exectrace_format::StackFrame]>>) -> &str {
    stack
        .as_ref()
        .and_then(|stack| stack.last())
        .map_or("", |root| &root.function)
}

#[test]
fn a_file_that_tokio_fs_reads_is_read_by_a_closure_which_then_wakes_the_task() {
    let _turn = turn();
    let settings = Settings::new().call_threshold(Duration::ZERO);
    settings
        .apply()
        .expect("the first recording of the program");
    let (_folder, path) = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"contents").unwrap();
        (folder, path)
    };
    let runtime = runtime("files", 1);
    let sink = Sink::default();
    let recording = sink.start();
    let task = exectrace_tokio::spawn_on(
        async move { tokio::fs::read(path).await.unwrap() },
        runtime.handle(),
    );
    assert_eq!(runtime.block_on(task).unwrap(), b"contents");
    drop(runtime);
    recording.stop().unwrap();
    exectrace_referee::assert_bytes_accepted(&sink.bytes());
    let events: Vec<TraceEvent> = exectrace_format::Reader::new(&*sink.bytes())
        .unwrap()
        .map(|event| event.expect("a good trace"))
        .collect();
    let transitions = || {
        events.iter().filter_map(|event| match &event.kind {
            TraceEventKind::StateTransition {
                change: StateChange::Go { go, from, to },
                stack,
                ..
            } => Some((event, *go, *from, *to, stack)),
            _ => None,
        })
    };
    let mut calls: Vec<_> = transitions()
        .filter(|(.., to, stack)| *to == GoState::Syscall && name_of(stack) == "(blocking closure)")
        .map(|(_, go, _, _, stack)| {
            let leaf = stack.as_ref().and_then(|stack| stack.first());
            (go, leaf.map_or("", |leaf| &*leaf.function))
        })
        .collect();
    calls.dedup();
    let closure = calls.first().expect("a closure that makes calls").0;
    assert!(calls.iter().all(|(go, _)| *go == closure), "{calls:?}");
    for wanted in ["open", "read"] {
        let is_wanted = |(_, call): &(_, &str)| call.starts_with(wanted);
        assert!(calls.iter().any(is_wanted), "{wanted}: {calls:?}");
    }
    let wakes = transitions().filter(|(event, go, from, to, _)| {
        (*from, *to) == (GoState::Waiting, GoState::Runnable)
            && event.go == Some(closure)
            && *go != closure
    });
    assert_eq!(
        wakes.count(),
        1,
        "the closure wakes the task that waits for it"
    );
    let ends = transitions().filter(|(_, go, _, to, _)| *go == closure && *to == GoState::NotExist);
    assert_eq!(ends.count(), 1, "the closure ends");
}
