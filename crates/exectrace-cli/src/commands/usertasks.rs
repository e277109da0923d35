//! `exectrace usertasks`: operations of the program, by name; one of them as a tree.

use std::io::Write;

use clap::Args;
use exectrace_analysis::{
    Aspect, CriticalPath, FoundUserTasks, LogEntry, Options, RegionInstance, UserTaskInstance,
    UserTaskKind, UserTaskPart, UserTaskTree, UserTasks,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::tasks::allocated;
use crate::distributed::TraceIdArgument;
use crate::failure::{Status, Usage, warn};
use crate::nearest;
use crate::output::table::{Cell, Table};
use crate::output::{Out, names, printable, printable_name, style, units};
use crate::question::{Fields, Page, Question};

/// Show user tasks (operations such as requests) by name, or one of them as a tree
///
/// run, delay, wait: the shares of their regions' time in which async tasks ran, waited for a
/// worker, waited for something. kernel: of run, how long the thread was ready and the kernel ran others.
#[derive(Debug, Args)]
pub(crate) struct UserTasksCommand {
    #[command(flatten)]
    question: Question,
    /// Only user tasks of this name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The tree of this user task: its children, regions and logs; and its critical path: what it
    /// waited for at each moment
    #[arg(long, value_name = "NUMBER")]
    id: Option<u64>,
    #[command(flatten)]
    distributed: TraceIdArgument,
}

/// What `exectrace usertasks` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UserTasksFields<'a> {
    /// User tasks.
    user_tasks: Option<&'a UserTasks>,
    /// With `--id`: what it waited for.
    critical_path: Option<&'a CriticalPath>,
}

impl Fields for UserTasksFields<'_> {
    const SCHEMA: &'static str = "exectrace.usertasks/1";
}

impl UserTasksCommand {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut answer = self.question.ask(Options {
            user_tasks: true,
            user_task_trees: self.id.into_iter().collect(),
            trace_id: self.distributed.trace_id,
            critical_path: self.id,
            ..Options::default()
        })?;
        if let Some(tasks) = &mut answer.analysis.user_tasks {
            if let Some(name) = &self.name {
                tasks.kinds.retain(|kind| kind.name == *name);
                if tasks.kinds.is_empty() {
                    let known = &answer.analysis.names.user_tasks;
                    let what = "user task in this part of the trace";
                    warn(&nearest::message(what, name, known, "usertasks"));
                }
            }
            if let (Some(found), Some(name)) = (&mut tasks.found, &self.name) {
                found.tasks.retain(|task| task.name == *name);
            }
            if self.distributed.trace_id.is_some() {
                self.distributed.found(tasks)?;
            }
            if let Some(id) = self.id.filter(|_| tasks.trees.is_empty()) {
                return Err(Usage::error(
                    format!("there is no user task {id} in this part of the trace"),
                    "the command without --id, which names the slowest",
                ));
            }
        }
        let fields = UserTasksFields {
            user_tasks: answer.analysis.user_tasks.as_ref(),
            critical_path: answer.analysis.critical_path.as_ref(),
        };
        let top = self.question.top;
        answer.give(fields, out, |analysis, page| match &analysis.user_tasks {
            Some(tasks) if self.id.is_some() => {
                let mut trees = tasks.trees.iter();
                trees.try_for_each(|tree| print_tree(tree, page))?;
                match &analysis.critical_path {
                    Some(path) => print_path(path, page),
                    None => Ok(()),
                }
            }
            Some(UserTasks {
                found: Some(found), ..
            }) => print_found(found, page),
            Some(tasks) if !tasks.kinds.is_empty() => {
                print_kinds(&tasks.kinds, usize::MAX, page)?;
                print_slowest(&tasks.kinds, top, page)
            }
            _ => page.nothing("user tasks", "root spans or `Task`s made while recording"),
        })
    }
}

/// Shows at most `limit` kinds.
pub(super) fn print_kinds(
    kinds: &[UserTaskKind],
    limit: usize,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    page.heading("User tasks", "by name, the most time first")?;
    let mut table = Table::new()
        .text("name")
        .number("count")
        .number("open")
        .minor(3)
        .number("p50")
        .number("p90")
        .minor(2)
        .number("p99")
        .number("p99.9")
        .minor(4)
        .number("max")
        .number("run")
        .minor(1);
    let has_kernel = page.gaps.has_kernel();
    if has_kernel {
        table = table.number("kernel").minor(2);
    }
    table = table.number("delay").minor(1).number("wait").minor(1);
    let has_allocated = kinds.iter().any(|kind| kind.allocated.is_some());
    if has_allocated {
        table = table.number("allocated").minor(2);
    }
    let kinds: Vec<&UserTaskKind> = kinds
        .iter()
        .filter(|kind| !kind.is_of_the_tracer())
        .collect();
    for kind in kinds.iter().take(limit) {
        let breakdown = &kind.breakdown;
        let whole = breakdown.total_ns;
        let mut cells = vec![
            Cell::styled(names::name(&kind.name), style::NAME),
            units::count(kind.count).into(),
            units::count(kind.open).into(),
        ];
        for quantile in [0.5, 0.9, 0.99, 0.999] {
            cells.push(units::quantile(&kind.durations, quantile).into());
        }
        cells.extend([
            units::longest(&kind.durations).into(),
            page.gaps.share(breakdown.running_ns, whole, Aspect::States),
        ]);
        if has_kernel {
            cells.push(page.gaps.kernel_share(breakdown.kernel, whole));
        }
        cells.extend([
            page.gaps
                .share(breakdown.runnable_ns, whole, Aspect::Delays),
            page.gaps
                .share(breakdown.waiting_ns(), whole, Aspect::States),
        ]);
        if has_allocated {
            cells.push(allocated(kind.allocated).into());
        }
        table.row(cells);
    }
    page.table(&table, kinds.len().saturating_sub(limit))
}

