//! `exectrace diff`: what got slower from one trace to another, and whether that is more than noise.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use exectrace_analysis::{
    Change, CompareOptions, Comparison, Difference, NotCompared, Only, Options, Sort, Verdict,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::format::{Format, FormatArgument};
use crate::input::TraceArgument;
use crate::output::table::{Cell, Table};
use crate::output::{Out, json, names, printable, style, units};
use crate::question::{Answer, FILTER_HELP, Page, Question};
use crate::scope::Window;

/// Show what got slower from one trace to another, and whether that is more than noise
///
/// Compares the durations of user tasks, regions, polls, delays and waits, by name. A change is
/// shown if it is unlikely to be chance (by a rank test, corrected for the number of comparisons)
/// and large enough to matter (--least). The command shows that the traces differ, not why: another
/// machine or another load makes a difference too.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The trace before
    #[arg(value_name = "A", value_hint = clap::ValueHint::FilePath)]
    before: PathBuf,
    /// The trace after
    #[arg(value_name = "B", value_hint = clap::ValueHint::FilePath)]
    after: PathBuf,
    /// Only what is of this sort; may be given several times
    #[arg(long, value_name = "SORT")]
    only: Vec<Compared>,
    /// Only what matches, in both traces, as in: group~conn dur>5ms
    #[arg(long, value_name = "EXPRESSION", long_help = format!("{FILTER_HELP}\n\n{OF_USER_TASKS}"))]
    filter: Option<String>,
    /// Ignore changes of the median and of p99 below this many percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    least: f64,
    /// Also show what did not change
    #[arg(long)]
    all: bool,
    /// Exit with status 1 if anything got slower
    #[arg(long)]
    fail_on_slower: bool,
    #[command(flatten)]
    format: FormatArgument,
}

/// What the filter does not apply to.
const OF_USER_TASKS: &str = "\
User tasks belong to no single async task, so the filter does not apply to them. --only leaves them out.";

/// What is compared, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compared {
    /// User tasks: operations
    UserTask,
    /// Spans and other regions
    Region,
    /// Polls of async tasks
    Run,
    /// Delays from a wake to the run
    Wake,
    /// Waits, by reason
    Wait,
    /// System calls of async tasks
    Syscall,
}

impl Compared {
    fn sort(self) -> Sort {
        match self {
            Self::UserTask => Sort::UserTask,
            Self::Region => Sort::Region,
            Self::Run => Sort::Run,
            Self::Wake => Sort::Wake,
            Self::Wait => Sort::Wait,
            Self::Syscall => Sort::Syscall,
        }
    }
}

/// What `exectrace diff` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiffDocument<'a> {
    /// The name of the document, and its version.
    schema: &'static str,
    /// The first trace, as on the command line.
    before: &'a str,
    /// The second.
    after: &'a str,
    /// Changes below this do not matter.
    least_percent: f64,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

impl DiffDocument<'_> {
    pub(crate) const SCHEMA: &'static str = "exectrace.diff/1";
}

impl Diff {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let before = self.ask(&self.before)?;
        let after = self.ask(&self.after)?;
        let options = CompareOptions {
            only: self.only.iter().map(|only| only.sort()).collect(),
            least: self.least / 100.0,
        };
        let comparison = Comparison::of(&before.analysis, &after.analysis, &options);
        match self.format.format {
            Format::Json => json::document(
                &DiffDocument {
                    schema: DiffDocument::SCHEMA,
                    before: &before.label(),
                    after: &after.label(),
                    least_percent: self.least,
                    comparison: &comparison,
                },
                out,
            )?,
            Format::Text => {
                let mut page = Page::new(out);
                self.print(&comparison, &mut page)?;
                print_not_compared(&comparison.not_compared, &mut page)?;
            }
        }
        let reading = [before.conclude(out)?, after.conclude(out)?];
        let is_too_slow = self.fail_on_slower && comparison.is_slower();
        match reading.contains(&Status::Failed) || is_too_slow {
            true => Ok(Status::Failed),
            false => Ok(Status::Ok),
        }
    }

    fn ask(&self, path: &std::path::Path) -> anyhow::Result<Answer> {
        let question = Question {
            trace: TraceArgument {
                path: path.to_owned(),
            },
            window: Window::WHOLE,
            group: None,
            filter: self.filter.clone(),
            top: 0,
            format: FormatArgument {
                format: self.format.format,
            },
        };
        question.ask(Options::for_comparison())
    }

    fn print(&self, comparison: &Comparison, page: &mut Page<'_>) -> anyhow::Result<()> {
        for (verdict, title, style) in [
            (Verdict::Slower, "Slower", style::BAD),
            (Verdict::Faster, "Faster", style::GOOD),
            (Verdict::Shifted, "Faster and slower", style::WARNING),
            (Verdict::Same, "No change beyond noise", style::ASIDE),
            (Verdict::TooFew, "Too few for a verdict", style::ASIDE),
        ] {
            let changes = comparison.changes.iter();
            let rows: Vec<&Change> = changes
                .filter(|change| change.difference.verdict == verdict)
                .collect();
            let is_quiet = matches!(verdict, Verdict::Same | Verdict::TooFew);
            if rows.is_empty() && verdict != Verdict::Slower {
                continue;
            }
            if is_quiet && !self.all {
                let count = units::count(rows.len() as u64);
                page.heading(title, &format!("{count} distributions; --all shows them"))?;
                continue;
            }
            let count = match rows.len() {
                0 => "nothing".to_owned(),
                count => units::count(count as u64),
            };
            page.heading(title, &count)?;
            page.table(&table(&rows, style), 0)?;
        }
        for (title, only) in [
            ("Only before", &comparison.only_before),
            ("Only after", &comparison.only_after),
        ] {
            if !only.is_empty() {
                let count = units::count(only.len() as u64);
                page.heading(title, &count)?;
                page.table(&table_of_only(only), 0)?;
            }
        }
        Ok(())
    }
}

