//! The first page: what the trace is, what is wrong with the program, and where the time went.

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Analysis, Exemplar, Finding, Severity};
use maud::{Markup, html};

use crate::trace::Answer;

use super::layout::Page;
use super::parts::{Table, duration, link, name, text};
use super::{tasks, user_tasks, workers};

/// Rows of each table here; the pages of their own have all.
const SHOWN: usize = 10;

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let analysis = &answer.analysis;
    let overview = &analysis.overview;
    html! {
        h1 { "Overview" }
        p {
            (units::duration(overview.duration_ns)) ", "
            (units::plural(overview.events.total, "event")) ", "
            (units::plural(overview.async_tasks, "async task")) " ("
            (units::count(overview.async_tasks_alive)) " alive at the end), "
            (units::plural(overview.workers, "worker")) ", "
            (units::plural(overview.threads, "thread"))
            @if let Some(writer) = &overview.written_by { "; written by " (writer) }
            ". " a href=(page.link("timeline")) { "Time line" }
        }
        (findings(&answer.findings, page))
        @if let Some(tasks) = &analysis.user_tasks {
            (user_tasks::slowest(&tasks.kinds, SHOWN, page))
        }
        @if let Some(tasks) = &analysis.tasks {
            (tasks::groups(&tasks.groups, SHOWN, &overview.sight, page))
            (tasks::longest_runs(&tasks.longest_runs, SHOWN, page))
        }
        @if let Some(workers) = &analysis.workers {
            (workers::workers(&workers.workers, &overview.sight, page))
        }
        (sources(analysis))
    }
}

fn findings(findings: &[Finding], page: &Page<'_>) -> Markup {
    html! {
        section {
            h2 { "Findings" }
            @if findings.is_empty() { p { "Nothing stands out." } }
            @for finding in findings {
                details.finding {
                    summary class=(severity(finding.severity)) {
                        strong { (severity(finding.severity)) } ": " (finding.message)
                    }
                    p { (finding.rule) }
                    p { (finding.help) }
                    @if !finding.basis.is_empty() { p.aside { (finding.basis) } }
                    (exemplars(&finding.exemplars, page))
                }
            }
        }
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn exemplars(exemplars: &[Exemplar], page: &Page<'_>) -> Markup {
    let mut table = Table::new()
        .text("what")
        .number("at")
        .number("took")
        .text("async task")
        .text("user task")
        .text("where");
    for exemplar in exemplars {
        let row = match (exemplar.async_task, exemplar.worker) {
            (Some(task), _) => Some(format!("g{task}")),
            (None, Some(worker)) => Some(format!("w{worker}")),
            (None, None) => None,
        };
        let at = match (exemplar.begin_ns, row) {
            (Some(begin), Some(row)) => {
                let length = exemplar.duration_ns.unwrap_or(0);
                link(&page.time_line(&row, begin, length), units::instant(begin))
            }
            (Some(begin), None) => text(units::instant(begin)),
            (None, _) => html! {},
        };
        table.row([
            name(&exemplar.what),
            at,
            exemplar.duration_ns.map_or_else(|| html! {}, duration),
            exemplar.async_task.map_or_else(
                || html! {},
                |id| link(&page.link(&format!("task/{id}")), id.to_string()),
            ),
            exemplar.user_task.map_or_else(
                || html! {},
                |id| link(&page.link(&format!("usertask/{id}")), id.to_string()),
            ),
            text(names::place(exemplar.place.as_ref(), &exemplar.what)),
        ]);
    }
    table.section("Evidence", "")
}

/// What the trace has and lacks, and how to get it.
fn sources(analysis: &Analysis) -> Markup {
    let overview = &analysis.overview;
    let mut table = Table::new().text("what").text("recorded").text("more");
    for source in &overview.sources {
        table.row([
            name(&source.name),
            text(if source.is_recorded { "yes" } else { "no" }),
            text(&source.about),
        ]);
    }
    let mut capabilities = Table::new().text("what").text("how");
    for (key, value) in &overview.capabilities {
        capabilities.row([text(key), text(value)]);
    }
    html! {
        (table.section("Sources", "what this trace has, and what it takes to have the rest"))
        (capabilities.section("The recording", ""))
    }
}
