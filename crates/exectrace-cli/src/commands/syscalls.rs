//! `exectrace syscalls`: system calls by name.

use clap::Args;
use exectrace_analysis::{Options, Syscalls};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, style, units};
use crate::question::{Fields, Page, Question};

/// Show system calls by name, and the longest
///
/// blocked: calls that lasted so long that their worker was given to another thread.
#[derive(Debug, Args)]
pub(crate) struct SyscallsCommand {
    #[command(flatten)]
    question: Question,
}

/// What `exectrace syscalls` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SyscallsFields<'a> {
    /// System calls.
    syscalls: Option<&'a Syscalls>,
}

impl Fields for SyscallsFields<'_> {
    const SCHEMA: &'static str = "exectrace.syscalls/1";
}

impl SyscallsCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let answer = self.question.ask(Options {
            syscalls: true,
            ..Options::default()
        })?;
        let fields = SyscallsFields {
            syscalls: answer.analysis.syscalls.as_ref(),
        };
        let top = self.question.top;
        answer.give(fields, out, |analysis, page| match &analysis.syscalls {
            Some(syscalls) if !syscalls.by_name.is_empty() => print(syscalls, top, page),
            _ => page.nothing("system calls", "a recording that sees them"),
        })
    }
}

/// Layers of Go's library between a program and the system, which say nothing of the program.
const ENTRIES: [&str; 5] = ["syscall.", "internal/", "runtime.", "os.", "net.(*"];

fn print(syscalls: &Syscalls, top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("System calls", "by name, the most time first")?;
    let mut table = Table::new()
        .text("name")
        .number("count")
        .number("total")
        .number("p50")
        .minor(2)
        .number("p99")
        .number("max")
        .number("blocked")
        .minor(1)
        .number("blocked for")
        .minor(1);
    for call in &syscalls.by_name {
        table.row([
            Cell::styled(names::name(&call.name), style::NAME),
            units::count(call.count).into(),
            units::duration(call.total_ns).into(),
            units::quantile(&call.durations, 0.5).into(),
            units::quantile(&call.durations, 0.99).into(),
            units::longest(&call.durations).into(),
            units::count(call.blocked).into(),
            units::duration(call.blocked_ns).into(),
        ]);
    }
    page.table(&table, 0)?;
    let mut longest: Vec<_> = syscalls
        .by_name
        .iter()
        .flat_map(|call| call.longest.iter().map(move |instance| (call, instance)))
        .collect();
    longest.sort_by_key(|(_, instance)| std::cmp::Reverse(instance.duration_ns));
    page.heading("Longest", "")?;
    let mut table = Table::new()
        .number("took")
        .number("at")
        .text("call")
        .number("task")
        .minor(2)
        .text("of")
        .minor(1)
        .text("called from");
    for (call, instance) in longest.into_iter().take(top) {
        let caller = instance.stack.iter().find(|frame| {
            let is_entry = ENTRIES
                .iter()
                .any(|entry| frame.function.starts_with(entry));
            frame.function != call.name && !is_entry
        });
        table.row([
            units::duration(instance.duration_ns).into(),
            units::instant(instance.begin_ns).into(),
            Cell::styled(names::name(&call.name), style::NAME),
            instance.async_task.to_string().into(),
            names::name(&instance.task_name).into(),
            caller.map_or_else(String::new, names::frame).into(),
        ]);
    }
    page.table(&table, 0)
}
