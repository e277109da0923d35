//! `exectrace syscalls`: calls into the system by name, by task and by place.

use std::io::Write;

use clap::{Args, ValueEnum};
use exectrace_analysis::{
    Analysis, Aspect, Calls, FlowKind, Options, Place, PlaceCalls, Syscall, Syscalls, TaskCalls,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, printable, style, units};
use crate::question::{Fields, Page, Question};

/// Show calls into the system (files, sockets, sleeps, locks): how many, how long, which failed
///
/// counted: calls that were short, or of a kind that is not recorded; of them it is known how many there were, and
/// mostly how long they took all together. on worker: for how long calls of async tasks kept a worker from other
/// tasks. handed over: calls that lasted so long that their worker was given to another thread (of Go).
#[derive(Debug, Args)]
pub(crate) struct SyscallsCommand {
    #[command(flatten)]
    question: Question,
    /// What to sum up: all calls of a name, of an async task or thread, or at a place in the program
    #[arg(long, value_name = "WHAT", default_value = "call")]
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// By the name of the call
    Call,
    /// By the name of the async task or thread that made it
    Task,
    /// By the call and the place in the program that made it
    Place,
}

/// What `exectrace syscalls` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SyscallsFields<'a> {
    /// The calls, by all that they can be summed up by.
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
            Some(syscalls) if !syscalls.by_name.is_empty() => match self.by {
                By::Call => {
                    print_by_call(&syscalls.by_name, page)?;
                    print_longest(&syscalls.by_name, top, page)
                }
                By::Task => print_by_task(&syscalls.by_task, page),
                By::Place => print_by_place(&syscalls.by_place, top, page),
            },
            _ => print_nothing(analysis, page),
        })
    }
}

/// There are none: as there were none, or as they are not recorded.
fn print_nothing(analysis: &Analysis, page: &mut Page<'_>) -> anyhow::Result<()> {
    match analysis.overview.sight.why(Aspect::Syscalls) {
        Some(why) => Ok(writeln!(page.out, "{}", printable(why))?),
        None => page.nothing("calls", "a program that makes some there"),
    }
}

/// The columns that all tables have.
fn columns(table: Table, all: &[&Calls]) -> Table {
    let has = |is: fn(&Calls) -> bool| all.iter().any(|calls| is(calls));
    let mut table = table.number("calls").number("total");
    if has(|calls| calls.counted > 0) {
        table = table.number("counted").minor(3);
    }
    table = table
        .number("p50")
        .minor(4)
        .number("p99")
        .minor(2)
        .number("max");
    if has(|calls| calls.on_worker_ns > 0) {
        table = table.number("on worker").minor(1);
    }
    if has(|calls| calls.blocked > 0) {
        table = table.number("handed over").minor(2);
    }
    match has(|calls| !calls.failed.is_empty()) {
        true => table.number("failed").text("errors").minor(3),
        false => table,
    }
}

/// The cells of these columns.
fn cells(calls: &Calls, all: &[&Calls]) -> Vec<Cell> {
    let has = |is: fn(&Calls) -> bool| all.iter().any(|calls| is(calls));
    let total = calls
        .all_ns()
        .map_or_else(|| "-".to_owned(), units::duration);
    let mut cells: Vec<Cell> = vec![units::count(calls.all()).into(), total.into()];
    if has(|calls| calls.counted > 0) {
        cells.push(units::count(calls.counted).into());
    }
    cells.extend([
        units::quantile(&calls.durations, 0.5).into(),
        units::quantile(&calls.durations, 0.99).into(),
        units::longest(&calls.durations).into(),
    ]);
    if has(|calls| calls.on_worker_ns > 0) {
        let whole = calls.all_ns().unwrap_or(0);
        cells.push(units::percent(calls.on_worker_ns, whole).into());
    }
    if has(|calls| calls.blocked > 0) {
        cells.push(units::count(calls.blocked).into());
    }
    if has(|calls| !calls.failed.is_empty()) {
        cells.push(units::count(calls.all_failed()).into());
        cells.push(errors(calls).into());
    }
    cells
}

