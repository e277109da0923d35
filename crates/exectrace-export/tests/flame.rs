//! Folded stacks and speedscope profiles.

mod support;

use std::collections::BTreeMap;

use exectrace_analysis::{Analysis, Options, Profile, ProfileKind};
use exectrace_export::{folded, speedscope};
use exectrace_format::Reader;
use serde_json::Value;
use support::expected::{counts, time_run};
use support::{cases, service, traces};

const KINDS: [ProfileKind; 5] = [
    ProfileKind::RunBySpawn,
    ProfileKind::WaitByReason,
    ProfileKind::Scheduler,
    ProfileKind::Syscall,
    ProfileKind::Cpu,
];

fn profile(trace: &[u8], kind: ProfileKind) -> Profile {
    let mut reader = Reader::new(trace).expect("a trace");
    let options = Options {
        profiles: vec![kind],
        ..Options::default()
    };
    Analysis::read(&mut reader, &options).profiles.remove(0)
}

fn export(trace: &[u8], kind: ProfileKind) -> String {
    let mut out = Vec::new();
    let lines = folded(&profile(trace, kind), &mut out).expect("memory can be written");
    let text = String::from_utf8(out).expect("text");
    assert_eq!(lines, text.lines().count() as u64);
    text
}

#[test]
fn each_kind_is_of_what_it_says() {
    let trace = service();
    // In the service's trace, by hand: main runs from the generation's begin, but for its call.
    assert_eq!(
        export(&trace, ProfileKind::RunBySpawn),
        "main 310\nmain;serve<\"a,b\"> 55\n"
    );
    assert_eq!(
        export(&trace, ProfileKind::WaitByReason),
        "serve<\"a,b\">;read;[network] 30\n"
    );
    assert_eq!(export(&trace, ProfileKind::Syscall), "main 50\n");
    assert_eq!(export(&trace, ProfileKind::Scheduler), "main 20\n");
    assert_eq!(export(&trace, ProfileKind::Cpu), "serve<\"a,b\">;read 1\n");
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
        for (leaf, weight) in leaves(&export(&trace, ProfileKind::RunBySpawn)) {
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
        let text = export(&trace, ProfileKind::Cpu);
        let samples: i64 = leaves(&text).map(|(_, weight)| weight).sum();
        assert_eq!(samples as usize, counts(&trace).samples);
    }
}

#[test]
fn speedscope_has_the_stacks_of_the_folded_lines() {
    for (trace, kind) in traces()
        .iter()
        .flat_map(|trace| KINDS.map(|kind| (trace, kind)))
    {
        let mut out = Vec::new();
        speedscope(&profile(trace, kind), "a name", &mut out).expect("memory can be written");
        let document: Value = serde_json::from_slice(&out).expect("the output is JSON");
        let frames = document["shared"]["frames"].as_array().expect("frames");
        let profile = &document["profiles"][0];
        let samples = profile["samples"].as_array().expect("samples");
        let weights = profile["weights"].as_array().expect("weights");
        // Stacks that differ only in their lines are one line.
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for (sample, weight) in samples.iter().zip(weights) {
            let name = |index: &Value| {
                let frame = &frames[index.as_u64().expect("an index") as usize];
                frame["name"].as_str().expect("a name").replace(';', ",")
            };
            let sample = sample.as_array().expect("a stack");
            let names: Vec<_> = sample.iter().map(name).collect();
            *lines.entry(names.join(";")).or_default() += weight.as_u64().expect("a weight");
        }
        let lines: Vec<String> = lines
            .iter()
            .map(|(stack, weight)| format!("{stack} {weight}"))
            .collect();
        let text = export(trace, kind);
        assert_eq!(lines, text.lines().collect::<Vec<_>>());
    }
}

#[test]
fn no_case_is_too_odd() {
    for (_, trace) in cases() {
        for kind in KINDS {
            export(&trace, kind);
        }
    }
}
