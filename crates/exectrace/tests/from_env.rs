//! Recordings that the environment of a program asks for.
#![cfg(all(unix, feature = "tracing"))]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use exectrace_format::{TraceEvent, TraceEventKind};
use support::{age, events, files, folder, program, role, run};

/// The program of the tests below. Not a test by itself.
#[test]
fn the_program() {
    let Some(role) = role() else { return };
    if role == "layer" {
        use tracing_subscriber::prelude::*;
        let (layer, _handle) = exectrace::layer();
        tracing_subscriber::registry().with(layer).init();
    }
    if role == "sets" {
        let settings = exectrace::Settings::new().process_samples(false);
        settings.apply().unwrap();
    }
    let guard = match exectrace::from_env() {
        Ok(guard) => guard,
        Err(error) => {
            println!("error: {error}");
            std::process::exit(3);
        }
    };
    println!("recording: {}", guard.is_recording());
    if let Some(path) = guard.path() {
        println!("path: {}", path.display());
    }
    drop(exectrace::region("of the program"));
    tracing::info_span!("informs").in_scope(|| tracing::debug!("details"));
    tracing::debug_span!("debugs").in_scope(|| {});
    let settings = exectrace::status().settings;
    println!("memory: {}", settings.memory_bytes);
    println!("samples: {}", settings.process_samples);
    match role.as_str() {
        "exits" => std::process::exit(0),
        "forks" => forks(|| {}),
        "forks and drops" => forks(|| drop(guard)),
        "asks twice" => {
            let second = exectrace::from_env().unwrap();
            assert!(guard.is_recording() && !second.is_recording());
        }
        "asks again" => {
            drop(guard);
            let again = exectrace::from_env().unwrap();
            println!("serves again: {}", again.http_address().is_some());
        }
        "stops" => {
            let report = guard.stop().unwrap();
            assert!(report.is_none_or(|report| report.events > 0));
            assert!(!exectrace::is_enabled());
        }
        "waits" => {
            let _region = exectrace::region("while it waits");
            println!("serves: {:?}", guard.http_address());
            println!("waiting: yes");
            std::io::stdout().flush().unwrap();
            // Until the test closes its end.
            std::io::read_to_string(std::io::stdin()).unwrap();
        }
        _ => {}
    }
}

fn forks(in_child: impl FnOnce()) {
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            let is_off = !exectrace::is_enabled();
            drop(exectrace::region("of the child"));
            in_child();
            std::process::exit(if is_off { 0 } else { 1 });
        }
        fork::Fork::Parent(child) => {
            fork::waitpid(child).unwrap();
            drop(exectrace::region("after the child"));
        }
    }
}

fn has_region(events: &[TraceEvent], wanted: &str) -> bool {
    events.iter().any(
        |event| matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == wanted),
    )
}

#[test]
fn without_a_variable_nothing_is_recorded_and_nothing_said() {
    let folder = folder();
    let run = run(program("the_program", "plain").current_dir(&folder)).succeeded();
    assert_eq!(run.said("recording"), "false");
    assert!(!run.stderr.contains("exectrace"), "{run:?}");
    assert!(files(&folder).is_empty());
}

#[test]
fn the_program_is_recorded_into_the_file_of_the_pattern_in_folders_that_are_made() {
    let folder = folder();
    for role in ["plain", "exits", "asks twice", "stops"] {
        let mut command = program("the_program", role);
        command
            .current_dir(&folder)
            .env("EXECTRACE", "a/%p/100%%.out");
        let run = run(&mut command).succeeded();
        let path = std::path::Path::new(run.said("path"));
        assert!(path.is_absolute() && path.ends_with("100%.out"), "{run:?}");
        assert!(has_region(&events(path), "of the program"), "{role}");
    }
}

#[test]
fn a_recording_can_be_spread_over_files() {
    let folder = folder();
    let mut command = program("the_program", "plain");
    command.current_dir(&folder).env("EXECTRACE", "server.out");
    run(command.env("EXECTRACE_ROTATE", "1MB,10m,keep=1GB")).succeeded();
    let files = files(&folder);
    assert_eq!(files.len(), 1);
    assert!(
        files[0].starts_with("server-2") && files[0].ends_with("-0001.trace"),
        "{files:?}"
    );
    assert!(has_region(
        &events(&folder.path().join(&files[0])),
        "of the program"
    ));
}

