//! What becomes of field values: copied, formatted, cut, hidden.

mod support;

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use exectrace_recorder::MAX_TEXT_BYTES;
use exectrace_tracing::Builder;
use support::{WAYS, Way, record_each_way, record_with};
use tracing::field::Empty;
use tracing::{info, info_span};

/// Formats as its content, and fails the test if it must not be formatted.
struct Forbidden;

impl fmt::Debug for Forbidden {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a hidden value was formatted");
    }
}

#[derive(Debug)]
struct Failure(Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "outer" } else { "inner" })
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.0.as_ref()?)
    }
}

#[test]
fn values_of_every_type_are_in_the_log() {
    let failure = Failure(Some(Box::new(Failure(None))));
    let program = || {
        info!(
            small = -3_i8,
            large = u64::MAX,
            wide = u128::MAX,
            below = i128::MIN,
            half = 0.5,
            yes = true,
            text = "a \"quoted\" word",
            debug = ?Some(1),
            display = %"plain",
            failure = &failure as &(dyn Error + 'static),
            bytes = &b"\x01\xff"[..],
            nothing = Empty,
            "values of {}",
            "every type",
        );
    };
    for (way, trace) in record_each_way(program) {
        let text = &trace.log("values of every type").text;
        let wanted = [
            "small=-3".to_owned(),
            format!("large={}", u64::MAX),
            format!("wide={}", u128::MAX),
            format!("below={}", i128::MIN),
            "half=0.5".to_owned(),
            "yes=true".to_owned(),
            "text=\"a \\\"quoted\\\" word\"".to_owned(),
            "debug=Some(1)".to_owned(),
            "display=plain".to_owned(),
            "failure=outer: inner".to_owned(),
            "bytes=[01 ff]".to_owned(),
        ];
        for value in wanted {
            assert!(text.contains(&value), "{way:?}: {value} in {text}");
        }
        assert!(!text.contains("nothing"), "{way:?}: {text}");
    }
}

#[test]
fn a_text_is_cut_at_the_last_character_boundary_within_1024_bytes() {
    // The 1,024th byte is the first of a character of two.
    let long = format!("{}{}", "x".repeat(MAX_TEXT_BYTES - 1), "ä".repeat(10));
    let program = || {
        info!(copied = long.as_str());
        info!(formatted = %long);
        info_span!("request").record("late", long.as_str());
    };
    for (way, trace) in record_each_way(program) {
        for name in ["copied=", "formatted="] {
            // The format cuts a log at the same length; the name takes its part of it.
            let text = &trace.log(name).text;
            assert!(text.len() <= MAX_TEXT_BYTES, "{way:?}");
            assert!(text.len() > MAX_TEXT_BYTES - 16, "{way:?}");
            assert!(!text.contains('ä'), "{way:?}");
            assert!(text.contains("xxxx") && text.contains('…'), "{way:?}");
        }
    }
}

#[test]
fn what_is_formatted_is_cut_where_the_setting_says() {
    let long = "x".repeat(100);
    let program = || info!(debug = ?long, display = %long, string = long.as_str(), "{long}");
    for way in WAYS {
        let builder = Builder::new().max_formatted_bytes(20);
        let trace = record_with(way, builder, program);
        let text = &trace.log("debug=").text;
        // A quotation mark begins the `Debug` of a string.
        let cut = format!("debug=\"{}…", "x".repeat(16));
        assert!(text.contains(&cut), "{way:?}: {text}");
        let cut = format!("display={}…", "x".repeat(17));
        assert!(text.contains(&cut), "{way:?}: {text}");
        assert!(
            text.contains(&format!("string=\"{long}\"")),
            "{way:?}: {text}"
        );
        assert!(text.starts_with("xxxxxxxxxxxxxxxxx…"), "{way:?}: {text}");
    }
}

#[test]
fn fields_named_like_secrets_are_neither_formatted_nor_copied() {
    let program = || {
        let span = info_span!("login", user = "ada", user.Password = ?Forbidden, token = Empty);
        let _entered = span.enter();
        span.record("token", "hunter2");
        info!(api_key = "hunter2", kept = 1, secret = ?Forbidden, "in login");
    };
    for (way, trace) in record_each_way(program) {
        let span = &trace.log("user=").text;
        assert!(span.contains("user.Password=<redacted>"), "{way:?}: {span}");
        trace.log("token=<redacted>");
        let event = &trace.log("in login").text;
        assert!(event.contains("api_key=<redacted>"), "{way:?}: {event}");
        assert!(event.contains("secret=<redacted>"), "{way:?}: {event}");
        assert!(event.contains("kept=1"), "{way:?}: {event}");
        assert!(trace.logs("hunter2").is_empty(), "{way:?}");
    }
}

#[test]
fn which_fields_are_hidden_is_a_setting_of_each_source() {
    let program = || info!(iban = "DE00", password = "hunter2", shown = 1, "payment");
    for way in WAYS {
        let also = record_with(way, Builder::new().redact(["IBAN"]), program);
        let text = &also.log("payment").text;
        assert!(text.contains("iban=<redacted>"), "{way:?}: {text}");
        assert!(text.contains("password=<redacted>"), "{way:?}: {text}");

        let only = record_with(way, Builder::new().redact_only(["shown"]), program);
        let text = &only.log("payment").text;
        assert!(text.contains("iban=\"DE00\""), "{way:?}: {text}");
        assert!(text.contains("password=\"hunter2\""), "{way:?}: {text}");
        assert!(text.contains("shown=<redacted>"), "{way:?}: {text}");

        let none = record_with(way, Builder::new().redact_only([""; 0]), program);
        assert!(!none.log("payment").text.contains("<redacted>"), "{way:?}");
    }
}

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The names of user tasks, and the ids of distributed traces that they have.
fn trace_ids(trace: &support::Trace) -> Vec<(&str, &str)> {
    let logs = trace.logs.iter().filter(|log| log.category == "trace_id");
    logs.map(|log| (trace.task_name(log.task), log.text.as_str()))
        .collect()
}

#[test]
fn the_id_of_a_distributed_trace_is_one_of_the_user_task_whichever_field_has_it_and_when() {
    let program = || {
        let header = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
        let at_begin = info_span!("at begin", traceparent = header);
        let displayed = info_span!("displayed", otel.trace_id = %TRACE_ID);
        let later = info_span!("later", trace_id = Empty);
        later.record("trace_id", TRACE_ID);
        let parent = info_span!("parent");
        let child = info_span!(parent: &parent, "child", trace_id = TRACE_ID);
        // No span, none of the names, no id.
        info!(trace_id = TRACE_ID, "an event");
        let none = info_span!("none", my.trace_id = TRACE_ID, trace_id = "4bf9");
        drop((at_begin, displayed, later, child, none));
    };
    let expected = ["at begin", "displayed", "later", "parent"].map(|name| (name, TRACE_ID));
    for (way, trace) in record_each_way(program) {
        assert_eq!(trace_ids(&trace), expected, "{way:?}");
    }
}

#[test]
fn which_fields_are_ids_of_distributed_traces_is_a_setting_and_hidden_ones_are_none() {
    let program = || drop(info_span!("job", dd.id = TRACE_ID, trace_id = TRACE_ID));
    for way in WAYS {
        let named = record_with(way, Builder::new().trace_id_fields(["dd.id"]), program);
        assert_eq!(trace_ids(&named), [("job", TRACE_ID)], "{way:?}");
        let none = record_with(way, Builder::new().trace_id_fields([""; 0]), program);
        assert_eq!(trace_ids(&none), [], "{way:?}");
        let hidden = record_with(way, Builder::new().redact(["trace_id"]), program);
        assert_eq!(trace_ids(&hidden), [], "{way:?}");
    }
}

#[test]
fn a_formatting_that_panics_leaves_its_record_out_and_the_next_ones_whole() {
    let program = || {
        info!("before");
        for _ in 0..3 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                info!(number = 1, value = ?Forbidden, "ruined");
            }));
            assert!(panicked.is_err());
        }
        let panicked = catch_unwind(AssertUnwindSafe(
            || info_span!("ruined", value = ?Forbidden),
        ));
        assert!(panicked.is_err());
        info_span!("after").in_scope(|| info!("in after"));
    };
    for (way, trace) in record_each_way(program) {
        trace.log("before");
        assert!(trace.logs("ruined").is_empty(), "{way:?}");
        assert!(trace.tasks("ruined").is_empty(), "{way:?}");
        assert_eq!(
            trace.log("in after").task,
            trace.task("after").id,
            "{way:?}"
        );
        assert_eq!(trace.report.records_dropped, 4, "{way:?}");
    }
}

#[test]
fn records_of_the_log_crate_keep_their_target() {
    use log::Log as _;
    let tracer = tracing_log::LogTracer::new();
    let program = || {
        let _request = info_span!("request").entered();
        let record = log::Record::builder()
            .level(log::Level::Warn)
            .target("old::library")
            .module_path(Some("old::library::io"))
            .file(Some("src/io.rs"))
            .line(Some(17))
            .args(format_args!("from afar"))
            .build();
        tracer.log(&record);
    };
    for (way, trace) in record_each_way(program) {
        let log = trace.log("from afar");
        assert_eq!(log.category, "WARN old::library", "{way:?}");
        assert_eq!(log.task, trace.task("request").id, "{way:?}");
        assert!(!log.text.contains("log.target"), "{way:?}: {}", log.text);
        assert!(log.text.contains("from afar"), "{way:?}: {}", log.text);
    }
    let filtered = Builder::new()
        .filter(exectrace_tracing::Filter::everything().with_target("old", tracing::Level::ERROR));
    let trace = record_with(Way::Subscriber, filtered, program);
    assert!(
        trace.logs("from afar").is_empty(),
        "filtered by its own target"
    );
}
