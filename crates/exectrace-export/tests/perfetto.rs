//! Perfetto traces, read back by a decoder of the tests' own and by Perfetto's trace processor.

mod support;

use std::collections::HashMap;

use exectrace_export::{Exported, Options, perfetto};
use exectrace_format::{Reader, text};
use serde_json::{Value, json};
use support::expected::{
    Counts, Span, assert_runs, assert_same, assert_title, assert_titles, counts, spans_from_zero,
    titles,
};
use support::processor::ask;
use support::protobuf::{Perfetto, TrackEvent, read};
use support::{calls, cases, nest, service, traces};

fn export(trace: &[u8]) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let reader = Reader::new(trace).expect("a trace");
    let exported = perfetto(reader, &mut out, &Options::default()).expect("memory can be written");
    (out, exported)
}

/// The path of a track, as a user sees it.
fn path(perfetto: &Perfetto, track: u64) -> String {
    let (name, parent) = &perfetto.tracks[&track];
    match parent {
        Some(parent) if *parent != 1 => format!("{}/{name}", path(perfetto, *parent)),
        _ => name.clone(),
    }
}

/// The names of the tracks of a group.
fn below<'a>(perfetto: &'a Perfetto, group: &'a str) -> impl Iterator<Item = &'a str> {
    perfetto.tracks.values().filter_map(move |(name, parent)| {
        let parent = path(perfetto, (*parent)?);
        (parent == group).then_some(name.as_str())
    })
}

/// The ended slices that [`spans_from_zero`] speaks of.
fn shown(perfetto: &Perfetto) -> Vec<Span> {
    let slices = nest(perfetto.edges());
    let mut shown: Vec<Span> = slices
        .into_iter()
        .filter_map(
            |(track, event, begin, end): (u64, &TrackEvent, i64, Option<i64>)| {
                let name = match event.category.as_str() {
                    "task" if event.name == "running" => {
                        let title = &perfetto.tracks[&track].0;
                        let number = title.split(' ').next().expect("a title");
                        return Some((
                            "running",
                            number.trim_start_matches('G').to_owned(),
                            begin,
                            end?,
                        ));
                    }
                    "region" => "region",
                    "user task" => "user task",
                    _ => return None,
                };
                Some((name, event.name.clone(), begin, end?))
            },
        )
        .collect();
    shown.sort();
    shown
}

#[test]
fn names_and_times_are_those_of_the_trace() {
    for trace in traces() {
        let (bytes, exported) = export(&trace);
        assert!(exported.damage.is_none());
        let expected = spans_from_zero(&trace);
        assert!(
            expected.iter().any(|span| span.0 == "user task"),
            "a trace with something in it"
        );
        let perfetto = read(&bytes);
        assert_same(&shown(&perfetto), &expected);
        perfetto.check_tracks();
        let slices = nest(perfetto.edges());
        let runs = slices
            .iter()
            .filter(|(_, event, ..)| event.category == "run")
            .map(|(_, event, _, end)| {
                let task = event.arguments["task"].parse().expect("a number");
                (task, event.name.as_str(), *end)
            });
        assert_runs(runs, &trace);
        let titles = titles(&trace);
        assert_titles(below(&perfetto, "Async tasks"), &trace);
        for row in below(&perfetto, "Garbage collection").filter(|row| row.starts_with('G')) {
            assert_title(row, &titles);
        }
    }
}

#[test]
fn there_is_as_much_of_each_as_in_the_trace() {
    for trace in traces() {
        let (bytes, _) = export(&trace);
        let perfetto = read(&bytes);
        let count = |kind, category: &str| {
            let events = perfetto.events.iter();
            events
                .filter(|event| event.kind == kind && event.category == category)
                .count()
        };
        let found = Counts {
            tasks: counts(&trace).tasks,
            user_tasks: count(1, "user task"),
            regions: count(1, "region"),
            logs: count(3, "log"),
            wakes: count(3, "wake"),
            ranges: count(1, "gc"),
            samples: perfetto.samples.len(),
            values: count(4, ""),
        };
        assert_eq!(found, counts(&trace));
    }
}

