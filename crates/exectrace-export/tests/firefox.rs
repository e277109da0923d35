//! Firefox profiles, parsed: names, times, tables that refer to each other.

mod support;

use exectrace_export::{Exported, Options, firefox};
use exectrace_format::Reader;
use serde_json::Value;
use support::expected::{Counts, Span, assert_same, assert_titles, begin, counts, spans_within};
use support::{calls, cases, recorded, service, traces};

fn export(trace: &[u8], options: &Options) -> (Value, Exported) {
    let mut out = Vec::new();
    let reader = Reader::new(trace).expect("a trace");
    let exported = firefox(reader, &mut out, options).expect("memory can be written");
    (
        serde_json::from_slice(&out).expect("the output is JSON"),
        exported,
    )
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no array {key}"))
}

fn threads(profile: &Value) -> &[Value] {
    array(profile, "threads")
}

/// A text of a thread's table.
fn text<'a>(thread: &'a Value, index: &Value) -> &'a str {
    let index = index.as_u64().expect("an index") as usize;
    array(thread, "stringArray")[index]
        .as_str()
        .expect("a text")
}

/// Whether a marker is an interval, rather than an instant or the begin of one.
fn has_ended(markers: &Value, index: usize) -> bool {
    array(markers, "phase")[index] == 1
}

/// The ended markers that [`spans_within`] speaks of. `begin` is when the trace begins.
fn shown(profile: &Value, begin: i64) -> Vec<Span> {
    let mut shown = Vec::new();
    for thread in threads(profile) {
        let markers = &thread["markers"];
        for (index, data) in array(markers, "data").iter().enumerate() {
            let name = text(thread, &array(markers, "name")[index]).to_owned();
            let (kind, name) = match data["type"].as_str() {
                Some("state") if name == "running" => {
                    let title = thread["name"].as_str().expect("a name");
                    let number = title.split(' ').next().expect("a number");
                    ("running", number.trim_start_matches('G').to_owned())
                }
                Some("region") => ("region", name),
                Some("userTask") => ("user task", name),
                _ => continue,
            };
            let time = |key: &str| {
                let ms = array(markers, key)[index].as_f64();
                ms.map(|ms| begin + (ms * 1e6).round() as i64)
            };
            if let (true, Some(from), Some(to)) = (
                has_ended(markers, index),
                time("startTime"),
                time("endTime"),
            ) {
                shown.push((kind, name, from, to));
            }
        }
    }
    shown.sort();
    shown
}

#[test]
fn names_and_times_are_those_of_the_trace() {
    for trace in traces() {
        let (profile, _) = export(&trace, &Options::default());
        // What is open at the end has a begin only, and no end.
        assert_same(&shown(&profile, begin(&trace)), &spans_within(&trace));
        let names = threads(&profile)
            .iter()
            .filter_map(|thread| thread["name"].as_str());
        let is_task = |name: &&str| name.starts_with('G') && !name.starts_with("Garbage");
        assert_titles(names.filter(is_task), &trace);
    }
}

