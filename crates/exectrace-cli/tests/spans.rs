//! Spans are whole, however the file has them.

mod support;

use support::{Traces, answer, bytes_of, json, run};

/// A request with two spans at once in one async task. The side data have the second, which a user
/// task carries: from 1070 to 1200, entered twice for 20 ns in all.
const CONCURRENT: &str = r#"go 1.25
generation 1
batch m=0 time=1000 sync
  frequency 1000000000
  clock +0 mono=1000 sec=1 nsec=0
batch m=0 time=1000 strings
  string 1 "serve"
  string 2 "src/serve.rs"
  string 3 "request"
  string 4 "branch"
  string 5 "(concurrent span)"
  string 6 "src/branch.rs"
  string 7 "network"
batch m=0 time=1000 stacks
  stack 1 0x10:1:2:7
  stack 2 0x20:4:6:3 0x30:5:2:1
experimental 1 m=0 time=1000
  data "exectrace\x01\x0b\x11\xae\x08\x82\x01\x14\x02\x01\x02\x03\x00\x06branch"
batch m=7 time=1000 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +19 UserTaskBegin task=1 parent=0 name=3 stack=1
  +10 UserRegionBegin task=1 name=3 stack=1
  +40 UserTaskBegin task=2 parent=1 name=4 stack=2
  +10 GoBlock reason=7 stack=1
  +90 GoUnblock go=1 seq=1 stack=0
  +10 GoStart go=1 seq=2
  +20 UserTaskEnd task=2 stack=0
  +10 UserRegionEnd task=1 name=3 stack=0
  +10 UserTaskEnd task=1 stack=0
"#;

#[test]
fn a_concurrent_span_is_whole_and_no_user_task_of_its_own() {
    let folder = Traces::new();
    let trace = folder.put("concurrent.trace", &bytes_of(CONCURRENT));
    let trace = trace.to_str().expect("UTF-8");
    let kinds = json(["usertasks", "--format", "json", trace]);
    let kinds = kinds["user_tasks"]["kinds"].as_array().expect("a list");
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    let tree = answer(["usertasks", "--id", "1", trace]);
    let branch = tree.lines().find(|line| line.contains("branch 130ns"));
    let branch = branch.unwrap_or_else(|| panic!("no branch in\n{tree}"));
    assert!(branch.contains("busy 20ns in 2 entries, concurrent span 2"));
    let regions = json(["regions", "--format", "json", trace]);
    let kinds = regions["regions"]["kinds"].as_array().expect("a list");
    let branch = kinds.iter().find(|kind| kind["name"] == "branch");
    let branch = branch.expect("the span");
    assert_eq!(branch["durations"]["max_ns"], 130);
    assert_eq!(branch["concurrent"], 1);
    let text = answer(["regions", trace]);
    assert!(text.contains("-: of a span that is concurrent"), "{text}");
    assert!(!text.contains("thread's own code"), "{text}");
    let profile = run(["profile", "--region", "branch", trace]);
    assert!(profile.stderr.contains("concurrent"), "{profile:?}");
}
