//! The trace holds nothing of the program's.

use exectrace_format::conventions::RECORDED;

use crate::Analysis;

use super::{Finding, Severity};

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let recorded = recorded(analysis)?;
    // A program that had nothing to do is no mistake, and its trace looks the same.
    let (severity, cause) = match recorded.strip_prefix("nothing: ") {
        Some(cause) => (Severity::Warning, cause),
        None => (Severity::Info, recorded.strip_prefix("idle: ")?),
    };
    Some(Finding {
        id: "nothing_recorded",
        severity,
        message: format!("Nothing was recorded: {cause}"),
        count: 1,
        rule: "The recorder wrote that no span, event, poll or annotation had been recorded some seconds after its \
               begin, or until it stopped.",
        help: "Set the Layer or Subscriber, or its filter, before the program does what is to be seen.",
        basis: String::new(),
        ..Finding::default()
    })
}

/// What the recorder says of what it recorded.
pub(super) fn recorded(analysis: &Analysis) -> Option<&str> {
    let mut capabilities = analysis.overview.capabilities.iter();
    let (_, recorded) = capabilities.find(|(key, _)| key == RECORDED)?;
    Some(recorded)
}
