//! `exectrace diff`: what got slower from one trace to another, and whether that is more than noise.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use exectrace_analysis::{Analysis, Histogram, Options, Overview};
use serde::Serialize;

use crate::args::{Format, FormatArgument};
use crate::comparable::{Sort, refusal};
use crate::compare::{Comparison, Verdict, compare};
use crate::failure::Status;
use crate::input::TraceArgument;
use crate::output::table::{Cell, Table};
use crate::output::{Out, json, names, printable, style, units};
use crate::question::{Answer, FILTER_HELP, Page, Question};
use crate::scope::Window;

/// Show what got slower from one trace to another, and whether that is more than noise
///
/// Compares the distributions of each operation, region, poll, wake and wait, by name. A change
/// counts as one if chance would rarely make it (a rank test, corrected for the number of
/// comparisons) and it is large enough to matter (--least). It says that the traces differ, not why:
/// another machine or load differs too.
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
    only: Vec<Sort>,
    /// Only what this lets through, in both traces, as in: group~conn dur>5ms
    #[arg(long, value_name = "EXPRESSION", long_help = format!("{FILTER_HELP}\n\n{OF_USER_TASKS}"))]
    filter: Option<String>,
    /// Changes of the median and of p99 below this many percent do not matter
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    least: f64,
    /// Show also what did not change
    #[arg(long)]
    all: bool,
    /// Exit with status 1 if anything got slower
    #[arg(long)]
    fail_on_slower: bool,
    #[command(flatten)]
    format: FormatArgument,
}

/// What the filter does not reach.
const OF_USER_TASKS: &str = "\
User tasks are of no single async task: they are compared in any case. --only leaves them out.";

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Row {
    sort: Sort,
    name: String,
    /// Of waits: what for.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(flatten)]
    comparison: Comparison,
    before: Histogram,
    after: Histogram,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    before: &'a str,
    after: &'a str,
    least_percent: f64,
    changes: &'a [Row],
    only_before: &'a [Only],
    only_after: &'a [Only],
    not_compared: &'a [NotCompared],
}

/// What cannot be compared, as the traces tell different things of it.
#[derive(Debug, Serialize)]
struct NotCompared {
    sort: Sort,
    why: String,
    /// How many distributions there would be.
    distributions: u64,
}

/// What only one of the traces has.
#[derive(Debug, Serialize)]
struct Only {
    sort: Sort,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    durations: Histogram,
}

type Key = (Sort, String, String);

impl Diff {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let before = self.ask(&self.before)?;
        let after = self.ask(&self.after)?;
        let mut old = self.distributions(&before.analysis);
        let mut new = self.distributions(&after.analysis);
        let overviews = (&before.analysis.overview, &after.analysis.overview);
        let not_compared = refuse(overviews, &mut old, &mut new);
        let keys: Vec<Key> = old
            .keys()
            .filter(|key| new.contains_key(key))
            .cloned()
            .collect();
        let mut rows: Vec<Row> = Vec::new();
        for key in &keys {
            if let (Some(before), Some(after)) = (old.remove(key), new.remove(key)) {
                let (sort, name, reason) = key.clone();
                rows.push(Row {
                    sort,
                    name,
                    reason,
                    comparison: compare(&before, &after, keys.len(), self.least / 100.0),
                    before,
                    after,
                });
            }
        }
        rows.sort_by(|a, b| b.comparison.weight().total_cmp(&a.comparison.weight()));
        let (only_before, only_after) = (only(old), only(new));
        match self.format.format {
            Format::Json => json::document(
                &Document {
                    schema: "exectrace.diff/1",
                    before: &before.label(),
                    after: &after.label(),
                    least_percent: self.least,
                    changes: &rows,
                    only_before: &only_before,
                    only_after: &only_after,
                    not_compared: &not_compared,
                },
                out,
            )?,
            Format::Text => {
                let mut page = Page::new(out);
                self.print(&rows, &only_before, &only_after, &mut page)?;
                print_not_compared(&not_compared, &mut page)?;
            }
        }
        let is_slower = rows
            .iter()
            .any(|row| row.comparison.verdict == Verdict::Slower);
        let reading = [before.conclude(out)?, after.conclude(out)?];
        match reading.contains(&Status::Failed) || (self.fail_on_slower && is_slower) {
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
        question.ask(Options {
            user_tasks: true,
            regions: true,
            latencies: true,
            ..Options::default()
        })
    }