/// The errors with which calls failed, the most first.
fn errors(calls: &Calls) -> String {
    let failed = calls.failed.iter().map(|failed| {
        let name = error(failed.errno, &failed.name);
        match calls.failed.len() {
            1 => name,
            _ => format!("{name} {}", units::count(failed.count)),
        }
    });
    failed.collect::<Vec<_>>().join(", ")
}

fn error(errno: u64, name: &str) -> String {
    match name {
        "" => format!("error {errno}"),
        name => name.to_owned(),
    }
}

/// Says what stands for calls that were only counted.
fn print_notes(all: &[&Calls], page: &mut Page<'_>) -> anyhow::Result<()> {
    let dim = style::ASIDE;
    let counted = all.iter().map(|calls| calls.counted);
    let counted = counted.fold(0, u64::saturating_add);
    if counted > 0 {
        writeln!(
            page.out,
            "  {dim}{} of these calls were only counted, as they were short or of a kind that is not \
             recorded: how long each took, and which failed, is not known{dim:#}",
            units::count(counted)
        )?;
    }
    let is_untimed = |calls: &&Calls| calls.counted > 0 && calls.counted_ns.is_none();
    if all.iter().any(is_untimed) {
        writeln!(
            page.out,
            "  {dim}-: calls on sockets are not timed unless the recorder's settings say so{dim:#}"
        )?;
    }
    Ok(())
}

fn print_by_call(calls: &[Syscall], page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("Calls", "by name, the most time first")?;
    let all: Vec<&Calls> = calls.iter().map(|call| &call.calls).collect();
    let mut table = columns(Table::new().text("name"), &all);
    for call in calls {
        let name = Cell::styled(names::name(&call.name), style::NAME);
        table.row(std::iter::once(name).chain(cells(&call.calls, &all)));
    }
    page.table(&table, 0)?;
    print_notes(&all, page)
}

fn print_by_task(tasks: &[TaskCalls], page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("Calls", "by async task and thread, the most time first")?;
    let all: Vec<&Calls> = tasks.iter().map(|task| &task.calls).collect();
    let table = Table::new().text("name").text("kind").minor(5);
    let mut table = columns(table, &all);
    for task in tasks {
        let (name, kind) = match task.kind {
            None => ("(runtimes, signal handlers)".to_owned(), ""),
            Some(kind) => (names::name(&task.name), kind_of(kind)),
        };
        let head = [Cell::styled(name, style::NAME), kind.into()];
        table.row(head.into_iter().chain(cells(&task.calls, &all)));
    }
    page.table(&table, 0)?;
    print_notes(&all, page)
}

fn kind_of(kind: FlowKind) -> &'static str {
    names::kind(kind)
}

fn print_by_place(places: &[PlaceCalls], top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    page.heading("Calls", "by place, the most time first")?;
    let shown = &places[..top.min(places.len())];
    let all: Vec<&Calls> = shown.iter().map(|at| &at.calls).collect();
    let mut table = columns(Table::new().text("called from").text("call"), &all);
    for at in shown {
        let place = at.place.as_ref();
        let place = place.map_or_else(|| "(no stack)".to_owned(), names::frame);
        let head = [
            Cell::styled(place, style::NAME),
            names::name(&at.name).into(),
        ];
        table.row(head.into_iter().chain(cells(&at.calls, &all)));
    }
    page.table(&table, places.len() - shown.len())?;
    print_notes(&all, page)
}

/// Layers of Go's library between a program and the system, which say nothing of the program.
const ENTRIES: [&str; 5] = ["syscall.", "internal/", "runtime.", "os.", "net.(*"];

fn print_longest(calls: &[Syscall], top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    let mut longest: Vec<_> = calls
        .iter()
        .flat_map(|call| call.longest.iter().map(move |instance| (call, instance)))
        .collect();
    if longest.is_empty() {
        return Ok(());
    }
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
        let caller = caller(&instance.stack, &call.name);
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

/// Who made the call, as far as its stack says more than layers of libraries.
fn caller<'a>(stack: &'a [Place], call: &str) -> Option<&'a Place> {
    let is_layer = |frame: &Place| {
        let mut entries = ENTRIES.iter();
        entries.any(|entry| frame.function.starts_with(entry)) || frame.is_of_rust_library()
    };
    let mut below = stack.iter().filter(|frame| frame.function != call);
    below
        .find(|frame| !is_layer(frame))
        .or_else(|| stack.last())
}
