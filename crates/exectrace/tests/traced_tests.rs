//! Traced tests: this program runs itself with two hundred of them in parallel, and looks at the trace.
#![cfg(all(unix, feature = "tracing"))]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use exectrace_format::{TaskId, TraceEvent, TraceEventKind};
use support::{events, program, role, run};
use tracing::Instrument;

/// How many tests there are in `two_hundred`.
const TESTS: usize = 200;

mod two_hundred {
    //! Tests with async tasks and spans of their own, at the same time as all others.

    macro_rules! traced {
        ($($test:ident)*) => {$(
            #[exectrace::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $test() {
                super::work(stringify!($test)).await;
            }
        )*};
    }

    traced! {
        t000 t001 t002 t003 t004 t005 t006 t007 t008 t009 t010 t011 t012 t013 t014 t015 t016 t017
        t018 t019 t020 t021 t022 t023 t024 t025 t026 t027 t028 t029 t030 t031 t032 t033 t034 t035
        t036 t037 t038 t039 t040 t041 t042 t043 t044 t045 t046 t047 t048 t049 t050 t051 t052 t053
        t054 t055 t056 t057 t058 t059 t060 t061 t062 t063 t064 t065 t066 t067 t068 t069 t070 t071
        t072 t073 t074 t075 t076 t077 t078 t079 t080 t081 t082 t083 t084 t085 t086 t087 t088 t089
        t090 t091 t092 t093 t094 t095 t096 t097 t098 t099 t100 t101 t102 t103 t104 t105 t106 t107
        t108 t109 t110 t111 t112 t113 t114 t115 t116 t117 t118 t119 t120 t121 t122 t123 t124 t125
        t126 t127 t128 t129 t130 t131 t132 t133 t134 t135 t136 t137 t138 t139 t140 t141 t142 t143
        t144 t145 t146 t147 t148 t149 t150 t151 t152 t153 t154 t155 t156 t157 t158 t159 t160 t161
        t162 t163 t164 t165 t166 t167 t168 t169 t170 t171 t172 t173 t174 t175 t176 t177 t178 t179
        t180 t181 t182 t183 t184 t185 t186 t187 t188 t189 t190 t191 t192 t193 t194 t195 t196 t197
        t198 t199
    }
}

/// What each of them does: a span in its own root, in a task, and in a task of that one.
async fn work(test: &'static str) {
    let span = move || tracing::info_span!("step", test);
    async {}.instrument(span()).await;
    let task = exectrace::runtime::spawn(async move {
        let inner = exectrace::runtime::spawn(async {}.instrument(span()));
        tokio::task::yield_now().await;
        inner.instrument(span()).await
    });
    let blocking = exectrace::runtime::spawn_blocking(move || span().in_scope(|| 7));
    task.await.unwrap().unwrap();
    assert_eq!(blocking.await.unwrap(), 7);
}

mod fates {
    //! Tests that fail and succeed in all ways, in a run that is asked for them.

    use super::support::role;

    fn fails(test: &str) -> bool {
        role().as_deref() == Some(test)
    }

    #[exectrace::test]
    fn panics() {
        assert!(!fails("panics"));
    }

    #[exectrace::test]
    async fn returns() -> Result<(), std::io::Error> {
        match fails("returns") {
            true => Err(std::io::Error::other("as it was asked to")),
            false => Ok(()),
        }
    }

    #[exectrace::test]
    #[should_panic(expected = "as it should")]
    async fn should_panic() {
        assert!(fails("should_panic"), "as it should");
    }

    #[exectrace::test]
    #[should_panic(expected = "as it should")]
    async fn panics_otherwise() {
        match fails("panics_otherwise") {
            true => panic!("as it was asked to"),
            false => panic!("as it should: {}", 1),
        }
    }

    #[exectrace::test]
    #[should_panic = "as it should"]
    fn panics_otherwise_without_a_runtime() {
        match fails("panics_otherwise_without_a_runtime") {
            true => panic!("as it was asked to"),
            false => panic!("as it should"),
        }
    }

