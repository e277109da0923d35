//! Questions that the trace has no answer to: what is wrong with them is said.

mod support;

use support::{Traces, bytes_of, run};

const SERVICE: &str = include_str!("data/service.trace.txt");

#[test]
fn a_name_that_is_not_in_the_trace_is_answered_with_those_like_it() {
    let folder = Traces::new();
    let trace = folder.put("service.trace", &bytes_of(SERVICE));
    let trace = trace.to_str().expect("UTF-8");
    let said = |question: &[&str]| {
        let arguments = [question, &[trace]].concat();
        let run = run(arguments);
        assert_eq!(run.status, Some(0), "{run:?}");
        run.stderr
    };
    for (question, begin) in [
        (&["regions", "--name", "REGION"][..], "no span or region"),
        (&["usertasks", "--name", "REGION"], "no user task"),
        (&["tasks", "--group", "REGION"], "no async task or thread"),
        (&["profile", "--region", "REGION"], "no span or region"),
    ] {
        let stderr = said(question);
        assert!(stderr.starts_with(&format!("warning: {begin}")), "{stderr}");
    }
    assert!(said(&["regions", "--name", "qurey"]).contains("there is `query`"));
    assert_eq!(said(&["regions", "--name", "query"]), "");
    let stderr = said(&["latency", "--from", "60s"]);
    assert!(stderr.contains("after the end of the trace"), "{stderr}");
    let stderr = said(&["latency", "--filter", "dur>60s"]);
    assert!(stderr.contains("lets nothing"), "{stderr}");
}