#[test]
fn a_wrong_value_is_an_error_that_names_the_right_ones_and_leaves_no_file() {
    let folder = folder();
    let wrong = [
        ("EXECTRACE", "%d.out", "`%p` is the process's id"),
        ("EXECTRACE_FILTER", "a=loud", "`info,my_crate=trace,h2=off`"),
        ("EXECTRACE_MEMORY", "much", "`16MiB`"),
        ("EXECTRACE_ROTATE", "weekly", "`100MB,10m,keep=1GB,zstd`"),
        ("EXECTRACE_FLIGHT", "10s", "a flight recorder"),
    ];
    for (name, value, accepted) in wrong {
        let mut command = program("the_program", "plain");
        command.current_dir(&folder).env("EXECTRACE", "trace.out");
        let run = run(command.env(name, value));
        assert_eq!(run.status, Some(3), "{run:?}");
        assert!(run.said("error").contains(accepted), "{run:?}");
    }
    assert!(files(&folder).is_empty());
}

#[cfg(feature = "http-server")]
#[test]
fn traces_are_served_where_the_environment_says_to_whoever_asks() {
    use std::io::{BufRead, BufReader, Read};

    let folder = folder();
    let mut command = program("the_program", "waits");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    command.env("EXECTRACE_HTTP", "127.0.0.1:0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut serving = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, address) = line.split_once("serves: Some(")?;
        Some(address.trim_end_matches(')').to_owned())
    });
    let address = address.unwrap();
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    client
        .write_all(b"GET /debug/pprof/trace?seconds=0.01 HTTP/1.0\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let head = b"\r\n\r\n";
    let begin = answer.windows(4).position(|part| part == head).unwrap();
    let fetched = folder.path().join("fetched.out");
    std::fs::write(&fetched, &answer[begin + head.len()..]).unwrap();
    assert!(has_region(&events(&fetched), "while it waits"));
    // Another program finds the address in use, and does the rest.
    let mut other = program("the_program", "plain");
    other.current_dir(&folder).env("EXECTRACE", "other.out");
    let other = run(other.env("EXECTRACE_HTTP", &address)).succeeded();
    let said = format!("cannot serve traces at {address}: ");
    assert!(other.stderr.contains(&said), "{other:?}");
    assert_eq!(other.said("recording"), "true");
    drop(serving.stdin.take());
    let output = serving.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("traces are served at {address}\n")),
        "{said}"
    );
}

#[cfg(feature = "http-server")]
#[test]
fn traces_alone_can_be_served_and_again_when_that_has_ended() {
    let mut command = program("the_program", "asks again");
    let run = run(command.env("EXECTRACE_HTTP", "127.0.0.1:0")).succeeded();
    assert_eq!(run.said("recording"), "false");
    assert_eq!(run.said("serves again"), "true");
    assert_eq!(run.stderr.matches("traces are served at").count(), 2);
}

#[cfg(feature = "http-server")]
#[test]
fn a_forked_child_does_not_wait_for_the_server_of_its_parent() {
    let folder = folder();
    let mut command = program("the_program", "forks and drops");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    run(command.env("EXECTRACE_HTTP", "127.0.0.1:0")).succeeded();
}

#[test]
fn a_setting_of_the_environment_leaves_the_programs_others_as_they_are() {
    let folder = folder();
    let mut command = program("the_program", "sets");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    let run = run(command.env("EXECTRACE_MEMORY", "16MiB")).succeeded();
    assert_eq!(run.said("memory"), (16 << 20).to_string());
    assert_eq!(run.said("samples"), "false");
}

