//! Recordings into files, the filter and the status, by request.

use std::fs;
use std::path::Path;

use exectrace::http::{Builder, Service, serve_with};
use exectrace::region;
use serde_json::Value;

use crate::client::{ask, count_regions, read, send, status_when, turn};

#[test]
fn a_recording_is_started_once_into_a_new_file_and_stopped() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let service = Builder::new().directory(folder.path()).service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let start = || ask(server.address(), "POST /debug/exectrace/start");
    let started = start();
    assert_eq!(started.status, 200);
    let text = started.text();
    let path = Path::new(text.trim().strip_prefix("recording to ").unwrap());
    assert_eq!(path.parent(), Some(folder.path()));
    let second = start();
    assert_eq!(second.status, 409);
    assert!(second.text().contains(&path.display().to_string()));
    drop(region("work"));
    let stopped = ask(server.address(), "POST /debug/exectrace/stop");
    assert_eq!(stopped.status, 200);
    let report = stopped.text();
    assert!(report.contains("0 dropped"), "{report}");
    let events = read(&fs::read(path).unwrap());
    assert_eq!(count_regions(&events, "work"), 1);
    exectrace_referee::assert_accepted(path);
    // One that ends by itself is in nobody's way, and has its report all the same.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let post = |headers, body| {
        let request = "POST /debug/exectrace/start";
        send(server.address(), request, headers, body).status
    };
    assert_eq!(post("", "seconds=0.01"), 400);
    assert_eq!(post(form, "second=0.01"), 400);
    assert_eq!(post(form, "seconds=0.01"), 200);
    status_when(|status| status.recordings.is_empty());
    assert_eq!(start().status, 200);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    drop(server);
    // With its service.
    status_when(|status| status.recordings.is_empty());
}

#[test]
fn a_directory_that_is_not_there_is_an_error_with_its_path() {
    let _turn = turn();
    let service = Builder::new().directory("/no/such/folder").service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let answer = ask(server.address(), "POST /debug/exectrace/start");
    assert_eq!(answer.status, 500);
    let text = answer.text();
    assert!(text.contains("/no/such/folder/"), "{text}");
    assert!(text.contains("No such file"), "{text}");
}

#[test]
fn the_status_as_json_has_the_counts_of_what_was_recorded() {
    let _turn = turn();
    let server = serve_with("127.0.0.1:0", Service::new()).unwrap();
    let json = |request: &str, headers: &str| -> Value {
        let answer = send(server.address(), request, headers, "");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_str(&answer.text()).unwrap()
    };
    let trace = ask(server.address(), "GET /debug/pprof/trace?seconds=600");
    let before = exectrace::status().records.annotations;
    drop(region("work"));
    status_when(|status| status.records.annotations == before + 2);
    let status = json("GET /debug/exectrace/status?format=json", "");
    assert_eq!(status["schema"], "exectrace.status/1");
    assert_eq!(status["records"]["annotations"], before + 2);
    assert_eq!(status["streamed"], 1);
    let recording = &status["recordings"][0];
    assert_eq!(recording["destination"], "a stream");
    assert_eq!(recording["stops_after_ns"], 600_000_000_000_u64);
    assert_eq!(recording["error"], Value::Null);
    assert_eq!(status["settings"]["memory_bytes"], 64 << 20);
    assert!(status["last_record_unix_ns"].is_u64());
    drop(trace);
    status_when(|status| status.recordings.is_empty());
    let accepts = "Accept: application/json\r\n";
    let status = json("GET /debug/exectrace/status", accepts);
    assert_eq!(status["recordings"], serde_json::json!([]));
    let text = ask(server.address(), "GET /debug/exectrace/status").text();
    assert!(text.starts_with("nothing records\n"), "{text}");
}

#[cfg(feature = "tracing")]
#[test]
fn the_filter_is_what_the_last_request_set_and_a_wrong_one_changes_nothing() {
    let _turn = turn();
    let (_subscriber, handle) = exectrace::Builder::new().subscriber();
    let service = Builder::new().handle(handle.clone()).service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let get = || ask(server.address(), "GET /debug/exectrace/filter").text();
    let post = |query: &str, headers: &str, body: &str| {
        let request = format!("POST /debug/exectrace/filter{query}");
        let answer = send(server.address(), &request, headers, body);
        (answer.status, answer.text())
    };
    let set = |query: &str, body: &str| post(query, "", body);
    assert_eq!(get(), "info\n");
    assert_eq!(set("?filter=warn,my_crate%3Ddebug", "").0, 200);
    assert_eq!(handle.filter().to_string(), get().trim());
    assert!(handle.filter().records("my_crate", tracing::Level::DEBUG));
    assert_eq!(set("", "error"), (200, "error\n".to_owned()));
    let (status, text) = set("", "my_crate=loud");
    assert_eq!(status, 400);
    assert!(text.contains("invalid filter \"my_crate=loud\""), "{text}");
    // As curl posts.
    let form = |body: &str| {
        post(
            "",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            body,
        )
    };
    assert_eq!(form("filter=debug"), (200, "debug\n".to_owned()));
    let (status, text) = form("filter=info%2Cmy_crate%3Dtrace");
    assert_eq!(
        (status, handle.filter().to_string()),
        (200, text.trim().to_owned())
    );
    assert!(handle.filter().records("my_crate", tracing::Level::TRACE));
    assert_eq!(form("filter=info&seconds=1").0, 400);
    assert_eq!(form("error"), (200, "error\n".to_owned()));
    assert_eq!(set("", "").0, 400);
    assert_eq!(set("?filter=info", "warn").0, 400);
    assert_eq!(set("", &"x".repeat(1 << 17)).0, 413);
    assert_eq!(get(), "error\n");
}
