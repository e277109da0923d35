//! A program that exits while a client reads. The test program runs itself as that program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::client::{ask, count_regions, read, whole_part};

/// Set in the program that exits.
const ROLE: &str = "EXECTRACE_TEST_HTTP_EXITS";

/// Not a test by itself: what the program does that exits.
#[test]
fn the_program() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let server = exectrace::http::serve("127.0.0.1:0").unwrap();
    println!("at {}", server.address());
    std::thread::spawn(|| {
        loop {
            (0..100).for_each(|_| drop(exectrace::region("work")));
            // So that a group stays a small part of what is read.
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    // Exits when its input ends, in the middle of everything.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    std::process::exit(0);
}

#[test]
fn a_program_that_exits_leaves_its_client_a_valid_trace_up_to_some_group() {
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exit::the_program", "--nocapture"])
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| Some(line.unwrap().split_once("at ")?.1.to_owned()));
    let mut answer = ask(
        address.unwrap().parse().unwrap(),
        "GET /debug/pprof/trace?seconds=600",
    );
    let mut bytes = answer.some_bytes();
    while bytes.len() < 1_000_000 {
        bytes.extend(answer.some_bytes());
    }
    drop(program.stdin.take());
    bytes.extend(answer.bytes_until_it_breaks_off());
    assert!(program.wait().unwrap().success());
    // The last group may have come in part.
    let whole = whole_part(&bytes);
    assert!(count_regions(&read(whole), "work") > 0);
    exectrace_referee::assert_bytes_accepted(whole);
}
