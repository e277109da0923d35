//! User tasks that are found by the id of a distributed trace.

mod support;

use std::path::{Path, PathBuf};

use support::{Traces, answer, bytes_of, run};

/// A request that says at 1131 which distributed trace it is a part of, and its child; then one of another
/// distributed trace, whose id begins with the same digits.
const TRACE: &str = include_str!("data/distributed.trace.txt");
const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn put(folder: &Traces) -> PathBuf {
    folder.put("distributed.trace", &bytes_of(TRACE))
}

fn json(trace: &Path, id: &str) -> serde_json::Value {
    let arguments = ["usertasks", "--format", "json", "--trace-id", id];
    let trace = trace.to_str().expect("UTF-8");
    let text = answer(arguments.into_iter().chain([trace]));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_user_tasks_of_a_distributed_trace_are_found_by_any_form_of_its_id() {
    let folder = Traces::new();
    let trace = put(&folder);
    for id in [
        ID,
        "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "4bf92f35",
        "a3ce929d0e0e4736",
    ] {
        let found = json(&trace, id)["user_tasks"]["found"].clone();
        let tasks = found["tasks"].as_array().expect("a list").clone();
        // The child has the id of its parent, which knew it before the child began.
        let of = |task: &serde_json::Value| (task["name"].clone(), task["trace_id"].clone());
        let expected = ["query", "request"].map(|name| (name.into(), ID.into()));
        assert_eq!(tasks.iter().map(of).collect::<Vec<_>>(), expected, "{id}");
        assert_eq!(
            (&found["begin_ns"], &found["end_ns"]),
            (&20.into(), &300.into())
        );
    }
    let both = json(&trace, "4bf9");
    let both = both["user_tasks"]["found"]["tasks"]
        .as_array()
        .map(Vec::len);
    assert_eq!(both, Some(3));
    let text = answer([
        "usertasks",
        "--trace-id",
        "4bf92f35",
        trace.to_str().expect("UTF-8"),
    ]);
    assert!(text.contains(ID) && !text.contains("other"), "{text}");
    let tree = answer(["usertasks", "--id", "1", trace.to_str().expect("UTF-8")]);
    assert!(tree.contains(&format!("distributed trace {ID}")), "{tree}");
}

#[test]
fn a_cut_by_a_distributed_trace_is_of_its_time_and_keeps_its_id() {
    let folder = Traces::new();
    let (trace, cut, again) = (put(&folder), folder.path("cut"), folder.path("again"));
    let cut_of = |from: &Path, id: &str, to: &Path| {
        let (from, to) = (from.to_str().expect("UTF-8"), to.to_str().expect("UTF-8"));
        run(["cut", from, "--trace-id", id, "-o", to])
    };
    let made = cut_of(&trace, "4bf92f35", &cut);
    assert_eq!(made.status, Some(0), "{made:?}");
    let text = answer(["usertasks", cut.to_str().expect("UTF-8")]);
    assert!(
        text.contains("request") && !text.contains("other"),
        "{text}"
    );
    // From the middle of the request on: what it said before is said again.
    let (from, to) = (
        trace.to_str().expect("UTF-8"),
        again.to_str().expect("UTF-8"),
    );
    answer(["cut", from, "--from", "250ns", "-o", to]);
    let found = json(&again, ID)["user_tasks"]["found"]["tasks"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found:#}");
    assert_eq!(found[0]["trace_id"], ID);
}

#[test]
fn what_is_no_id_or_of_nobody_or_of_several_is_refused_with_a_remedy() {
    let folder = Traces::new();
    let trace = put(&folder);
    let trace = trace.to_str().expect("UTF-8");
    let cut = folder.path("cut");
    let cut = ["-o", cut.to_str().expect("UTF-8")];
    for (arguments, says) in [
        (
            vec!["usertasks", trace, "--trace-id", "4bf"],
            "32 hexadecimal digits",
        ),
        (
            vec!["usertasks", trace, "--trace-id", "1234"],
            "no user task",
        ),
        (
            vec!["cut", trace, "--trace-id", "4bf9"],
            "2 distributed traces begin so: 4bf9",
        ),
        (
            vec!["cut", trace, "--trace-id", "4bf92f", "--to", "1s"],
            "one of both",
        ),
        (vec!["cut", "-", "--trace-id", "4bf92f"], "twice"),
    ] {
        let is_cut = arguments[0] == "cut";
        let run = run(arguments.iter().chain(cut.iter().filter(|_| is_cut)));
        assert_eq!(run.status, Some(2), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}