/// Shows the user tasks of a distributed trace, by their begin.
fn print_found(found: &FoundUserTasks, page: &mut Page<'_>) -> anyhow::Result<()> {
    let mut tasks: Vec<&UserTaskInstance> = found.tasks.iter().collect();
    tasks.sort_by_key(|task| (task.begin_ns, task.id));
    page.heading(
        "User tasks of the distributed trace",
        "`exectrace usertasks --id` shows one as a tree",
    )?;
    let mut table = instances().text("trace id");
    for task in tasks {
        let mut cells = instance(task);
        cells.push(task.trace_id.as_deref().unwrap_or_default().into());
        table.row(cells);
    }
    page.table(
        &table,
        usize::try_from(found.left_out).unwrap_or(usize::MAX),
    )
}

/// Shows the slowest of all kinds.
pub(super) fn print_slowest(
    kinds: &[UserTaskKind],
    top: usize,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    let mut slowest: Vec<&UserTaskInstance> = kinds
        .iter()
        .filter(|kind| !kind.is_of_the_tracer())
        .flat_map(|kind| &kind.slowest)
        .collect();
    slowest.sort_by_key(|task| std::cmp::Reverse(task.duration_ns));
    if slowest.is_empty() {
        return Ok(());
    }
    page.heading("Slowest", "`exectrace usertasks --id` shows one as a tree")?;
    let mut table = instances();
    for task in slowest.into_iter().take(top) {
        table.row(instance(task));
    }
    page.table(&table, 0)
}

/// A table of single user tasks.
fn instances() -> Table {
    Table::new()
        .number("took")
        .number("at")
        .number("id")
        .text("name")
        .number("parent")
        .minor(1)
        .number("begun by")
        .minor(2)
        .text("end")
}

/// The row of one.
fn instance(task: &UserTaskInstance) -> Vec<Cell> {
    let id = |id: Option<u64>| id.map_or_else(String::new, |id| id.to_string());
    vec![
        units::duration(task.duration_ns).into(),
        begin(task.begin_ns).into(),
        task.id.to_string().into(),
        Cell::styled(names::name(&task.name), style::NAME),
        id(task.parent).into(),
        id(task.begun_by).into(),
        end(task.end_ns).into(),
    ]
}

fn begin(begin_ns: Option<u64>) -> String {
    begin_ns.map_or_else(|| "before".to_owned(), units::instant)
}

fn end(end_ns: Option<u64>) -> &'static str {
    match end_ns {
        Some(_) => "",
        None => "open",
    }
}

fn print_tree(tree: &UserTaskTree, page: &mut Page<'_>) -> anyhow::Result<()> {
    let origin_ns = tree.task.begin_ns.unwrap_or(0);
    for (depth, part) in tree.parts() {
        let since = part.time_ns() as i64 - origin_ns as i64;
        let dim = style::ASIDE;
        write!(
            page.out,
            "{dim}{:>9}{dim:#}  {:indent$}",
            units::signed_duration(since),
            "",
            indent = 2 * depth
        )?;
        match part {
            UserTaskPart::Region(region) => print_region(region, page)?,
            UserTaskPart::Log(log) => print_log(log, page)?,
            UserTaskPart::Task(task) => print_task(task, page)?,
        }
    }
    if tree.left_out > 0 {
        writeln!(page.out, "and {} more parts", units::count(tree.left_out))?;
    }
    Ok(())
}

