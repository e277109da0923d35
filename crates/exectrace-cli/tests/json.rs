//! What programs read follows the schemas of `exectrace schema`, field by field.

mod support;

use serde_json::Value;

use support::schema::Schema;
use support::{Traces, answer, bytes_of, cases, json, run};

/// Traces that between them have everything: the small service, and every event of the format.
fn traces(traces: &Traces) -> Vec<std::path::PathBuf> {
    let every = cases()
        .into_iter()
        .filter(|(name, ..)| name.starts_with("every_event") || name.starts_with("side_data."))
        .map(|(name, bytes, _)| traces.put(&name, &bytes));
    std::iter::once(traces.service()).chain(every).collect()
}

#[test]
fn control_characters_in_names_reach_whoever_reads_the_json() {
    let folder = Traces::new();
    let text = include_str!("data/service.trace.txt");
    let name = "que\u{7f}ry\u{9b}m";
    let bytes = bytes_of(&text.replace("\"query\"", &format!("\"{name}\"")));
    let trace = folder.put("control.trace", &bytes);
    let regions = json([
        "regions".as_ref(),
        trace.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(regions.to_string().contains(name), "{regions}");
}

#[test]
fn every_document_follows_its_schema() {
    let folder = Traces::new();
    for trace in traces(&folder) {
        let trace = trace.to_str().expect("UTF-8");
        for arguments in [
            vec!["summary", trace],
            vec!["tasks", trace],
            vec!["tasks", "--each", trace],
            vec!["latency", trace],
            vec!["profile", trace],
            vec!["profile", "--kind", "cpu", trace],
            vec!["usertasks", trace],
            vec!["usertasks", "--id", "1", trace],
            vec!["usertasks", "--trace-id", "4bf9", trace],
            vec!["regions", trace],
            vec!["logs", trace],
            vec!["workers", trace],
            vec!["syscalls", trace],
            vec!["findings", trace],
            vec!["check", trace],
            vec!["check", "--findings", trace],
            vec!["check", "--strict", trace],
            vec!["stat", trace],
            vec!["diff", trace, trace],
        ] {
            let run = run(arguments.iter().chain(&["--format", "json"]));
            // Not every trace keeps the rules, and not every trace has a user task 1, or of that distributed trace.
            let is_strict = arguments.contains(&"--strict");
            let is_of_one = arguments.contains(&"--id") || arguments.contains(&"--trace-id");
            if is_of_one && run.status == Some(2) {
                continue;
            }
            let is_right = run.status == Some(0) || (is_strict && run.status == Some(1));
            assert!(is_right, "{arguments:?}: {}", run.stderr);
            let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
            let complaints = Schema::of(arguments[0]).complaints(&document);
            assert!(complaints.is_empty(), "{arguments:?}: {complaints:#?}");
        }
    }
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let kept = std::fs::read_to_string(path).expect("the schema");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    // `cargo run -p exectrace-cli -- schema > crates/exectrace-cli/schema.json` makes it again.
    assert!(kept == json(["schema"]), "schema.json is out of date");
    let undescribed: Vec<String> = undescribed(&kept, "");
    assert!(undescribed.is_empty(), "without a word: {undescribed:#?}");
}

/// The fields of a schema that it says nothing of.
fn undescribed(schema: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let fields = schema["properties"].as_object().into_iter().flatten();
    for (name, field) in fields.filter(|(_, field)| field["description"].is_null()) {
        // The tag of a variant, which is described itself.
        if field["const"].is_null() {
            found.push(format!("{place}.{name}"));
        }
    }
    match schema {
        Value::Object(parts) => {
            for (name, part) in parts {
                found.extend(undescribed(part, &format!("{place}/{name}")));
            }
        }
        Value::Array(parts) => {
            found.extend(parts.iter().flat_map(|part| undescribed(part, place)));
        }
        _ => {}
    }
    found
}

#[test]
fn every_event_is_a_line_that_follows_the_schema() {
    let folder = Traces::new();
    let schema = Schema::of("events");
    for trace in traces(&folder) {
        let trace = trace.to_str().expect("UTF-8");
        let lines = answer(["events", trace, "--format", "json"]);
        assert!(lines.lines().count() > 2, "{lines}");
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line).expect("a JSON object on each line");
            let complaints = schema.complaints(&event);
            assert!(complaints.is_empty(), "{line}: {complaints:#?}");
        }
    }
}

#[test]
fn damage_is_reported_in_the_document_as_well() {
    let folder = Traces::new();
    let mut bytes = support::service();
    bytes.extend_from_slice(&[7, 7, 7]);
    let trace = folder.put("damaged.trace", &bytes);
    for command in ["summary", "tasks", "check", "stat"] {
        let run = run([command, "--format", "json", trace.to_str().expect("UTF-8")]);
        assert_eq!(run.status, Some(1), "{command}: {}", run.stderr);
        let document: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(
            Schema::of(command).complaints(&document),
            Vec::<String>::new()
        );
        let damage = match command {
            "check" => &document["traces"][0]["damage"],
            _ => &document["damage"],
        };
        assert_eq!(damage["offset"], bytes.len() as u64 - 3, "{command}");
    }
}

#[test]
fn a_trace_without_events_has_the_same_fields() {
    let folder = Traces::new();
    let trace = folder.put(
        "empty.trace",
        &bytes_of(
            "go 1.25\ngeneration 1\nbatch m=0 time=1 sync\n  frequency 1000000000\n  \
         clock +0 mono=1 sec=1 nsec=0\n",
        ),
    );
    for command in [
        "summary",
        "tasks",
        "usertasks",
        "regions",
        "workers",
        "check",
        "stat",
    ] {
        let document = json([command, "--format", "json", trace.to_str().expect("UTF-8")]);
        assert_eq!(
            Schema::of(command).complaints(&document),
            Vec::<String>::new()
        );
    }
}
