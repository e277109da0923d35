//! `exectrace logs`: logs by call site.

use std::io::Write;

use clap::Args;
use exectrace_analysis::{Logs, Options};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, bar, names, style, units};
use crate::question::{Fields, Page, Question};

/// Columns of a bar.
const BAR_COLUMNS: usize = 10;

/// Show logs by category and call site, the most frequent first
///
/// The category of an event of `tracing` is its level and target; fields of a span are logs under the
/// span's name. text: how long the messages are in all, and their share of all text.
#[derive(Debug, Args)]
pub(crate) struct LogsCommand {
    #[command(flatten)]
    question: Question,
    /// Only logs of this level: ERROR, WARN, INFO, DEBUG or TRACE
    #[arg(long, value_name = "LEVEL", ignore_case = true, value_parser = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"])]
    level: Option<String>,
}

/// What `exectrace logs` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogsFields<'a> {
    /// Logs.
    logs: Option<&'a Logs>,
}

impl Fields for LogsFields<'_> {
    const SCHEMA: &'static str = "exectrace.logs/1";
}

impl LogsCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut answer = self.question.ask(Options {
            logs: true,
            ..Options::default()
        })?;
        if let (Some(logs), Some(level)) = (&mut answer.analysis.logs, &self.level) {
            let is_it = |known: &str| known.eq_ignore_ascii_case(level);
            logs.kinds.retain(|kind| kind.level.is_some_and(is_it));
        }
        let fields = LogsFields {
            logs: answer.analysis.logs.as_ref(),
        };
        let top = self.question.top;
        answer.give(fields, out, |analysis, page| match &analysis.logs {
            Some(logs) if !logs.kinds.is_empty() => print(logs, top, page),
            _ => page.nothing("logs", "events or fields of spans recorded while recording"),
        })
    }
}

fn print(logs: &Logs, top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    let kinds = &logs.kinds;
    let count: u64 = kinds.iter().map(|kind| kind.count).sum();
    let bytes = kinds
        .iter()
        .fold(0, |sum: u64, kind| sum.saturating_add(kind.bytes));
    page.heading(
        "Logs",
        &format!(
            "{} with {} of text, by category and place",
            units::plural(count, "log"),
            units::bytes(bytes)
        ),
    )?;
    let mut table = Table::new()
        .number("count")
        .number("text")
        .bar("of all text")
        .minor(3)
        .text("category")
        .text("place")
        .minor(1)
        .text("last message")
        .minor(2);
    for kind in kinds.iter().take(top) {
        table.row([
            units::count(kind.count).into(),
            units::bytes(kind.bytes).into(),
            bar::bar(kind.bytes, bytes, BAR_COLUMNS).into(),
            Cell::styled(names::name(&kind.category), style::NAME),
            names::place(kind.place.as_ref(), &kind.category).into(),
            kind.last.as_str().into(),
        ]);
    }
    page.table(&table, kinds.len().saturating_sub(top))?;
    if logs.left_out > 0 {
        let left_out = units::plural(logs.left_out, "log");
        writeln!(
            page.out,
            "  {left_out} of further categories and places are not counted"
        )?;
    }
    Ok(())
}
