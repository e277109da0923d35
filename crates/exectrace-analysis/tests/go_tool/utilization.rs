//! The minimum mutator utilisation is Go's.

use exectrace_analysis::{Options, Utilization};

use super::toolchain::Go;
use super::{TIES_NS, read};

/// A mark worker counts from its start to its label, some nanoseconds, also if it is idle.
const UNTIL_LABELLED: f64 = 1e-5;

#[test]
fn the_minimum_mutator_utilisation_of_a_go_program_is_that_of_go_s_library() {
    let Some(go) = Go::find() else { return };
    let trace = go.trace_of_allocating();
    let options = Options {
        gc: true,
        ..Options::default()
    };
    let analysis = read(&trace, &options);
    let gc = analysis.gc.expect("asked for");
    assert!(
        gc.cycles > 0 && gc.assist.count() > 0 && gc.sweep.count() > 0,
        "it collects, assists and sweeps: {gc:?}"
    );

    let ours = gc.minimum_utilization;
    let windows: Vec<u64> = ours.iter().map(|point| point.window_ns).collect();
    let theirs = go.minimum_utilization(&trace, &windows);
    let differ = |(ours, theirs): &(&Utilization, &f64)| {
        let rounding = TIES_NS as f64 / ours.window_ns as f64;
        (ours.share - *theirs).abs() > rounding.max(UNTIL_LABELLED)
    };
    let pairs = || ours.iter().zip(&theirs);
    let differ: Vec<_> = pairs().filter(differ).collect();
    assert!(differ.is_empty(), "(ours, Go's) {differ:?}");
    assert!(
        pairs().any(|(ours, _)| ours.share > 0.0),
        "the program gets something: {ours:?}"
    );
}
