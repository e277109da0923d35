//! The trace holds nothing of the program's.

use crate::Analysis;

use super::{Finding, Severity};

pub(super) fn find(analysis: &Analysis) -> Option<Finding> {
    let capabilities = &analysis.overview.capabilities;
    let (_, recorded) = capabilities.iter().find(|(key, _)| key == "recorded")?;
    let cause = recorded.strip_prefix("nothing: ")?;
    Some(Finding {
        id: "nothing_recorded",
        severity: Severity::Warning,
        message: format!("Nothing was recorded: {cause}"),
        count: 1,
        rule: "The recorder wrote that no thread had recorded anything when the recording stopped.",
        help: "Set the Layer or Subscriber, or its filter, before the program does what is to be seen.",
        basis: String::new(),
        ..Finding::default()
    })
}