fn print_task(tree: &UserTaskTree, page: &mut Page<'_>) -> anyhow::Result<()> {
    let task = &tree.task;
    let (heading, dim) = (style::HEADING, style::ASIDE);
    let name = printable_name(&task.name);
    let took = units::duration(task.duration_ns);
    write!(page.out, "{heading}{name}{heading:#} {took}")?;
    if task.end_ns.is_none() {
        write!(page.out, ", open at the end")?;
    }
    write!(page.out, "  {dim}")?;
    match &tree.span {
        Some(span) => print_entries(span, page)?,
        None if tree.carries => write!(page.out, "not closed, ")?,
        None => {}
    }
    let what = if tree.carries {
        "concurrent span"
    } else {
        "user task"
    };
    write!(page.out, "{what} {}", task.id)?;
    let served: Vec<String> = tree.async_tasks.iter().map(u64::to_string).collect();
    if !served.is_empty() {
        write!(page.out, ", async tasks {}", served.join(" "))?;
    }
    let place = names::place(tree.place.as_ref(), &task.name);
    if !place.is_empty() {
        write!(page.out, ", {}", printable(&place))?;
    }
    if let Some(trace_id) = &task.trace_id {
        write!(page.out, ", distributed trace {trace_id}")?;
    }
    for earlier in &tree.follows_from {
        write!(page.out, ", follows from {earlier}")?;
    }
    writeln!(page.out, "{dim:#}")?;
    Ok(())
}

fn print_region(region: &RegionInstance, page: &mut Page<'_>) -> anyhow::Result<()> {
    let (style, dim) = (style::NAME, style::ASIDE);
    let name = printable_name(&region.name);
    let took = units::duration(region.duration_ns);
    write!(page.out, "{style}{name}{style:#} {took}  {dim}")?;
    print_entries(region, page)?;
    let breakdown = &region.breakdown;
    if let Some(ns) = breakdown.running_ns {
        write!(page.out, "run {}", units::duration(ns))?;
        match breakdown.kernel {
            Some(wait) if wait.at_most_ns > 0 => {
                let bounds = page.gaps.bounds(wait, units::duration);
                write!(page.out, " (of which kernel {bounds})")?;
            }
            _ => {}
        }
        write!(page.out, ", ")?;
    }
    let parts = [("delay", breakdown.runnable_ns.filter(|&ns| ns > 0))];
    let waits = breakdown.waiting.iter().flatten();
    let waits = waits.map(|wait| (names::reason(&wait.name), Some(wait.duration_ns)));
    let syscalls = breakdown.all_syscalls_ns().filter(|&ns| ns > 0);
    for (what, ns) in parts
        .into_iter()
        .chain(waits)
        .chain([("syscall", syscalls)])
    {
        if let Some(ns) = ns {
            let (what, took) = (printable(what), units::duration(ns));
            write!(page.out, "{what} {took}, ")?;
        }
    }
    if breakdown.running_ns.is_none() {
        page.gaps.note(Aspect::States);
        write!(page.out, "run -, ")?;
    }
    writeln!(page.out, "on {}{dim:#}", region.async_task)?;
    Ok(())
}

/// How long a span was entered and how many times, where that says more than its length.
fn print_entries(span: &RegionInstance, page: &mut Page<'_>) -> anyhow::Result<()> {
    if let (Some(busy_ns), Some(entries @ 2..)) = (span.busy_ns, span.entries) {
        let (busy, entries) = (units::duration(busy_ns), units::count(entries));
        write!(page.out, "busy {busy} in {entries} entries, ")?;
    }
    Ok(())
}

fn print_log(log: &LogEntry, page: &mut Page<'_>) -> anyhow::Result<()> {
    let dim = style::ASIDE;
    if !log.category.is_empty() {
        write!(page.out, "{dim}[{}]{dim:#} ", printable(&log.category))?;
    }
    writeln!(page.out, "{}", printable(&log.message))?;
    Ok(())
}

/// Shows what the operation was waiting for at each moment, and in sum.
fn print_path(path: &CriticalPath, page: &mut Page<'_>) -> anyhow::Result<()> {
    writeln!(page.out)?;
    page.heading("Critical path", "what it was waiting for at each moment")?;
    let mut table = Table::new()
        .number("since begin")
        .number("for")
        .text("state")
        .number("task")
        .text("name")
        .text("region")
        .minor(1)
        .text("where")
        .minor(2)
        .number("woken by")
        .minor(3);
    if path.totals.iter().any(|total| total.state == "unknown") {
        page.gaps.note(Aspect::States);
    }
    for step in &path.steps {
        table.row([
            units::signed_duration(step.begin_ns as i64 - path.begin_ns as i64).into(),
            units::duration(step.duration_ns).into(),
            names::state(step.state, &step.reason).into(),
            step.async_task.to_string().into(),
            Cell::styled(names::name(&step.name), style::NAME),
            step.region.as_str().into(),
            names::where_in_program(&step.stack, &step.name).into(),
            step.woken_by
                .map_or_else(String::new, |id| id.to_string())
                .into(),
        ]);
    }
    page.table(&table, usize::try_from(path.left_out).unwrap_or(usize::MAX))?;
    page.heading("In sum", "")?;
    let mut table = Table::new()
        .text("state")
        .text("region")
        .number("for")
        .number("share");
    for total in &path.totals {
        table.row([
            names::state(total.state, &total.reason).into(),
            total.region.as_str().into(),
            units::duration(total.duration_ns).into(),
            units::percent(total.duration_ns, path.duration_ns).into(),
        ]);
    }
    page.table(&table, 0)
}
