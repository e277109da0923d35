//! Requests that are refused, each with a reason.

use exectrace::http::{Builder, serve, serve_with};

use crate::client::{ask, send, turn};

#[test]
fn what_is_wrong_with_a_request_is_in_its_answer() {
    let _turn = turn();
    let server = serve("127.0.0.1:0").unwrap();
    for (request, status, reason) in [
        (
            "GET /debug/pprof/trace?seconds=0",
            400,
            "number of seconds above 0",
        ),
        ("GET /debug/pprof/trace?seconds=1h", 400, "\"1h\""),
        (
            "GET /debug/pprof/trace?seconds=601",
            400,
            "601 is more than the 600",
        ),
        (
            "GET /debug/pprof/trace?second=1",
            400,
            "unknown parameter \"second\"; this path takes: seconds",
        ),
        ("HEAD /debug/pprof/trace?seconds=x", 400, ""),
        ("POST /debug/pprof/trace", 405, "this path takes GET, HEAD"),
        ("GET /debug/exectrace/start", 405, "this path takes POST"),
        (
            "DELETE /debug/exectrace/filter",
            405,
            "this path takes GET, HEAD, POST",
        ),
        ("GET /debug/pprof/heap", 404, "/debug/pprof/ lists"),
        ("GET /", 404, ""),
        (
            "GET /debug/exectrace/status?format=xml",
            400,
            "neither json nor text",
        ),
        ("GET /debug/exectrace/snapshot", 501, "no flight recorder"),
        ("POST /debug/exectrace/start", 501, "Builder::directory"),
        (
            "POST /debug/exectrace/filter?filter=info",
            501,
            "Builder::handle",
        ),
        ("POST /debug/exectrace/stop", 409, "not recording"),
        (
            "POST /debug/exectrace/stop?now",
            400,
            "this path takes none",
        ),
    ] {
        let answer = ask(server.address(), request);
        assert_eq!(answer.status, status, "{request}");
        let allow = answer.header("allow").map(str::to_owned);
        let text = answer.text();
        assert!(text.contains(reason), "{request}: {text}");
        assert_eq!(allow.is_some(), status == 405, "{request}");
    }
    assert!(exectrace::status().recordings.is_empty());
}

#[test]
fn the_page_that_lists_the_paths_is_found_without_the_slash_at_its_end() {
    let server = serve("127.0.0.1:0").unwrap();
    let moved = ask(server.address(), "GET /debug/pprof");
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, Some("pprof/"))
    );
    let page = ask(server.address(), "GET /debug/pprof/").text();
    // The links lead to paths that there are, wherever the page is.
    for link in page.split("href=\"..").skip(1) {
        let path = link.split('"').next().unwrap();
        let request = format!("HEAD /anywhere{path}");
        let status = ask(server.address(), &request).status;
        // Without a handle there is no filter.
        assert_eq!(
            status,
            if path.ends_with("filter") { 501 } else { 200 },
            "{path}"
        );
    }
}

#[test]
fn a_page_of_another_origin_can_change_nothing() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let service = Builder::new().directory(folder.path()).service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let start = |headers: &str| {
        let request = "POST /debug/exectrace/start";
        send(server.address(), request, headers, "").status
    };
    assert_eq!(
        start("Host: localhost:1\r\nOrigin: https://elsewhere.example\r\n"),
        403
    );
    assert_eq!(start("Origin: null\r\nHost: localhost:1\r\n"), 403);
    assert!(exectrace::status().recordings.is_empty());
    let same = "Host: localhost:1\r\nOrigin: http://localhost:1\r\n";
    assert_eq!(start(same), 200);
}

#[test]
fn a_page_of_a_name_that_was_resolved_to_this_host_can_read_nothing() {
    let _turn = turn();
    let request = "GET /debug/pprof/trace?seconds=0.01";
    let rebound = "Host: elsewhere.example:1\r\n";
    let server = serve("127.0.0.1:0").unwrap();
    let answer = send(server.address(), request, rebound, "");
    assert_eq!(answer.status, 403);
    let text = answer.text();
    assert!(text.contains("Builder::host"), "{text}");
    let service = Builder::new().host("elsewhere.example").service();
    let server = serve_with("127.0.0.1:0", service).unwrap();
    let answer = send(server.address(), request, rebound, "");
    assert_eq!(answer.status, 200);
    answer.bytes();
    // Where others reach it, its names are not known.
    let server = serve("0.0.0.0:0").unwrap();
    let address = (std::net::Ipv4Addr::LOCALHOST, server.address().port());
    assert_eq!(send(address.into(), request, rebound, "").status, 200);
}

#[test]
fn a_head_is_that_of_the_answer_and_records_nothing() {
    let _turn = turn();
    let server = serve("127.0.0.1:0").unwrap();
    for (path, content_type) in [
        ("/debug/pprof/", "text/html; charset=utf-8"),
        ("/debug/pprof/trace?seconds=600", "application/octet-stream"),
        ("/debug/exectrace/status", "text/plain; charset=utf-8"),
    ] {
        let answer = ask(server.address(), &format!("HEAD {path}"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.bytes(), b"");
        assert!(exectrace::status().recordings.is_empty());
    }
}
