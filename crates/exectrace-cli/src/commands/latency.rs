//! `exectrace latency`: how long states last, as distributions.

use clap::{Args, ValueEnum};
use exectrace_analysis::{Aspect, Histogram, Latencies, Options, StateLatency};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::Write;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, bar, names, printable_name, style, units};
use crate::question::{Fields, Page, Question};

/// Show how long async tasks run and wait each time, as distributions
///
/// run: one poll. kernel: how long the kernel kept one poll from running, where it reported that. wake: from a wake to the run. spawn: from the spawn to the first run. yield: from
/// a yield to the next run. wait: for one thing. syscall: one system call.
///
/// reason: how the reason of a wait is known, `seen` on its stack or `concluded` from who ended it.
#[derive(Debug, Args)]
pub(crate) struct Latency {
    #[command(flatten)]
    question: Question,
    /// By name of the async tasks, too
    #[arg(long)]
    by_name: bool,
    /// Only this state, and draw its histogram
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Run,
    Kernel,
    Wake,
    Spawn,
    Yield,
    Wait,
    Syscall,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Kernel => "kernel",
            Self::Wake => "wake",
            Self::Spawn => "spawn",
            Self::Yield => "yield",
            Self::Wait => "wait",
            Self::Syscall => "syscall",
        }
    }
}

/// What `exectrace latency` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LatencyFields<'a> {
    /// Distributions.
    latencies: Option<&'a Latencies>,
}

impl Fields for LatencyFields<'_> {
    const SCHEMA: &'static str = "exectrace.latency/1";
}

impl Latency {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut answer = self.question.ask(Options {
            latencies: true,
            ..Options::default()
        })?;
        if let Some(latencies) = &mut answer.analysis.latencies {
            self.narrow(latencies);
        }
        let fields = LatencyFields {
            latencies: answer.analysis.latencies.as_ref(),
        };
        answer.give(fields, out, |analysis, page| {
            let Some(latencies) = &analysis.latencies else {
                return Ok(());
            };
            page.heading("All async tasks", "")?;
            let all = table(&latencies.all, page);
            page.table(&all, 0)?;
            if self.state.is_some() {
                for state in &latencies.all {
                    print_histogram(state, page)?;
                }
            }
            if self.by_name {
                for group in &latencies.groups {
                    page.heading(&printable_name(&group.name), "")?;
                    let states = table(&group.states, page);
                    page.table(&states, 0)?;
                }
            }
            Ok(())
        })
    }

    /// Leaves only the state that is asked for.
    fn narrow(&self, latencies: &mut Latencies) {
        let Some(state) = self.state else { return };
        let is_wanted = |latency: &StateLatency| latency.state == state.word();
        latencies.all.retain(is_wanted);
        for group in &mut latencies.groups {
            group.states.retain(is_wanted);
        }
        latencies.groups.retain(|group| !group.states.is_empty());
    }
}

/// The states and how long they lasted. Of what was not seen it has the count alone.
fn table(states: &[StateLatency], page: &mut Page<'_>) -> Table {
    let has_unseen = states.iter().any(|state| state.unseen > 0);
    let mut table = Table::new()
        .text("state")
        .text("reason")
        .minor(4)
        .number("count")
        .number("p50")
        .number("p90")
        .minor(2)
        .number("p99")
        .number("p99.9")
        .minor(3)
        .number("max")
        .number("total")
        .minor(1);
    if has_unseen {
        for state in states.iter().filter(|state| state.unseen > 0) {
            page.gaps.note(match state.state {
                "kernel" => Aspect::Switches,
                _ => Aspect::Delays,
            });
        }
        table = table.number("not seen");
    }
    for state in states {
        let durations = &state.durations;
        let mut cells = vec![
            Cell::styled(title(state), style::NAME),
            state.source.unwrap_or_default().into(),
            units::count(durations.count()).into(),
        ];
        for quantile in [0.5, 0.9, 0.99, 0.999] {
            cells.push(units::quantile(durations, quantile).into());
        }
        cells.push(units::longest(durations).into());
        cells.push(units::total(durations).into());
        cells.push(units::count(state.unseen).into());
        table.row(cells);
    }
    table
}

fn title(state: &StateLatency) -> String {
    match state.state {
        "wait" => format!("wait ({})", names::reason(&state.reason)),
        state => state.to_owned(),
    }
}

/// Columns of the longest bar.
const BAR_COLUMNS: usize = 40;

fn print_histogram(state: &StateLatency, page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading(&title(state), "how many took up to so long")?;
    let steps = steps(&state.durations);
    let most = steps.iter().map(|&(_, count)| count).max().unwrap_or(0);
    for (below_ns, count) in steps {
        let bar = bar::bar(count, most, BAR_COLUMNS);
        writeln!(
            page.out,
            "  {:>7}  {:>10}  {bar}",
            units::duration(below_ns),
            units::count(count)
        )?;
    }
    Ok(())
}

/// The distribution in steps of 1, 2 and 5: the end of each and how many lie in it, from the first
/// that has any to the last.
fn steps(durations: &Histogram) -> Vec<(u64, u64)> {
    let ends = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let mut steps: Vec<(u64, u64)> = ends.map(|end| (end, 0)).collect();
    for (_, last_ns, count) in durations.buckets() {
        let index = steps.partition_point(|&(end, _)| end < last_ns);
        if let Some(step) = steps.get_mut(index) {
            step.1 += count;
        }
    }
    let first = steps.iter().position(|&(_, count)| count > 0);
    let last = steps.iter().rposition(|&(_, count)| count > 0);
    match (first, last) {
        (Some(first), Some(last)) => steps[first..=last].to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_the_step_that_ends_above_it() {
        let mut durations = Histogram::default();
        for ns in [1, 2, 3, 5, 6, 1_000] {
            durations.record(ns);
        }
        let steps = steps(&durations);
        assert_eq!(steps[..4], [(1, 1), (2, 1), (5, 2), (10, 1)]);
        assert_eq!(steps.last(), Some(&(1_000, 1)));
        let counted: u64 = steps.iter().map(|&(_, count)| count).sum();
        assert_eq!(counted, durations.count());
    }
}
