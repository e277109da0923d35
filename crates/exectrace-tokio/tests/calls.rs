//! What the calls of the C library say of async tasks: which closures make them, and what the driver waited for.

#![cfg(target_os = "linux")]

// The calls of this program are seen.
use exectrace_syscalls as _;

mod support;

use exectrace_format::{
    CompactEvent, CompactKind, GoState, SideRecord, StateChange, TraceEvent, TraceEventKind,
};
use exectrace_recorder::Settings;
use std::time::Duration;
use support::{Sink, runtime, turn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The goroutine's name: the root of its stacks.
fn name_of(stack: &Option<std::sync::Arc<[exectrace_format::StackFrame]>>) -> &str {
    stack
        .as_ref()
        .and_then(|stack| stack.last())
        .map_or("", |root| &root.function)
}

/// Records each call.
fn record_all_calls() {
    // Not possible any more, and not needed, once a recording was started.
    let _ = Settings::new().call_threshold(Duration::ZERO).apply();
}

fn read(sink: &Sink) -> Vec<TraceEvent> {
    exectrace_referee::assert_bytes_accepted(&sink.bytes());
    let bytes = sink.bytes();
    let reader = exectrace_format::Reader::new(&*bytes).expect("a header");
    reader.map(|event| event.expect("a good trace")).collect()
}

/// Why the async task of this name waited, without repetitions.
fn reasons(events: &[TraceEvent], name: &str) -> Vec<String> {
    let mut reasons: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            TraceEventKind::StateTransition {
                change:
                    StateChange::Go {
                        to: GoState::Waiting,
                        ..
                    },
                reason,
                stack,
                is_status: false,
            } if name_of(stack) == name => Some(reason.to_string()),
            _ => None,
        })
        .collect();
    reasons.dedup();
    reasons
}

#[test]
fn who_waits_for_the_driver_waits_for_a_timer_or_for_a_source() {
    let _turn = turn();
    record_all_calls();
    let runtime = runtime("waits", 1);
    let sink = Sink::default();
    let recording = sink.start();
    runtime.block_on(async {
        let sleeper = async { tokio::time::sleep(Duration::from_millis(30)).await };
        exectrace_tokio::spawn_named("sleeper", sleeper)
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let reader = async move { server.read_u8().await.unwrap() };
        let reader = exectrace_tokio::spawn_named("reader", reader);
        // The answer comes from a thread, when the worker has nothing else to do.
        let late = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(30)));
        tokio::task::spawn_blocking(move || late.join().unwrap())
            .await
            .unwrap();
        client.write_u8(7).await.unwrap();
        assert_eq!(reader.await.unwrap(), 7);
    });
    drop(runtime);
    recording.stop().unwrap();
    let events = read(&sink);
    // Where the stack says it, that counts.
    let has_stacks = exectrace_recorder::has_frame_pointers();
    let (timer, source) = match has_stacks {
        true => ("sleep", "network"),
        false => ("sleep (woken by timer)", "network or signal"),
    };
    assert_eq!(reasons(&events, "sleeper"), [timer]);
    assert_eq!(reasons(&events, "reader"), [source]);
}

/// Longer than records are held, so that the call is written before it has ended.
const LONG: Duration = Duration::from_millis(400);

/// What a task calls that should not.
#[inline(never)]
fn blocks() {
    std::thread::sleep(LONG);
    std::hint::black_box(());
}

#[test]
fn a_call_that_is_written_while_it_lasts_has_its_async_stack_when_it_has_ended() {
    let _turn = turn();
    record_all_calls();
    let runtime = runtime("blocked", 1);
    let sink = Sink::default();
    let recording = sink.start();
    let task = exectrace_tokio::spawn_on(async { blocks() }, runtime.handle());
    runtime.block_on(task).unwrap();
    drop(runtime);
    recording.stop().unwrap();
    let begins: Vec<_> = read(&sink)
        .into_iter()
        .filter_map(|event| match &event.kind {
            TraceEventKind::StateTransition {
                change: StateChange::Go { go, to, .. },
                reason,
                ..
            } if *to == GoState::Waiting && &**reason == "sleep" => Some((*go, event.time.0)),
            _ => None,
        })
        .collect();
    let [(sleeper, begin)] = begins[..] else {
        panic!("not one sleep: {begins:?}");
    };
    let bytes = sink.bytes();
    let mut reader = exectrace_format::Reader::new(&*bytes).expect("a header");
    let mut event = CompactEvent::default();
    let mut stacks = Vec::new();
    while reader.next_into(&mut event).expect("a good trace") {
        if let Some(SideRecord::CallStack { time_ns, go, stack }) = reader.side_record()
            && matches!(event.kind, CompactKind::SideData(()))
        {
            assert_eq!((*go, *time_ns as i64), (sleeper, begin));
            let frames = reader.tables().frames(*stack);
            let functions = frames.map(|frame| reader.tables().text(frame.function_id).to_owned());
            stacks.push(functions.collect::<Vec<_>>());
        }
    }
    match exectrace_recorder::has_frame_pointers() {
        true => {
            let [stack] = &stacks[..] else {
                panic!("not one stack: {stacks:?}");
            };
            assert!(stack[0].ends_with("nanosleep"), "{stack:?}");
            let is_blocks = |function: &String| function.ends_with("::blocks");
            assert!(stack.iter().any(is_blocks), "{stack:?}");
        }
        false => assert_eq!(stacks, [] as [Vec<String>; 0]),
    }
}

#[test]
fn a_file_that_tokio_fs_reads_is_read_by_a_closure_which_then_wakes_the_task() {
    let _turn = turn();
    record_all_calls();
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
    let events = read(&sink);
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
