//! `exectrace schema`: what the JSON of the other commands looks like.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::failure::Status;
use crate::output::{Out, json};
use crate::schema::{Document, schema};
use crate::shown_event::ShownEvent;

use super::check::Verdicts;
use super::diff::DiffDocument;
use super::findings::FindingsFields;
use super::latency::LatencyFields;
use super::logs::LogsFields;
use super::profile::ProfileFields;
use super::regions::RegionsFields;
use super::stat::StatDocument;
use super::summary::SummaryFields;
use super::syscalls::SyscallsFields;
use super::tasks::TasksFields;
use super::usertasks::UserTasksFields;
use super::workers::WorkersFields;

/// Print the JSON Schema of what commands answer with --format json
///
/// Instants are nanoseconds since the beginning of the trace, durations nanoseconds. Within a version of a
/// document fields are only ever added.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The command; without it, the schema of what any of them answers
    #[arg(value_name = "COMMAND", value_parser = PossibleValuesParser::new(commands()))]
    command: Option<String>,
}

impl Schema {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        json::document(&schema(&documents(), self.command.as_deref()), out)?;
        Ok(Status::Ok)
    }
}

/// What each command answers.
fn documents() -> Vec<Document> {
    vec![
        Document::answer::<SummaryFields<'_>>("summary"),
        Document::answer::<TasksFields<'_>>("tasks"),
        Document::answer::<LatencyFields<'_>>("latency"),
        Document::answer::<ProfileFields<'_>>("profile"),
        Document::answer::<UserTasksFields<'_>>("usertasks"),
        Document::answer::<RegionsFields<'_>>("regions"),
        Document::answer::<LogsFields<'_>>("logs"),
        Document::answer::<WorkersFields<'_>>("workers"),
        Document::answer::<SyscallsFields<'_>>("syscalls"),
        Document::answer::<FindingsFields<'_>>("findings"),
        Document::whole::<ShownEvent<'_>>("events", None),
        Document::whole::<Verdicts>("check", Some(Verdicts::SCHEMA)),
        Document::whole::<DiffDocument<'_>>("diff", Some(DiffDocument::SCHEMA)),
        Document::whole::<StatDocument<'_>>("stat", Some(StatDocument::SCHEMA)),
    ]
}

fn commands() -> Vec<&'static str> {
    documents()
        .iter()
        .map(|document| document.command)
        .collect()
}
