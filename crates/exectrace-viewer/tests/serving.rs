//! The server as a browser sees it, on the loopback address.

use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};

use exectrace_format::text;
use exectrace_viewer::{Server, Trace};

/// A trace with two tasks, regions and a hostile name.
const TWO_TASKS: &str = include_str!("../../exectrace-replay/tests/traces/two_tasks.txt");

/// The paths of all pages.
const PAGES: [&str; 13] = [
    "",
    "timeline",
    "tasks",
    "usertasks",
    "usertask/1",
    "regions",
    "latency",
    "workers",
    "syscalls",
    "profile/run",
    "logs",
    "help",
    "task/1",
];

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// The address of a server that shows a trace, and the path with its token.
fn serve(trace: Vec<u8>) -> (SocketAddr, String) {
    let trace = Trace::new("some trace", move || {
        Ok(Box::new(Cursor::new(trace.clone())))
    });
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), trace).unwrap();
    let url = server.url();
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let address = host.parse().unwrap();
    std::thread::spawn(move || server.run());
    (address, format!("/{path}"))
}

fn get_as(address: SocketAddr, host: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    get_as(address, &address.to_string(), path)
}

#[test]
fn every_page_of_a_trace_is_a_document_that_loads_nothing_from_elsewhere() {
    let (address, root) = serve(text::parse(TWO_TASKS).unwrap());
    for page in PAGES {
        let answer = get(address, &format!("{root}{page}"));
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.body.contains("</html>"), "{page}");
        assert!(answer.head.contains("default-src 'self'"), "{page}");
        assert!(!answer.body.contains("://"), "{page} names another place");
        assert!(
            !answer.body.contains(" style="),
            "{page}: the policy forbids it"
        );
    }
    let overview = get(address, &root).body;
    assert!(overview.contains("2 async tasks"), "{overview}");
}

#[test]
fn a_trace_without_events_has_all_pages_too() {
    let (address, root) = serve(text::parse("go 1.25\n").unwrap());
    for page in PAGES.iter().filter(|page| !page.starts_with("task/")) {
        assert_eq!(get(address, &format!("{root}{page}")).status, 200, "{page}");
    }
    assert_eq!(get(address, &format!("{root}task/1")).status, 404);
}

#[test]
fn what_is_no_trace_is_an_error_page_and_a_damaged_one_shows_what_was_before() {
    let (address, root) = serve(b"no trace at all".to_vec());
    let answer = get(address, &root);
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("cannot be read"), "{}", answer.body);
    let mut damaged = text::parse(TWO_TASKS).unwrap();
    damaged.extend([0xff; 16]);
    let (address, root) = serve(damaged);
    let answer = get(address, &root);
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("The trace is damaged"),
        "{}",
        answer.body
    );
}

#[test]
fn nobody_gets_anything_without_the_token_or_under_another_host() {
    let (address, root) = serve(text::parse(TWO_TASKS).unwrap());
    assert_eq!(get(address, &root).status, 200);
    assert_eq!(get(address, "/").status, 404);
    assert_eq!(
        get(address, "/00000000000000000000000000000000/").status,
        404
    );
    // What the browser sends for a page of the web whose name leads to this address.
    assert_eq!(get_as(address, "evil.example", &root).status, 403);
    assert_eq!(get_as(address, "127.0.0.1.evil.example", &root).status, 403);
    // A port that is forwarded to this one.
    assert_eq!(get_as(address, "localhost:8080", &root).status, 200);
    assert_eq!(
        get_as(address, &format!("localhost:{}", address.port()), &root).status,
        200
    );
}

#[test]
fn names_in_a_trace_are_shown_as_text() {
    let hostile = TWO_TASKS.replace("\"main\"", "\"<script>alert(1)</script>\"");
    let hostile = hostile.replace("\"request\"", "\"<img src=x onerror=alert(1)>\u{202e}\"");
    let (address, root) = serve(text::parse(&hostile).unwrap());
    for page in PAGES {
        let body = get(address, &format!("{root}{page}")).body;
        assert!(!body.contains("<script>"), "{page}");
        assert!(!body.contains("<img"), "{page}");
    }
    let body = get(address, &format!("{root}regions")).body;
    assert!(body.contains("&lt;img"), "{body}");
}

#[test]
fn questions_that_cannot_be_answered_are_refused_with_a_reason() {
    let (address, root) = serve(text::parse(TWO_TASKS).unwrap());
    for (query, reason) in [
        ("block?rows=x1&level=3&index=0", "rows are"),
        ("block?rows=w0&level=99&index=0", "no trace is so long"),
        (
            "block?rows=w0&level=43&index=18446744073709551615",
            "no trace is so long",
        ),
        ("rows?view=everything", "there is no such view"),
        ("loads?t0=5&t1=5&parts=1", "no part of the time"),
    ] {
        let answer = get(address, &format!("{root}api/v1/{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains(reason), "{query}: {}", answer.body);
    }
    // Fine cells, far from the begin.
    let fine = get(
        address,
        &format!("{root}api/v1/block?rows=w0&level=0&index=1000000000"),
    );
    assert_eq!(fine.status, 200);
    let filtered = get(address, &format!("{root}tasks?filter=group"));
    assert_eq!(filtered.status, 200);
    assert!(
        filtered.body.contains("This is no filter"),
        "{}",
        filtered.body
    );
}
