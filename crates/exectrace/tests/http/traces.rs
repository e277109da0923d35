//! Traces that are streamed to clients.

use std::sync::Barrier;
use std::thread;

use exectrace::http::{Builder, serve, serve_with};
use exectrace::region;

use crate::client::{ask, count_regions, read, recorded, status_when, turn, whole_part};

#[test]
fn a_trace_has_what_the_program_did_while_it_was_streamed() {
    let _turn = turn();
    let server = serve("127.0.0.1:0").unwrap();
    drop(region("before"));
    let answer = ask(server.address(), "GET /debug/pprof/trace?seconds=0.05");
    // On a busy machine its time may be over before the first.
    let mut made = 0;
    while exectrace::is_enabled() && made < 1_000 {
        drop(region("during"));
        made += 1;
    }
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    let file = Some("attachment; filename=\"trace\"");
    assert_eq!(answer.header("content-disposition"), file);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let bytes = answer.bytes();
    let events = read(&bytes);
    assert_eq!(count_regions(&events, "before"), 0);
    let recorded = count_regions(&events, "during");
    // Its time may be over between the last look and the region.
    assert!(
        recorded == made || recorded + 1 == made,
        "{recorded} of {made}"
    );
    exectrace_referee::assert_bytes_accepted(&bytes);
    status_when(|status| status.recordings.is_empty());
}

#[test]
fn twenty_clients_at_once_have_a_recording_each_and_one_more_is_asked_to_wait() {
    const CLIENTS: usize = 20;
    let _turn = turn();
    let service = Builder::new().max_traces(CLIENTS).service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let address = server.address();
    // Each step ends when all have done it, and none when some time has passed.
    let step = Barrier::new(CLIENTS + 1);
    let traces: Vec<_> = thread::scope(|scope| {
        let client = || {
            let mut answer = ask(address, "GET /debug/pprof/trace?seconds=600");
            assert_eq!(answer.status, 200);
            let mut bytes = answer.some_bytes();
            step.wait();
            while !has_region(&bytes, "for all") {
                bytes.extend(answer.some_bytes());
            }
            step.wait();
            step.wait();
            bytes
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        step.wait();
        drop(region("for all"));
        step.wait();
        let refused = ask(address, "GET /debug/pprof/trace");
        let retry = refused.header("retry-after").map(str::to_owned);
        assert_eq!((refused.status, retry.as_deref()), (503, Some("1")));
        step.wait();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    for bytes in &traces {
        assert_eq!(count_regions(&read(whole_part(bytes)), "for all"), 1);
    }
    exectrace_referee::assert_bytes_accepted(whole_part(&traces[0]));
    let status = status_when(|status| status.recordings.is_empty());
    assert_eq!(status.since_last_pass, None);
}

/// Whether a region of this name is in what has come of a trace.
fn has_region(bytes: &[u8], name: &str) -> bool {
    let has_name = || {
        bytes
            .windows(name.len())
            .any(|part| part == name.as_bytes())
    };
    has_name() && count_regions(&read(whole_part(bytes)), name) > 0
}

#[test]
fn a_client_that_leaves_frees_everything() {
    let _turn = turn();
    let server = serve("127.0.0.1:0").unwrap();
    let mut answer = ask(server.address(), "GET /debug/pprof/trace?seconds=600");
    let begin = answer.some_bytes();
    assert!(begin.starts_with(b"go 1.25 trace\0\0\0"));
    status_when(|status| status.recordings.len() == 1);
    drop(answer);
    status_when(|status| status.recordings.is_empty());
    assert!(!exectrace::is_enabled());
    // Its place is free again, and so is its connection.
    let streamed = |wanted: &str| {
        let text = ask(server.address(), "GET /debug/exectrace/status").text();
        text.contains(&format!("traces streamed: {wanted} of 32"))
    };
    while !streamed("0") {
        thread::yield_now();
    }
    #[cfg(target_os = "linux")]
    {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for _ in 0..50 {
            ask(server.address(), "GET /debug/pprof/trace?seconds=600").some_bytes();
        }
        // Some may be those of the answers above.
        while open() > before {
            thread::yield_now();
        }
        assert!(streamed("0"));
    }
}

#[test]
fn a_server_that_is_dropped_stops_the_recordings_of_its_clients() {
    let _turn = turn();
    let server = serve("127.0.0.1:0").unwrap();
    let mut answer = ask(server.address(), "GET /debug/pprof/trace?seconds=600");
    answer.some_bytes();
    drop(server);
    status_when(|status| status.recordings.is_empty());
    answer.bytes_until_it_breaks_off();
}

#[test]
fn a_client_that_does_not_read_gets_a_valid_trace_that_says_where_it_ends() {
    let _turn = turn();
    let service = Builder::new().buffer_bytes(4 << 20).service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let mut answer = ask(server.address(), "GET /debug/pprof/trace?seconds=600");
    let mut bytes = answer.some_bytes();
    // The system's buffers of the connection have room for some megabytes.
    while exectrace::status()
        .recordings
        .iter()
        .all(|recording| recording.error.is_none())
    {
        for _ in 0..1_000 {
            drop(region("much"));
        }
    }
    bytes.extend(answer.bytes());
    let events = read(&bytes);
    assert!(count_regions(&events, "much") > 0);
    let recorded = recorded(&events).unwrap();
    assert!(
        recorded.starts_with("until its reader was too slow"),
        "{recorded}"
    );
    exectrace_referee::assert_bytes_accepted(&bytes);
    status_when(|status| status.recordings.is_empty());
}
