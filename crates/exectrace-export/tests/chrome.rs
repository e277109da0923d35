//! Chrome's JSON, parsed and drawn, and loaded by Perfetto's trace processor.

mod support;

use std::collections::HashMap;

use exectrace_export::{Exported, Options, chrome};
use exectrace_format::Reader;
use serde_json::{Value, json};
use support::expected::{
    Counts, Span, assert_runs, assert_same, assert_title, assert_titles, counts, spans_from_zero,
    titles,
};
use support::processor::ask;
use support::{calls, cases, nest, recorded, service, traces};

fn export(trace: &[u8]) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let reader = Reader::new(trace).expect("a trace");
    let exported = chrome(reader, &mut out, &Options::default()).expect("memory can be written");
    (out, exported)
}

fn parse(bytes: &[u8]) -> Vec<Value> {
    let document: Value = serde_json::from_slice(bytes).expect("the output is JSON");
    document["traceEvents"]
        .as_array()
        .expect("an array")
        .clone()
}

/// Nanoseconds, of the digits that are written; none is before zero.
fn time(event: &Value) -> i64 {
    let text = event["ts"].to_string();
    assert!(!text.starts_with('-'), "{event}");
    let (micros, nanos) = text.split_once('.').unwrap_or((&text, "0"));
    let nanos: i64 = format!("{nanos:0<3}").parse().expect("nanoseconds");
    micros.parse::<i64>().expect("microseconds") * 1_000 + nanos
}

type Row = (u64, u64);

/// The kind of rows that async tasks have.
const TASKS: u64 = 3;
/// The kind of rows that garbage collection has.
const RANGES: u64 = 6;

fn row(event: &Value) -> Row {
    (number(event, "pid"), number(event, "tid"))
}

fn edges(events: &[Value]) -> Vec<(i64, Row, Option<&Value>)> {
    let slices = events
        .iter()
        .filter(|event| event["ph"] == "B" || event["ph"] == "E");
    let edge = |event| {
        (
            time(event),
            row(event),
            (event["ph"] == "B").then_some(event),
        )
    };
    slices.map(edge).collect()
}

fn number(event: &Value, key: &str) -> u64 {
    event[key]
        .as_u64()
        .unwrap_or_else(|| panic!("{event} has no {key}"))
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key]
        .as_str()
        .unwrap_or_else(|| panic!("{event} has no {key}"))
}

/// The ended slices that [`spans_from_zero`] speaks of.
fn shown(events: &[Value]) -> Vec<Span> {
    let mut shown = Vec::new();
    for ((_, tid), event, begin, end) in nest(edges(events)) {
        let Some(end) = end else { continue };
        let name = event["name"].as_str().expect("a name");
        match event["cat"].as_str() {
            Some("task") if name == "running" => {
                shown.push(("running", tid.to_string(), begin, end));
            }
            Some("region") => shown.push(("region", name.to_owned(), begin, end)),
            _ => {}
        }
    }
    for begin in events.iter().filter(|event| event["ph"] == "b") {
        let is_end = |event: &&Value| event["ph"] == "e" && event["id"] == begin["id"];
        if let Some(end) = events.iter().find(is_end) {
            let name = begin["name"].as_str().expect("a name").to_owned();
            shown.push(("user task", name, time(begin), time(end)));
        }
    }
    shown.sort();
    shown
}

#[test]
fn names_and_times_are_those_of_the_trace() {
    for trace in traces() {
        let (bytes, exported) = export(&trace);
        let events = parse(&bytes);
        assert_eq!(exported.items, events.len() as u64);
        assert_same(&shown(&events), &spans_from_zero(&trace));
        let names: HashMap<Row, &str> = events
            .iter()
            .filter(|event| event["name"] == "thread_name")
            .map(|event| (row(event), event["args"]["name"].as_str().expect("a name")))
            .collect();
        let tasks = names.iter().filter(|((kind, _), _)| *kind == TASKS);
        assert_titles(tasks.map(|(_, name)| *name), &trace);
        let ranges = names.iter().filter(|((kind, _), _)| *kind == RANGES);
        for (_, row) in ranges.filter(|(_, row)| row.starts_with('G')) {
            assert_title(row, &titles(&trace));
        }
        let slices = nest(edges(&events));
        let runs = slices
            .iter()
            .filter(|(_, event, ..)| event["cat"] == "run")
            .map(|(_, run, _, end)| (number(&run["args"], "task"), text(run, "name"), *end));
        assert_runs(runs, &trace);
        for event in events
            .iter()
            .filter(|event| "BEi".contains(text(event, "ph")))
        {
            let is_named = names.contains_key(&row(event));
            assert!(is_named, "{event} lies on a row without a name");
        }
        for kind in events
            .iter()
            .filter(|event| event["name"] == "process_name")
        {
            let is_in = |event: &Value| event["ph"] != "M" && event["pid"] == kind["pid"];
            assert!(events.iter().any(is_in), "{kind} has nothing in it");
        }
    }
}

