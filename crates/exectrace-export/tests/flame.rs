//! Folded stacks and speedscope profiles.

mod support;

use std::collections::BTreeMap;

use exectrace_export::{Weight, folded, speedscope};
use exectrace_format::Reader;
use serde_json::Value;
use support::expected::{counts, time_run};
use support::{cases, service, traces};

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

/// The weight and the leaf of each line.
fn leaves(text: &str) -> impl Iterator<Item = (&str, i64)> {
    text.lines().map(|line| {
        let (stack, weight) = line.rsplit_once(' ').expect("a weight");
        let leaf = stack.rsplit(';').next().expect("a frame");
        (leaf, weight.parse().expect("a number"))
    })
}

#[test]
fn the_tasks_of_a_name_run_as_long_as_in_the_trace() {
    for trace in traces() {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for (leaf, weight) in leaves(&export(&trace, Weight::Run)) {
            *sums.entry(leaf.to_owned()).or_default() += weight;
        }
        let plain = |name: String| match name.as_str() {
            "" => "(no stack)".to_owned(),
            name => name.replace(';', ","),
        };
        let expected: BTreeMap<String, i64> = time_run(&trace)
            .into_iter()
            .map(|(name, time)| (plain(name), time))
            .collect();
        assert_eq!(sums, expected);
    }
}

#[test]
fn every_sample_is_in_a_stack() {
    for trace in traces() {
        let text = export(&trace, Weight::Samples);
        let samples: i64 = leaves(&text).map(|(_, weight)| weight).sum();
        assert_eq!(samples as usize, counts(&trace).samples);
    }
}

#[test]
fn speedscope_has_the_stacks_of_the_folded_lines() {
    for (trace, weight) in traces()
        .iter()
        .flat_map(|trace| Weight::ALL.map(|weight| (trace, weight)))
    {
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
        let text = export(trace, weight);
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