#[test]
fn there_is_as_much_of_each_as_in_the_trace() {
    for trace in traces() {
        let (profile, _) = export(&trace, &Options::default());
        let markers: Vec<&Value> = threads(&profile)
            .iter()
            .flat_map(|thread| array(&thread["markers"], "data"))
            .collect();
        let count = |kind: &str| markers.iter().filter(|data| data["type"] == kind).count();
        let counters = array(&profile, "counters").iter();
        let expected = counts(&trace);
        let found = Counts {
            user_tasks: count("userTask"),
            regions: count("region"),
            logs: count("log"),
            ranges: count("gc"),
            values: counters
                .map(|counter| counter["samples"]["length"].as_u64().expect("a length") as usize)
                .sum(),
            ..expected
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_thread_s_times_without_a_processor_are_markers_of_the_thread() {
    let (profile, _) = export(&calls(), &Options::default());
    let mut found = Vec::new();
    for thread in threads(&profile) {
        let markers = &thread["markers"];
        let rows = array(markers, "data").iter().enumerate();
        for (row, _) in rows.filter(|(_, data)| data["type"] == "processor") {
            let name = text(thread, &markers["name"][row]).to_owned();
            let length = markers["endTime"][row].as_f64().expect("an end")
                - markers["startTime"][row].as_f64().expect("a begin");
            found.push((name, (length * 1e6).round()));
        }
    }
    assert_eq!(found, [("preempted".to_owned(), 30.0)]);
}

#[test]
fn every_stack_is_of_names() {
    for trace in traces() {
        let (profile, _) = export(&trace, &Options::default());
        for thread in threads(&profile) {
            for name in array(&thread["funcTable"], "name") {
                assert_ne!(text(thread, name), "", "in {}", thread["name"]);
            }
            let title = thread["name"].as_str().expect("a name");
            assert!(!title.contains(&u64::MAX.to_string()), "{title}");
        }
    }
}

#[test]
fn workers_come_before_the_tasks_and_tasks_as_they_began() {
    for trace in traces() {
        let (profile, _) = export(&trace, &Options::default());
        let is = |thread: &&Value, first: char| {
            let name = thread["name"].as_str().expect("a name");
            name.starts_with(first) && !name.starts_with("Garbage")
        };
        let last_worker = threads(&profile)
            .iter()
            .rposition(|thread| is(&thread, 'W'));
        let first_task = threads(&profile).iter().position(|thread| is(&thread, 'G'));
        assert!(last_worker.expect("a worker") < first_task.expect("a task"));
        let tasks = threads(&profile).iter().filter(|thread| is(thread, 'G'));
        for task in tasks {
            let registered = task["registerTime"].as_f64().expect("a time");
            let markers = array(&task["markers"], "startTime").iter();
            let first = markers.filter_map(Value::as_f64).fold(f64::MAX, f64::min);
            // What is older than the trace begins a nanosecond late.
            assert!(
                registered <= first.max(1e-6),
                "{registered} {first}: {}",
                task["name"]
            );
        }
    }
}

#[test]
fn every_marker_has_a_schema_with_its_fields() {
    let (profile, _) = export(&service(), &Options::default());
    let schemas = array(&profile["meta"], "markerSchema");
    let mut seen = 0;
    for thread in threads(&profile) {
        for data in array(&thread["markers"], "data") {
            let schema = schemas.iter().find(|schema| schema["name"] == data["type"]);
            let schema = schema.unwrap_or_else(|| panic!("no schema for {data}"));
            let fields = schema
                .get("fields")
                .or_else(|| schema.get("data"))
                .expect("fields");
            for field in fields.as_array().expect("an array") {
                let key = field["key"].as_str().expect("a key");
                assert!(data.get(key).is_some(), "{data} has no {key}");
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "markers");
}

#[test]
fn samples_weigh_the_microseconds_of_their_stretch() {
    let (profile, _) = export(&recorded(), &Options::default());
    for thread in threads(&profile) {
        let samples = &thread["samples"];
        let weights = array(samples, "weight");
        if weights.is_empty()
            || !thread["name"]
                .as_str()
                .is_some_and(|name| name.starts_with('G'))
        {
            continue;
        }
        let markers = &thread["markers"];
        let is_state = |index: usize| array(markers, "data")[index]["type"] == "state";
        let length = |index: usize| {
            let at = |key: &str| array(markers, key)[index].as_f64();
            if !has_ended(markers, index) {
                return None;
            }
            Some(((at("endTime")? - at("startTime")?) * 1e3).floor() as i64)
        };
        let all = 0..array(markers, "data").len();
        let lengths: Vec<i64> = all
            .filter(|&index| is_state(index))
            .filter_map(length)
            .collect();
        let weights: Vec<i64> = weights
            .iter()
            .map(|weight| weight.as_i64().expect("a weight"))
            .collect();
        // The last state may be open: then it has a weight, and no length.
        assert!(weights.len() - lengths.len() <= 1);
        for (weight, length) in weights.iter().zip(&lengths) {
            // The profile's times are floats of milliseconds.
            assert!((weight - length).abs() <= 1, "{weight} instead of {length}");
        }
    }
}

#[test]
fn tasks_beyond_the_limit_have_no_thread_and_are_counted() {
    let options = Options {
        firefox_tasks_max: 1,
        ..Options::default()
    };
    let (profile, exported) = export(&service(), &options);
    let names: Vec<_> = threads(&profile)
        .iter()
        .filter_map(|thread| thread["name"].as_str())
        .collect();
    assert!(
        names.contains(&"G1 main") && !names.iter().any(|name| name.starts_with("G2")),
        "{names:?}"
    );
    assert!(exported.left_out > 0);
    assert!(
        names.contains(&"Worker 2"),
        "its runs on the worker are there: {names:?}"
    );
}

#[test]
fn the_clock_of_the_machine_is_the_profiles_reference() {
    let (profile, _) = export(&service(), &Options::default());
    // The snapshot is of the first instant: 1,700,000,000 seconds and 500 nanoseconds.
    assert_eq!(
        profile["meta"]["startTime"].as_f64(),
        Some(1_700_000_000_000.000_5)
    );
}

#[test]
fn every_case_makes_a_profile() {
    for (name, trace) in cases() {
        let (profile, exported) = export(&trace, &Options::default());
        let markers: usize = threads(&profile)
            .iter()
            .map(|thread| array(&thread["markers"], "data").len())
            .sum();
        assert!(markers as u64 <= exported.items, "{name}");
    }
}

#[test]
fn a_span_in_parts_and_a_concurrent_one_are_markers_and_whole() {
    let (profile, _) = export(&support::spans(), &Options::default());
    let row = threads(&profile)
        .iter()
        .find(|thread| thread["name"] == "User tasks")
        .expect("a row on which markers may overlap");
    let markers = &row["markers"];
    let time = |key: &str, index: usize| array(markers, key)[index].as_f64().map(|ms| ms * 1e6);
    let length = |wanted: &str| {
        let names = array(markers, "name").iter().enumerate();
        let mut of_name =
            names.filter(|(index, name)| text(row, name) == wanted && has_ended(markers, *index));
        let (index, _) = of_name.next().expect("a marker for the span");
        assert!(of_name.next().is_none(), "one marker for {wanted}");
        let (begin, end) = (time("startTime", index), time("endTime", index));
        (end.expect("a time") - begin.expect("a time")).round()
    };
    assert_eq!((length("save"), length("branch")), (160.0, 110.0));
}