fn print_not_compared(not_compared: &[NotCompared], page: &mut Page<'_>) -> anyhow::Result<()> {
    if not_compared.is_empty() {
        return Ok(());
    }
    page.heading(
        "Not compared",
        "the two traces do not show the same of these",
    )?;
    for refused in not_compared {
        let sort = sort_name(refused.sort);
        let distributions = units::count(refused.distributions);
        let why = printable(&refused.why);
        writeln!(page.out, "  {sort}, {distributions} distributions: {why}")?;
    }
    Ok(())
}

fn table(rows: &[&Change], style: anstyle::Style) -> Table {
    let mut table = Table::new()
        .text("what")
        .text("name")
        .number("p50")
        .number("then")
        .number("change")
        .number("p99")
        .number("then")
        .number("change")
        .number("count")
        .minor(2)
        .number("then")
        .minor(2)
        .text("chance")
        .minor(1);
    for row in rows {
        let Difference {
            p50_change,
            p99_change,
            chance,
            tail_chance,
            ..
        } = row.difference;
        table.row([
            title(row.sort, &row.reason).into(),
            Cell::styled(names::name(&row.name), style::NAME),
            units::quantile(&row.before, 0.5).into(),
            units::quantile(&row.after, 0.5).into(),
            Cell::styled(percent(p50_change), style),
            units::quantile(&row.before, 0.99).into(),
            units::quantile(&row.after, 0.99).into(),
            Cell::styled(percent(p99_change), style),
            units::count(row.before.count()).into(),
            units::count(row.after.count()).into(),
            odds(chance.min(tail_chance)).into(),
        ]);
    }
    table
}

fn table_of_only(only: &[Only]) -> Table {
    let mut table = Table::new()
        .text("what")
        .text("name")
        .number("count")
        .number("p50")
        .number("p99");
    for one in only {
        table.row([
            title(one.sort, &one.reason).into(),
            Cell::styled(names::name(&one.name), style::NAME),
            units::count(one.durations.count()).into(),
            units::quantile(&one.durations, 0.5).into(),
            units::quantile(&one.durations, 0.99).into(),
        ]);
    }
    table
}

fn title(sort: Sort, reason: &str) -> String {
    match sort {
        Sort::Wait => format!("wait ({})", names::reason(reason)),
        sort => sort_name(sort).to_owned(),
    }
}

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::UserTask => "user task",
        Sort::Region => "region",
        Sort::Run => "run",
        Sort::Wake => "wake",
        Sort::Wait => "wait",
        Sort::Syscall => "syscall",
        _ => "other",
    }
}

/// A change as people write it.
fn percent(change: f64) -> String {
    match change {
        change if change >= 9.995 => format!("{:.1}×", change + 1.0),
        change => format!("{:+.1}%", change * 100.0),
    }
}

fn odds(chance: f64) -> String {
    match chance {
        chance if chance < 1e-6 => "< 1e-6".to_owned(),
        chance if chance < 0.001 => format!("{chance:.0e}"),
        chance => format!("{chance:.3}"),
    }
}