    #[exectrace::test(start_paused = true)]
    async fn sleeps_for_an_hour_of_a_paused_clock() {
        let hour = std::time::Duration::from_secs(3_600);
        let began = tokio::time::Instant::now();
        tokio::time::sleep(hour).await;
        assert_eq!(began.elapsed(), hour);
    }
}

#[exectrace::test]
fn forks() {
    if role().as_deref() != Some("forks") {
        return;
    }
    match fork::fork().unwrap() {
        fork::Fork::Child => {
            // So that the child too has recorded when it exits.
            drop(exectrace::start("/dev/null"));
            std::process::exit(0);
        }
        fork::Fork::Parent(child) => fork::waitpid(child).map(drop).unwrap(),
    }
    assert!(trace().exists());
}

/// Where traces of this program are.
fn trace() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let name = format!("{}.trace", program.file_stem().unwrap().to_str().unwrap());
    let target = program.ancestors().nth(3).unwrap();
    target.join("exectrace").join(name)
}

/// Runs tests of this program, several at a time; in a program of its own name, as each has a trace.
fn tests(name: &Path, filter: &[&str], role: &str) -> Command {
    let mut command = Command::new(name);
    let template = program("", role);
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(filter).arg("--test-threads=16");
    command
}

/// This program under another name, and the trace that it then has.
fn copy(name: &str) -> (PathBuf, PathBuf) {
    let program = std::env::current_exe().unwrap();
    let copy = program.with_file_name(name);
    let _ = std::fs::remove_file(&copy);
    std::fs::hard_link(&program, &copy).unwrap();
    let trace = trace().with_file_name(format!("{name}.trace"));
    let _ = std::fs::remove_file(&trace);
    (copy, trace)
}

/// The user tasks of a trace, by their ids.
fn names(events: &[TraceEvent]) -> BTreeMap<TaskId, String> {
    let begun = events.iter().filter_map(|event| match &event.kind {
        TraceEventKind::TaskBegin { task, name, .. } => Some((*task, name.to_string())),
        _ => None,
    });
    begun.collect()
}

#[test]
fn two_hundred_tests_at_once_have_each_its_own_tasks_and_spans() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("two_hundred_tests");
    let mut command = tests(&program, &["two_hundred::"], "none");
    command
        .env("EXECTRACE_TEST", "1")
        .env("EXECTRACE_KEEP", "1");
    run(&mut command).succeeded();
    let events = events(&trace);
    let names = names(&events);
    let tests: BTreeSet<_> = names
        .values()
        .filter(|name| name.starts_with("two_hundred::"))
        .collect();
    assert_eq!(tests.len(), TESTS);
    let (mut spans, mut flows) = (BTreeMap::new(), BTreeMap::new());
    for event in &events {
        match &event.kind {
            // The fields of a span: which test made it.
            TraceEventKind::Log {
                task,
                category,
                message,
            } if &**category == "step" => {
                let test =
                    message.trim_matches(|letter| letter != 't' && !char::is_ascii_digit(&letter));
                let test = &test[test.len() - 4..];
                assert_eq!(names[task], format!("two_hundred::{test}"), "{message}");
                *spans.entry(*task).or_insert(0) += 1;
            }
            TraceEventKind::RegionBegin { task, name } if &**name == "test" => {
                flows
                    .entry(*task)
                    .or_insert_with(BTreeSet::new)
                    .insert(event.go);
            }
            _ => {}
        }
    }
    // Spans: in the root, in two tasks, and in the closure. Flows: the thread and these.
    assert_eq!(
        spans.values().filter(|&&spans| spans == 4).count(),
        TESTS,
        "{spans:?}"
    );
    assert_eq!(
        flows.values().filter(|flows| flows.len() == 5).count(),
        TESTS,
        "{flows:?}"
    );
    std::fs::remove_file(&program).unwrap();
    std::fs::remove_file(&trace).unwrap();
}