#[test]
fn there_is_as_much_of_each_as_in_the_trace() {
    for trace in traces() {
        let (bytes, _) = export(&trace);
        let events = parse(&bytes);
        let count = |phases: &str, category: Option<&str>| {
            let is_one = |event: &&Value| {
                phases.contains(text(event, "ph")) && event["cat"].as_str() == category
            };
            events.iter().filter(is_one).count()
        };
        let logs = count("i", Some("log"));
        let of_user_tasks = count("n", Some("user task"));
        let found = Counts {
            tasks: counts(&trace).tasks,
            user_tasks: count("b", Some("user task")),
            regions: count("B", Some("region")),
            logs: logs + of_user_tasks,
            wakes: count("i", Some("wake")),
            ranges: count("B", Some("gc")),
            samples: count("i", Some("sample")),
            values: count("C", None),
        };
        assert_eq!(found, counts(&trace));
    }
}

#[test]
fn live_bytes_are_a_counter_that_changes_with_each_value_of_the_heap() {
    let events = parse(&export(&service()).0);
    let is_heap = |event: &&Value| {
        event["ph"] == "C" && event["name"] == "/memory/classes/heap/objects:bytes"
    };
    let values: Vec<_> = events
        .iter()
        .filter(is_heap)
        .map(|event| (time(event), event["args"]["value"].as_u64()))
        .collect();
    assert_eq!(values, [(1_011, Some(4_096))]);
}

#[test]
fn every_case_is_json_whose_slices_nest() {
    for (_, trace) in cases() {
        let (bytes, _) = export(&trace);
        nest(edges(&parse(&bytes)));
    }
}

#[test]
fn every_arrow_has_both_ends() {
    let (bytes, _) = export(&recorded());
    let events = parse(&bytes);
    let ids = |phase: &str| {
        let arrows = events.iter().filter(|event| event["ph"] == phase);
        let mut ids: Vec<_> = arrows.map(|event| number(event, "id")).collect();
        ids.sort_unstable();
        ids
    };
    assert!(ids("f").len() > 10, "a program that wakes");
    let ends = ids("f");
    let begins = ids("s");
    assert!(ends.iter().all(|id| begins.binary_search(id).is_ok()));
}

#[test]
fn texts_are_escaped() {
    let (bytes, _) = export(&service());
    let events = parse(&bytes);
    let log = events
        .iter()
        .find(|event| event["ph"] == "n")
        .expect("the log");
    assert_eq!(log["name"], "hello, \"world\"\n");
    assert_eq!(
        log["args"],
        json!({ "category": "info", "task": 1, "user task": 1, "stack": "main (main.rs:7)" })
    );
    let row = json!({ "ph": "M", "pid": 3, "tid": 2, "name": "thread_name", "args": { "name": "G2 serve<\"a;b\">" } });
    assert!(events.contains(&row), "the task's row has its name");
}

#[test]
fn the_trace_processor_finds_what_is_in_the_trace() {
    for trace in traces() {
        let (bytes, _) = export(&trace);
        let answers = ask(
            &bytes,
            &[
                "SELECT name, value FROM stats WHERE severity IN ('error', 'data_loss') AND value > 0",
                "SELECT sum(dur) FROM slice WHERE category = 'region' AND dur >= 0",
                "SELECT count(*) FROM flow",
            ],
        );
        let Some(answers) = answers else {
            return;
        };
        let regions = spans_from_zero(&trace)
            .into_iter()
            .filter(|span| span.0 == "region");
        let in_regions: i64 = regions.map(|span| span.3 - span.2).sum();
        assert_eq!(answers[0], Vec::<Vec<Value>>::new());
        assert_eq!(answers[1], [[json!(in_regions)]]);
        let events = parse(&bytes);
        let arrows = events.iter().filter(|event| event["ph"] == "f").count();
        assert_eq!(answers[2], [[json!(arrows)]]);
    }
}

#[test]
fn a_span_in_parts_and_a_concurrent_one_are_asynchronous_and_whole() {
    let (bytes, _) = export(&support::spans());
    let events = parse(&bytes);
    let length = |name: &str| {
        let edge = |phase: &str| {
            let mut of_name = events.iter().filter(|event| event["name"] == name);
            let edge = of_name.find(|event| event["ph"] == phase);
            edge.unwrap_or_else(|| panic!("no {phase} of {name} in {events:#?}"))
        };
        assert_eq!(edge("b")["id"], edge("e")["id"]);
        time(edge("e")) - time(edge("b"))
    };
    assert_eq!((length("save"), length("branch")), (160, 110));
}

#[test]
fn a_thread_s_times_without_a_processor_have_a_row_of_their_own() {
    let (bytes, _) = export(&calls());
    let events = parse(&bytes);
    let slices = nest(edges(&events));
    let of_processor: Vec<_> = slices
        .iter()
        .filter(|(_, event, ..)| event["cat"] == "processor")
        .map(|(row, event, begin, end)| (row.1, text(event, "name"), *begin, *end))
        .collect();
    assert_eq!(of_processor, [(7, "preempted", 1_120, Some(1_150))]);
}
