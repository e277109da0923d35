//! Programs with `#[exectrace::main]`.
#![cfg(unix)]

mod support;

use exectrace_format::{GoState, StateChange, TraceEvent, TraceEventKind};
use support::{events, files, folder, program, role, run};

/// Not a test by itself: the programs of the tests below.
#[test]
fn the_program() {
    match role().as_deref() {
        Some("async") => assert_eq!(of_many_threads(6), 42),
        Some("one thread") => assert_eq!(of_one_thread().unwrap(), "done"),
        Some("local") => of_a_local_runtime(),
        Some("no runtime") => assert_eq!(without_a_runtime(), Some(1)),
        _ => {}
    }
}

#[exectrace::main(worker_threads = 2, name = "many")]
async fn of_many_threads(factor: u32) -> u32 {
    assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 2);
    let seven = exectrace::runtime::spawn(async { 7 });
    factor * seven.await.unwrap()
}

#[exectrace::main(flavor = "current_thread", start_paused = true, crate = "::tokio")]
async fn of_one_thread() -> Result<&'static str, std::io::Error> {
    // The clock stands still, so this takes no time.
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    exectrace::runtime::spawn(async {}).await?;
    Ok("done")
}

#[exectrace::main(flavor = "local")]
async fn of_a_local_runtime() {
    let local = std::rc::Rc::new(1);
    let one = tokio::task::spawn_local(async move { *local });
    assert_eq!(one.await.unwrap(), 1);
    exectrace::runtime::spawn(async {}).await.unwrap();
}

#[exectrace::main]
fn without_a_runtime() -> Option<u8> {
    drop(exectrace::region("of the program"));
    let answer = "1".parse().ok()?;
    Some(answer)
}

#[test]
fn each_flavor_of_a_main_is_traced_with_its_root_and_what_it_spawns() {
    let folder = folder();
    for role in ["async", "one thread", "local", "no runtime"] {
        let path = folder.path().join(format!("{role}.out"));
        let mut command = program("the_program", role);
        run(command.env("EXECTRACE", &path)).succeeded();
        let events = events(&path);
        let is_region = |event: &TraceEvent| matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == "of the program");
        let is_spawn = |event: &TraceEvent| {
            let TraceEventKind::StateTransition { change, .. } = &event.kind else {
                return false;
            };
            let new = GoState::NotExist;
            let place = event.stack.as_ref().and_then(|stack| stack.first());
            matches!(change, StateChange::Go { from, .. } if *from == new)
                && place.is_some_and(|place| place.file.ends_with("attributes.rs"))
        };
        match role {
            "no runtime" => assert!(events.iter().any(is_region)),
            // The root, and the task that it spawns.
            _ => assert_eq!(
                events.iter().filter(|event| is_spawn(event)).count(),
                2,
                "{role}"
            ),
        }
    }
}

#[test]
fn a_wrong_environment_is_said_once_and_the_program_runs_untraced() {
    let folder = folder();
    let mut command = program("the_program", "async");
    command.current_dir(&folder).env("EXECTRACE", "trace.out");
    let run = run(command.env("EXECTRACE_MEMORY", "lots")).succeeded();
    assert_eq!(
        run.stderr.matches("EXECTRACE_MEMORY=").count(),
        1,
        "{run:?}"
    );
    assert!(run.stderr.contains("`16MiB`"), "{run:?}");
    assert!(files(&folder).is_empty());
}