#[test]
fn a_trace_is_kept_if_a_test_fails_and_removed_otherwise() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("fates_of_tests");
    let ways_to_fail = [
        "panics",
        "returns",
        "should_panic",
        "panics_otherwise",
        "panics_otherwise_without_a_runtime",
    ];
    for role in std::iter::once("none").chain(ways_to_fail) {
        let mut command = tests(&program, &["fates::"], role);
        let run = run(command.env("EXECTRACE_TEST", "1"));
        let fails = role != "none";
        assert_eq!(run.status == Some(0), !fails, "{run:?}");
        assert_eq!(trace.exists(), fails, "{role}: {run:?}");
        if fails {
            assert!(
                run.stderr.contains(&format!("trace: {}", trace.display())),
                "{run:?}"
            );
            let names = names(&events(&trace));
            let tests = names.values().filter(|name| name.starts_with("fates::"));
            assert_eq!(tests.count(), ways_to_fail.len() + 1);
            std::fs::remove_file(&trace).unwrap();
        }
    }
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn a_forked_child_leaves_the_trace_of_the_tests_alone() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("tests_that_fork");
    let mut command = tests(&program, &["--exact", "forks"], "forks");
    let run = run(command.env("EXECTRACE_TEST", "1")).succeeded();
    assert!(!trace.exists(), "{run:?}");
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn a_trace_of_an_earlier_run_is_replaced() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("tests_run_again");
    std::fs::write(&trace, "an earlier trace").unwrap();
    let mut command = tests(&program, &["--exact", "fates::returns"], "returns");
    let run = run(command.env("EXECTRACE_TEST", "1"));
    assert!(
        run.stderr.contains(&format!("trace: {}", trace.display())),
        "{run:?}"
    );
    assert!(!events(&trace).is_empty());
    for path in [&program, &trace] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn without_a_variable_tests_are_not_traced() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("untraced_tests");
    let run = run(&mut tests(&program, &["fates::"], "panics"));
    assert_ne!(run.status, Some(0));
    assert!(
        !trace.exists() && !run.stderr.contains("exectrace:"),
        "{run:?}"
    );
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn a_test_with_a_process_of_its_own_has_a_file_of_its_own() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("tests_on_their_own");
    let folder = trace.with_extension("");
    let _ = std::fs::remove_dir_all(&folder);
    for test in ["two_hundred::t007", "fates::returns"] {
        let mut command = tests(&program, &["--exact", test], "none");
        // What nextest sets.
        command
            .env("NEXTEST", "1")
            .env("NEXTEST_EXECUTION_MODE", "process-per-test");
        command
            .env("EXECTRACE_TEST", "1")
            .env("EXECTRACE_KEEP", "1");
        run(&mut command).succeeded();
        let path = folder.join(format!("{}.trace", test.replace("::", ".")));
        let names = names(&events(&path));
        assert_eq!(
            names.values().filter(|name| *name == test).count(),
            1,
            "{names:?}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(&program).unwrap();
}

#[test]
fn each_attempt_at_a_test_that_fails_has_a_trace_until_the_next_run() {
    if role().is_some() {
        return;
    }
    let (program, trace) = copy("tests_that_are_tried_again");
    let folder = trace.with_extension("");
    let _ = std::fs::remove_dir_all(&folder);
    let test = "fates::returns";
    let run = |attempt: &str, role: &str| {
        let mut command = tests(&program, &["--exact", test], role);
        command
            .env("NEXTEST_EXECUTION_MODE", "process-per-test")
            .env("NEXTEST_ATTEMPT", attempt)
            .env("EXECTRACE_TEST", "1");
        run(&mut command);
    };
    let traces = || std::fs::read_dir(&folder).unwrap().count();
    run("1", test_name(test));
    run("2", test_name(test));
    for name in ["fates.returns.trace", "fates.returns.attempt-2.trace"] {
        let events = events(&folder.join(name));
        // Where it is made, and not where exectrace does it.
        let is_of_test = |event: &TraceEvent| {
            let place = event.stack.as_ref().and_then(|stack| stack.first());
            matches!(&event.kind, TraceEventKind::RegionBegin { name, .. } if &**name == "test")
                && place.is_some_and(|place| place.file.ends_with("traced_tests.rs"))
        };
        assert!(events.iter().any(is_of_test));
    }
    assert_eq!(traces(), 2);
    run("1", "none");
    assert_eq!(traces(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(&program).unwrap();
}

/// A test's name without its module: the role in which it fails.
fn test_name(path: &str) -> &str {
    path.rsplit("::").next().unwrap()
}
