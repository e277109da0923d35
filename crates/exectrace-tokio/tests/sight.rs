//! What the analyses report of tasks that are wrapped and of tasks that are not, in this build.

mod support;

use std::time::Duration;

use exectrace_analysis::{Analysis, Options, RegionKind};
use exectrace_format::Reader;
use support::{Sink, runtime, turn};

/// Records two tasks that sleep inside a region. The second one is wrapped.
fn record() -> Analysis {
    let _turn = turn();
    let sink = Sink::default();
    let recording = sink.start();
    let runtime = runtime("sight", 1);
    runtime.block_on(async {
        let plain = tokio::spawn(sleep("plain"));
        let wrapped = exectrace_tokio::spawn(sleep("wrapped"));
        plain.await.expect("it ends");
        wrapped.await.expect("it ends");
    });
    drop(runtime);
    recording.stop().expect("a recording in memory stops");
    let bytes = sink.bytes();
    let mut reader = Reader::new(bytes.as_slice()).expect("a header");
    let analysis = Analysis::read(&mut reader, &Options::all());
    assert!(analysis.damage.is_none(), "{:?}", analysis.damage);
    analysis
}

async fn sleep(name: &'static str) {
    let _region = exectrace_recorder::region(name);
    tokio::time::sleep(Duration::from_millis(2)).await;
}

fn region<'a>(analysis: &'a Analysis, name: &str) -> &'a RegionKind {
    let kinds = &analysis.regions.as_ref().expect("asked for").kinds;
    let found = kinds.iter().find(|kind| kind.name == name);
    found.unwrap_or_else(|| panic!("no region {name} in {kinds:?}"))
}

#[test]
fn times_that_were_not_seen_are_absent_from_the_analysis() {
    let analysis = record();
    let hooks = cfg!(tokio_unstable);

    // This binary has one runtime, and so few are named in the trace.
    let said = &analysis.overview.capabilities;
    let runtimes = said.iter().find(|(key, _)| key == "tokio.runtimes");
    let runtimes = &runtimes.expect("what is hooked").1;
    assert!(runtimes.starts_with("hooked: sight"), "{runtimes}");

    let wrapped = &region(&analysis, "wrapped").breakdown;
    assert!(wrapped.waiting_ns().is_some_and(|ns| ns > 0));
    assert!(wrapped.running_ns.is_some() && wrapped.runnable_ns.is_some());

    let plain = &region(&analysis, "plain").breakdown;
    assert!(plain.total_ns > 0, "its length is known anyhow");
    assert_eq!(plain.waiting_ns().is_some(), hooks, "{plain:?}");
    assert_eq!(plain.running_ns.is_some(), hooks, "{plain:?}");
    // Hooks do not see the wakes of tasks that are not wrapped, so their delays are unknown.
    assert_eq!(plain.runnable_ns, None, "{plain:?}");

    let latencies = analysis.latencies.as_ref().expect("asked for");
    let wakes = latencies.all.iter().find(|state| state.state == "wake");
    let wakes = wakes.expect("of the wrapped task");
    assert!(wakes.durations.count() > 0);
    assert_eq!(wakes.unseen > 0, hooks, "no wake of 0 or 1 ns: {wakes:?}");

    let json = serde_json::to_value(&analysis).expect("it can be written");
    let kinds = json["regions"]["kinds"].as_array().expect("a list");
    let plain = kinds.iter().find(|kind| kind["name"] == "plain");
    assert!(plain.expect("as above")["breakdown"]["runnable_ns"].is_null());
}
