//! Folded stacks and speedscope profiles.

mod support;

use exectrace_export::{Weight, folded, speedscope};
use exectrace_format::Reader;
use serde_json::Value;
use support::{cases, recorded, service, spans};

fn export(trace: &[u8], weight: Weight) -> String {
    let mut out = Vec::new();
    let reader = Reader::new(trace).expect("a trace");
    let exported = folded(reader, &mut out, weight).expect("memory can be written");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(exported.items, text.lines().count() as u64);
    text
}

#[test]
fn each_weight_is_of_what_it_says() {
    let trace = service();
    // In the service's trace, by hand: main runs from the generation's begin, but for its call.
    assert_eq!(
        export(&trace, Weight::Run),
        "main 310\nmain;serve<\"a,b\"> 55\n"
    );
    assert_eq!(
        export(&trace, Weight::Wait),
        "serve<\"a,b\">;read;[network] 30\n"
    );
    assert_eq!(export(&trace, Weight::Syscall), "main 50\n");
    assert_eq!(export(&trace, Weight::Samples), "serve<\"a,b\">;read 1\n");
}

#[test]
fn the_time_run_is_that_of_the_trace() {
    let trace = recorded();
    let text = export(&trace, Weight::Run);
    let sum: i64 = text
        .lines()
        .map(|line| {
            line.rsplit_once(' ')
                .expect("a weight")
                .1
                .parse::<i64>()
                .expect("a number")
        })
        .sum();
    let runs = spans(&trace).into_iter().filter(|span| span.0 == "running");
    let ended: i64 = runs.map(|span| span.3 - span.2).sum();
    // What runs at the end of the trace has run as well.
    assert!(sum >= ended, "{sum} of {ended}");
    assert!(text.lines().any(|line| line.contains("ping ")), "{text}");
}

#[test]
fn speedscope_has_the_stacks_of_the_folded_lines() {
    let trace = recorded();
    for weight in Weight::ALL {
        let mut out = Vec::new();
        let reader = Reader::new(trace.as_slice()).expect("a trace");
        speedscope(reader, &mut out, weight).expect("memory can be written");
        let document: Value = serde_json::from_slice(&out).expect("the output is JSON");
        let frames = document["shared"]["frames"].as_array().expect("frames");
        let profile = &document["profiles"][0];
        let samples = profile["samples"].as_array().expect("samples");
        let weights = profile["weights"].as_array().expect("weights");
        let mut lines: Vec<String> = samples
            .iter()
            .zip(weights)
            .map(|(sample, weight)| {
                let name = |index: &Value| {
                    let frame = &frames[index.as_u64().expect("an index") as usize];
                    frame["name"].as_str().expect("a name").replace(';', ",")
                };
                let names: Vec<_> = sample
                    .as_array()
                    .expect("a stack")
                    .iter()
                    .map(name)
                    .collect();
                format!("{} {weight}", names.join(";"))
            })
            .collect();
        let text = export(&trace, weight);
        let mut expected: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        expected.sort();
        assert_eq!(lines, expected);
    }
}

#[test]
fn no_case_is_too_odd() {
    for (_, trace) in cases() {
        for weight in Weight::ALL {
            export(&trace, weight);
        }
    }
}
