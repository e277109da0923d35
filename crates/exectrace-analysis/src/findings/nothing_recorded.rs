//! The trace holds nothing of the program's.

use exectrace_format::conventions::{RECORDED, TOKIO_RUNTIMES};

use crate::Analysis;

use super::{Finding, Severity};

/// The keys of what a recorder says of itself and of its filters.
const VERSION: &str = "version";
const FILTER: &str = "tracing.filter";

/// The user tasks that the recorder keeps open in every file.
const OWN_USER_TASKS: u64 = 2;

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let (severity, cause) = match recorded(analysis) {
        Some(recorded) => said(recorded)?,
        None => concluded(analysis)?,
    };
    Some(Finding {
        id: "nothing_recorded",
        severity,
        message: format!("Nothing was recorded: {cause}"),
        count: 1,
        rule: "The recorder wrote that no span, event, poll or annotation had been recorded some seconds after its \
               begin, or until it stopped; or the trace ends before it could, and has none.",
        help: "Set the Layer or Subscriber, or its filter, before the program does what is to be seen.",
        basis: String::new(),
        ..Finding::default()
    })
}

/// What the recorder says of what it recorded.
pub(super) fn recorded(analysis: &Analysis) -> Option<&str> {
    capability(analysis, RECORDED)
}

fn capability<'a>(analysis: &'a Analysis, wanted: &str) -> Option<&'a str> {
    let mut capabilities = analysis.overview.capabilities.iter();
    let (_, value) = capabilities.find(|(key, _)| key == wanted)?;
    Some(value)
}

/// The cause that the recorder gives. A program that had nothing to do is no mistake, and its trace looks the same.
fn said(recorded: &str) -> Option<(Severity, &str)> {
    match recorded.strip_prefix("nothing: ") {
        Some(cause) => Some((Severity::Warning, cause)),
        None => Some((Severity::Info, recorded.strip_prefix("idle: ")?)),
    }
}

/// The cause, of a trace that ends before its recorder said anything.
fn concluded(analysis: &Analysis) -> Option<(Severity, &'static str)> {
    let overview = &analysis.overview;
    let events = &overview.events;
    let is_ours =
        capability(analysis, VERSION).is_some_and(|version| version.starts_with("exectrace"));
    // The recorder's own thread, its user tasks, and a log for each of what it says of itself.
    let has_any = overview.threads > 1
        || overview.async_tasks > 0
        || events.task_begins > OWN_USER_TASKS
        || events.region_begins > 0
        || events.stack_samples > 0
        || events.logs > overview.capabilities.len() as u64;
    if !is_ours || has_any {
        return None;
    }
    Some(
        match (
            capability(analysis, FILTER),
            capability(analysis, TOKIO_RUNTIMES),
        ) {
            (None, None) => (
                Severity::Warning,
                "no Layer or Subscriber had been made when the trace ended, and no runtime had the tracer's hooks",
            ),
            (Some(""), None) => (Severity::Warning, "the Layer or Subscriber was dropped"),
            (Some("off"), None) => (Severity::Warning, "the filter is off"),
            _ => (
                Severity::Info,
                "what records was set up, and nothing happened before the trace ended",
            ),
        },
    )
}
