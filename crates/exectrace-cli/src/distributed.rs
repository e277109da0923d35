//! Which distributed trace is asked for, and the user tasks of it.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use exectrace_analysis::{Analysis, FoundUserTasks, Options, TraceIdQuery, UserTasks, Window};

use crate::failure::Usage;
use crate::input::{self, TraceArgument};
use crate::reading;

/// A distributed trace.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct TraceIdArgument {
    /// The user tasks that are a part of this distributed trace: its id, the first digits of that, or a
    /// `traceparent`. They have it from a field such as `trace_id` of a span
    #[arg(long, value_name = "ID", value_parser = parse)]
    pub(crate) trace_id: Option<TraceIdQuery>,
}

/// How many ids are shown of those that begin with the same digits.
const MAX_SHOWN: usize = 5;

impl TraceIdArgument {
    /// The user tasks that were found.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn found(self, tasks: &UserTasks) -> anyhow::Result<&FoundUserTasks> {
        if let Some(found) = tasks.found.as_ref().filter(|found| !found.tasks.is_empty()) {
            return Ok(found);
        }
        let mut slowest = tasks.kinds.iter().flat_map(|kind| &kind.slowest);
        let remedy = match slowest.any(|task| task.trace_id.is_some()) {
            true => {
                "another id or part of the trace; `exectrace logs` shows the last of `trace_id`"
            }
            false => {
                "a recording in which a span has the field `trace_id` or `traceparent`; none of the slowest user \
                 tasks of this one is known to be a part of a distributed trace"
            }
        };
        Err(Usage::error(
            "no user task in this part of the trace is a part of that distributed trace",
            remedy,
        ))
    }

    /// The part of a trace in which user tasks of the distributed trace were open.
    ///
    /// # Errors
    ///
    /// The trace cannot be read twice, or has no such user task, or has some of several distributed traces.
    pub(crate) fn window(self, trace: &TraceArgument) -> anyhow::Result<Window> {
        if !Path::is_file(&trace.path) {
            return Err(Usage::error(
                "--trace-id reads the trace twice, which must be in a file for that",
                "the same with the path of a file",
            ));
        }
        let (input, origin) = input::open(&trace.path)?;
        let mut reader = reading::begin(input, &origin)?;
        let options = Options {
            user_tasks: true,
            trace_id: self.trace_id,
            ..Options::default()
        };
        let tasks = Analysis::read(&mut reader, &options).user_tasks;
        let tasks = tasks.unwrap_or_default();
        let found = self.found(&tasks)?;
        let ids: BTreeSet<&str> = found
            .tasks
            .iter()
            .filter_map(|task| task.trace_id.as_deref())
            .collect();
        if ids.len() > 1 {
            let mut shown: Vec<&str> = ids.iter().copied().take(MAX_SHOWN).collect();
            if ids.len() > MAX_SHOWN {
                shown.push("…");
            }
            return Err(Usage::error(
                format!(
                    "{} distributed traces begin so: {}",
                    ids.len(),
                    shown.join(", ")
                ),
                "more digits",
            ));
        }
        Ok(Window {
            begin_ns: found.begin_ns.unwrap_or(0),
            end_ns: found.end_ns.unwrap_or(u64::MAX),
        })
    }
}

fn parse(text: &str) -> Result<TraceIdQuery, String> {
    text.parse()
        .map_err(|error: exectrace_analysis::TraceIdQueryError| error.to_string())
}