    /// What is to be compared.
    fn distributions(&self, analysis: &Analysis) -> BTreeMap<Key, Histogram> {
        let mut found = BTreeMap::new();
        let mut add = |sort, name: &str, reason: &str, durations: &Histogram| {
            let is_wanted = self.only.is_empty() || self.only.contains(&sort);
            if is_wanted && durations.count() > 0 {
                let key: Key = (sort, name.to_owned(), reason.to_owned());
                let all: &mut Histogram = found.entry(key).or_default();
                all.merge(durations);
            }
        };
        for kind in analysis.user_tasks.iter().flat_map(|tasks| &tasks.kinds) {
            add(Sort::UserTask, &kind.name, "", &kind.durations);
        }
        for kind in analysis.regions.iter().flat_map(|regions| &regions.kinds) {
            add(Sort::Region, &kind.name, "", &kind.durations);
        }
        for group in analysis.latencies.iter().flat_map(|all| &all.groups) {
            for state in &group.states {
                let sort = match state.state {
                    "run" => Sort::Run,
                    "wake" => Sort::Wake,
                    "wait" => Sort::Wait,
                    "syscall" => Sort::Syscall,
                    _ => continue,
                };
                add(sort, &group.name, &state.reason, &state.durations);
            }
        }
        found
    }

    fn print(
        &self,
        rows: &[Row],
        only_before: &[Only],
        only_after: &[Only],
        page: &mut Page<'_>,
    ) -> anyhow::Result<()> {
        for (verdict, title, style) in [
            (Verdict::Slower, "Slower", style::BAD),
            (Verdict::Faster, "Faster", style::GOOD),
            (Verdict::Shifted, "Faster and slower", style::WARNING),
            (Verdict::Same, "No change beyond noise", style::ASIDE),
            (Verdict::TooFew, "Too few to tell", style::ASIDE),
        ] {
            let rows: Vec<&Row> = rows
                .iter()
                .filter(|row| row.comparison.verdict == verdict)
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
        for (title, only) in [("Only before", only_before), ("Only after", only_after)] {
            if !only.is_empty() {
                let count = units::count(only.len() as u64);
                page.heading(title, &count)?;
                page.table(&table_of_only(only), 0)?;
            }
        }
        Ok(())
    }
}

/// Takes out what cannot be compared.
fn refuse(
    (before, after): (&Overview, &Overview),
    old: &mut BTreeMap<Key, Histogram>,
    new: &mut BTreeMap<Key, Histogram>,
) -> Vec<NotCompared> {
    let mut not_compared = Vec::new();
    for sort in [Sort::Run, Sort::Wake, Sort::Wait] {
        let Some(why) = refusal(sort, before, after) else {
            continue;
        };
        let mut keys: BTreeSet<Key> = old.keys().chain(new.keys()).cloned().collect();
        keys.retain(|key| key.0 == sort);
        old.retain(|key, _| key.0 != sort);
        new.retain(|key, _| key.0 != sort);
        if !keys.is_empty() {
            not_compared.push(NotCompared {
                sort,
                why,
                distributions: keys.len() as u64,
            });
        }
    }
    not_compared
}

fn print_not_compared(not_compared: &[NotCompared], page: &mut Page<'_>) -> anyhow::Result<()> {
    if not_compared.is_empty() {
        return Ok(());
    }
    page.heading("Not compared", "the traces tell different things of these")?;
    for refused in not_compared {
        let sort = refused.sort.title();
        let distributions = units::count(refused.distributions);
        let why = printable(&refused.why);
        writeln!(page.out, "  {sort}, {distributions} distributions: {why}")?;
    }
    Ok(())
}

fn table(rows: &[&Row], style: anstyle::Style) -> Table {
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
        let Comparison {
            p50_change,
            p99_change,
            chance,
            tail_chance,
            ..
        } = row.comparison;
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
        sort => sort.title().to_owned(),
    }
}

fn only(distributions: BTreeMap<Key, Histogram>) -> Vec<Only> {
    let only = distributions
        .into_iter()
        .map(|((sort, name, reason), durations)| Only {
            sort,
            name,
            reason,
            durations,
        });
    only.collect()
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