#[test]
fn every_track_is_described_and_every_slice_nests_in_every_case() {
    for (name, trace) in cases() {
        let (bytes, exported) = export(&trace);
        let perfetto = read(&bytes);
        perfetto.check_tracks();
        nest(perfetto.edges());
        let slices = perfetto
            .events
            .iter()
            .filter(|event| event.kind != 2)
            .count();
        let items = (slices + perfetto.samples.len()) as u64;
        assert_eq!(exported.items, items, "{name}");
    }
}

#[test]
fn a_wake_leads_from_the_waker_to_the_run() {
    let (bytes, _) = export(&service());
    let perfetto = read(&bytes);
    let mut flows: HashMap<u64, Vec<(i64, String, String)>> = HashMap::new();
    for event in &perfetto.events {
        for &flow in &event.flows {
            let step = (event.time, path(&perfetto, event.track), event.name.clone());
            flows.entry(flow).or_default().push(step);
        }
    }
    let step = |time, path: &str, name: &str| (time, path.to_owned(), name.to_owned());
    let woken = "serve<\"a;b\">";
    let expected = HashMap::from([
        (
            1,
            vec![
                step(1020, "Workers/Worker 1", "spawn"),
                step(1055, "Async tasks/G2 serve<\"a;b\">", "running"),
                step(1055, "Workers/Worker 2", woken),
            ],
        ),
        (
            2,
            vec![
                step(1100, "Workers/Worker 1", "wake"),
                step(1120, "Async tasks/G2 serve<\"a;b\">", "running"),
                step(1120, "Workers/Worker 2", woken),
            ],
        ),
    ]);
    let shown: HashMap<_, _> = flows
        .into_iter()
        .map(|(flow, steps)| {
            // The name of worker 1 is shown before anything else.
            let plain =
                |(time, path, name): (i64, String, String)| (time, path.replace(" echo", ""), name);
            (flow, steps.into_iter().map(plain).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_request_is_shown_with_its_query_below_and_its_log_on_it() {
    let (bytes, _) = export(&service());
    let perfetto = read(&bytes);
    let query = perfetto
        .events
        .iter()
        .find(|event| event.name == "query")
        .expect("the query");
    assert_eq!(
        path(&perfetto, query.track),
        "User tasks/request T1/query T2"
    );
    let log = perfetto
        .events
        .iter()
        .find(|event| event.category == "log")
        .expect("the log");
    assert_eq!(log.name, "hello, \"world\"\n");
    assert_eq!(path(&perfetto, log.track), "User tasks/request T1");
    assert_eq!(log.arguments["category"], "info");
    assert_eq!(log.arguments["task"], "1");
}

#[test]
fn counters_samples_and_reasons_are_there() {
    let (bytes, _) = export(&service());
    let perfetto = read(&bytes);
    let counters: Vec<_> = perfetto
        .events
        .iter()
        .filter_map(|event| Some((path(&perfetto, event.track), event.time, event.counter?)))
        .collect();
    let counter = |name: &str, time, value| (name.to_owned(), time, value);
    assert_eq!(
        counters,
        [
            counter("queue", 1050, 3),
            counter("/sched/gomaxprocs:threads", 1010, 3),
            counter("/memory/classes/heap/objects:bytes", 1011, 4096),
        ]
    );
    let stack = vec!["serve<\"a;b\">".to_owned(), "read".to_owned()];
    assert_eq!(perfetto.samples, [(1135, stack)]);
    assert!(
        perfetto
            .events
            .iter()
            .any(|event| event.name == "waiting: network")
    );
}

#[test]
fn a_cut_trace_is_exported_up_to_the_cut() {
    let trace = service();
    let (whole, _) = export(&trace);
    // The last batch is cut: its thread's events are lost, those of the other thread are not.
    let (bytes, exported) = export(&trace[..trace.len() - 3]);
    assert!(exported.damage.is_some(), "the cut is shown");
    let (whole, cut) = (read(&whole), read(&bytes));
    cut.check_tracks();
    let names = |perfetto: &Perfetto| {
        shown(perfetto)
            .into_iter()
            .map(|span| span.1)
            .collect::<Vec<_>>()
    };
    assert!(names(&whole).contains(&"query".to_owned()));
    assert!(!names(&cut).contains(&"query".to_owned()));
    assert!(names(&cut).contains(&"parse".to_owned()));
}

#[test]
fn rows_that_are_not_wanted_are_left_out() {
    let options = Options {
        workers: false,
        threads: false,
        tasks: false,
        user_tasks: true,
        ..Options::default()
    };
    let mut out = Vec::new();
    perfetto(
        Reader::new(service().as_slice()).expect("a trace"),
        &mut out,
        &options,
    )
    .expect("memory");
    let perfetto = read(&out);
    perfetto.check_tracks();
    let slices = perfetto.events.iter().filter(|event| event.kind == 1);
    let names: Vec<_> = slices.map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["request", "query"]);
}

#[test]
fn the_trace_processor_finds_what_is_in_the_trace() {
    for trace in traces() {
        let (bytes, exported) = export(&trace);
        let answers = ask(
            &bytes,
            &[
                "SELECT name, value FROM stats WHERE severity IN ('error', 'data_loss') AND value > 0",
                "SELECT count(*) FROM slice WHERE category = 'user task' AND dur >= 0",
                "SELECT sum(dur) FROM slice WHERE category = 'region' AND dur >= 0",
                "SELECT count(*) FROM slice",
                "SELECT count(*) FROM counter WHERE track_id NOT IN (SELECT id FROM perf_counter_track)",
                "SELECT count(*) FROM perf_sample WHERE callsite_id IS NOT NULL",
            ],
        );
        let Some(answers) = answers else {
            return;
        };
        let spans = spans_from_zero(&trace);
        let user_tasks = spans.iter().filter(|span| span.0 == "user task").count();
        let in_regions: i64 = spans
            .iter()
            .filter(|span| span.0 == "region")
            .map(|span| span.3 - span.2)
            .sum();
        assert_eq!(answers[0], Vec::<Vec<Value>>::new());
        assert_eq!(answers[1], [[json!(user_tasks)]]);
        assert_eq!(answers[2], [[json!(in_regions)]]);
        let found: u64 = answers[3..]
            .iter()
            .map(|answer| answer[0][0].as_u64().expect("a count"))
            .sum();
        assert_eq!(found, exported.items);
    }
}

#[test]
fn a_label_reported_after_the_name_is_on_the_row() {
    let trace = text::parse(
        "go 1.25
generation 1
batch m=0 time=1000 sync
  frequency 1000000000
  clock +0 mono=0 sec=0 nsec=0
batch m=0 time=1000 strings
  string 1 \"mark\"
  string 2 \"GC (dedicated)\"
batch m=0 time=1000 stacks
  stack 1 0x1000:1:1:7
batch m=7 time=1001 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +9 GoLabel label=2
  +9 GoStop reason=0 stack=1
",
    );
    let (bytes, _) = export(&trace.expect("the trace is well-formed"));
    let perfetto = read(&bytes);
    let rows: Vec<_> = below(&perfetto, "Async tasks").collect();
    assert_eq!(rows, ["G1 mark (GC (dedicated))"]);
}

#[test]
fn a_span_in_parts_and_a_concurrent_one_are_slices_and_whole() {
    let (bytes, _) = export(&support::spans());
    let perfetto = read(&bytes);
    let slices = nest(perfetto.edges());
    let whole = |name: &str| {
        let mut of_name = slices
            .iter()
            .filter(|(_, event, ..)| event.category == "span" && event.name == name);
        let (_, _, begin, end) = of_name.next().expect("a slice for the span");
        assert!(of_name.next().is_none(), "one slice for {name}");
        end.expect("its end") - begin
    };
    assert_eq!((whole("save"), whole("branch")), (160, 110));
}

/// A goroutine that begins to wait for ever inside a region, and one that goes on.
const FOREVER: &str = r#"go 1.25
generation 1
batch m=0 time=1000 sync
  frequency 1000000000
  clock +0 mono=1000 sec=1 nsec=0
batch m=0 time=1000 strings
  string 1 "main.serve"
  string 2 "main.go"
  string 3 "request"
  string 4 "forever"
batch m=0 time=1000 stacks
  stack 1 0x10:1:2:7
batch m=7 time=1000 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +9 GoCreate go=2 go_stack=1 stack=1
  +10 UserRegionBegin task=0 name=3 stack=1
  +30 GoBlock reason=4 stack=1
  +50 GoStart go=2 seq=1
  +100 GoDestroy
"#;

#[test]
fn what_waits_for_ever_is_in_no_region_any_more() {
    let trace = text::parse(FOREVER).expect("the trace is well-formed");
    let (bytes, _) = export(&trace);
    let perfetto = read(&bytes);
    let slices = nest(perfetto.edges());
    let mut regions = slices
        .iter()
        .filter(|(_, event, ..)| event.category == "region");
    let (_, _, begin, end) = regions.next().expect("the region");
    assert_eq!(end.expect("its end") - begin, 30);
}

#[test]
fn calls_have_their_names_and_stand_in_the_poll_and_on_the_thread_that_make_them() {
    let (bytes, _) = export(&calls());
    let perfetto = read(&bytes);
    let slices = nest(perfetto.edges());
    let of = |category: &str| {
        let mut shown: Vec<_> = slices
            .iter()
            .filter(|(_, event, ..)| event.category == category)
            .map(|(track, event, begin, end)| {
                (path(&perfetto, *track), event.name.clone(), *begin, *end)
            })
            .collect();
        shown.sort();
        shown
    };
    let expected = |all: &[(&str, &str, i64, i64)]| -> Vec<_> {
        let own = |&(track, name, begin, end): &(&str, &str, i64, i64)| {
            (track.to_owned(), name.to_owned(), begin, Some(end))
        };
        all.iter().map(own).collect()
    };
    assert_eq!(
        of("syscall"),
        expected(&[
            // Rows of threads are the format's own.
            ("", "nanosleep", 1_050, 1_450),
            ("", "nanosleep", 1_300, 1_399),
            ("", "read", 1_100, 1_200),
            ("Workers/Worker 1 rt worker 0", "nanosleep", 1_300, 1_399),
            ("Workers/Worker 1 rt worker 0", "read", 1_100, 1_200),
            ("Workers/Worker 2 backup", "nanosleep", 1_050, 1_051),
        ])
    );
    let polls = of("run");
    let polls: Vec<_> = polls
        .iter()
        .filter(|run| run.0.contains("Worker 1"))
        .collect();
    assert_eq!(polls.len(), 1, "{polls:?}");
    let states = of("task");
    let has = |name: &str| states.iter().any(|state| state.1 == name);
    assert!(
        has("syscall: read") && has("waiting: sleep (nanosleep)"),
        "{states:?}"
    );
}

#[test]
fn a_thread_s_times_without_a_processor_are_slices_below_it() {
    let (bytes, _) = export(&calls());
    let perfetto = read(&bytes);
    let slices = nest(perfetto.edges());
    let of_processor: Vec<_> = slices
        .iter()
        .filter(|(_, event, ..)| event.category == "processor")
        .map(|(track, event, begin, end)| {
            let (name, parent) = &perfetto.tracks[track];
            let thread = parent.expect("the thread's track");
            let runs = slices.iter().filter(|slice| slice.0 == thread).count();
            let what = (name.as_str(), event.name.as_str());
            (what, runs > 0, (*begin, *end))
        })
        .collect();
    assert_eq!(
        of_processor,
        [(("no processor", "preempted"), true, (1_120, Some(1_150)))]
    );
}