#[test]
fn a_program_without_a_subscriber_says_why_there_are_no_spans_unless_one_is_installed() {
    let folder = folder();
    let mut command = program("the_program", "plain");
    command.current_dir(&folder).env("EXECTRACE", "%t.out");
    let without = run(&mut command).succeeded();
    assert!(
        without.stderr.contains("add exectrace::layer()"),
        "{without:?}"
    );
    assert!(!has_region(
        &events(without.said("path").as_ref()),
        "informs"
    ));
    let with = run(command.env("EXECTRACE_SUBSCRIBER", "install")).succeeded();
    assert!(!with.stderr.contains("layer"), "{with:?}");
    assert!(has_region(&events(with.said("path").as_ref()), "informs"));
}

#[test]
fn the_filter_of_the_environment_goes_before_that_of_the_program() {
    let folder = folder();
    for (role, installs) in [("layer", "none"), ("plain", "install")] {
        let mut command = program("the_program", role);
        command.current_dir(&folder).env("EXECTRACE", "%p.out");
        command.env("EXECTRACE_SUBSCRIBER", installs);
        let run = run(command.env("EXECTRACE_FILTER", "debug")).succeeded();
        let events = events(run.said("path").as_ref());
        assert!(has_region(&events, "informs") && has_region(&events, "debugs"));
    }
}

#[test]
fn a_file_that_is_there_is_not_overwritten_whosever_it_is() {
    let folder = folder();
    let mut command = program("the_program", "waits");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut alive = command.spawn().unwrap();
    // It records when it says so.
    let stdout = alive.stdout.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    assert!(lines.any(|line| line.unwrap().contains("waiting: yes")));
    let mut other = program("the_program", "plain");
    other.current_dir(&folder).env("EXECTRACE", "trace.out");
    let while_alive = run(&mut other).succeeded();
    drop(alive.stdin.take());
    assert!(alive.wait().unwrap().success());
    // Older than whatever the next process belongs to, which is the leader of a group of its own.
    let trace = folder.path().join("trace.out");
    age(&trace);
    let when_dead = run(&mut other).succeeded();
    assert_eq!(files(&folder).len(), 3);
    for run in [while_alive, when_dead] {
        let path = std::path::Path::new(run.said("path"));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("trace.") && name != "trace.out", "{run:?}");
        assert!(run.stderr.contains("trace.out exists already"), "{run:?}");
        assert!(has_region(&events(path), "of the program"));
    }
    assert!(has_region(&events(&trace), "of the program"));
}

#[test]
fn an_empty_file_and_a_device_are_written_to_and_no_other_file() {
    let folder = folder();
    let [thesis, empty] = ["thesis.txt", "empty"].map(|name| folder.path().join(name));
    std::fs::write(&thesis, "All of it.").unwrap();
    std::fs::write(&empty, "").unwrap();
    for (path, is_taken) in [
        (thesis.as_path(), false),
        (&empty, true),
        ("/dev/null".as_ref(), true),
    ] {
        let run = run(program("the_program", "plain").env("EXECTRACE", path)).succeeded();
        let path_of_run = std::path::Path::new(run.said("path"));
        assert_eq!(path_of_run == path, is_taken, "{run:?}");
    }
    assert!(has_region(&events(&empty), "of the program"));
    assert_eq!(std::fs::read_to_string(&thesis).unwrap(), "All of it.");
    assert_eq!(files(&folder).len(), 3);
}

#[test]
fn a_start_that_fails_leaves_no_file() {
    let folder = folder();
    let template = program("the_program", "plain");
    for rotate in ["", "1MB"] {
        // More memory than the system will give.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 4000000 && exec \"$@\"", "sh"]);
        command
            .arg(template.get_program())
            .args(template.get_args());
        for (name, value) in template.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(&folder).env("EXECTRACE", "trace.out");
        command.env("EXECTRACE_ROTATE", rotate);
        let run = run(command.env("EXECTRACE_MEMORY", "32GiB"));
        assert!(run.said("error").contains("no memory"), "{run:?}");
        assert_eq!(files(&folder), [""; 0]);
    }
}

#[test]
fn a_forked_child_records_nothing_and_leaves_the_parents_file_alone() {
    let folder = folder();
    let mut command = program("the_program", "forks");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    run(&mut command).succeeded();
    assert_eq!(files(&folder), ["trace.out"]);
    let events = events(&folder.path().join("trace.out"));
    assert!(has_region(&events, "after the child"));
    assert!(!has_region(&events, "of the child"));
}
