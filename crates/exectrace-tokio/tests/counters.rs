//! Counters of runtimes, and what the trace says of the build.

mod support;

use exectrace_tokio::spawn;
use support::{record, runtime, turn, wait_for_samples};

#[test]
fn the_counters_of_a_runtime_have_its_name_and_count_its_live_tasks() {
    let _turn = turn();
    const TASKS: usize = 7;
    for workers in [0, 2] {
        let trace = record(|| {
            let runtime = runtime("counted", workers);
            runtime.block_on(async {
                for _ in 0..TASKS {
                    drop(spawn(std::future::pending::<()>()));
                }
                wait_for_samples().await;
            });
        });
        let of = |name: &str| {
            let named = trace.counters.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let alive = of("counted: tasks alive");
        assert!(
            alive.contains(&(TASKS as i64)),
            "{workers} workers: {alive:?}"
        );
        let is_possible = |&busy: &i64| (0..=workers.max(1) as i64).contains(&busy);
        let busy = of("counted: workers busy");
        assert!(
            !busy.is_empty() && busy.iter().all(is_possible),
            "{workers} workers: {busy:?}"
        );
        let blocking = of("counted: blocking threads");
        assert_eq!(
            !blocking.is_empty(),
            cfg!(tokio_unstable),
            "{workers} workers"
        );
    }
}

#[test]
fn a_trace_says_what_its_build_can_see() {
    let _turn = turn();
    let trace = record(|| drop(runtime("test", 0)));
    let seen = exectrace_tokio::capabilities();
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let tasks = if seen.all_tasks {
        "all of hooked runtimes"
    } else {
        "wrapped"
    };
    for (key, value) in [
        ("tokio.tasks", tasks),
        ("tokio.wakes", "wrapped"),
        ("tokio.unstable", yes_no(seen.tokio_unstable)),
        ("tokio.stacks", yes_no(seen.frame_pointers)),
        ("tokio.live_tasks", yes_no(seen.live_tasks)),
    ] {
        let says = |(_, text): &&(String, String)| text.contains(key) && text.contains(value);
        let categories = |(category, text): &&(String, String)| category == key && text == value;
        let found = trace.logs.iter().find(|log| says(log) || categories(log));
        assert!(found.is_some(), "{key} is {value}: {:?}", trace.logs);
    }
}
