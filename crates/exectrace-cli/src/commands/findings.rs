//! `exectrace findings`: what is wrong in a trace, the worst first.

use std::io::Write;

use clap::{Args, ValueEnum};
use exectrace_analysis::{Exemplar, Finding, Options, Severity};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Status;
use crate::output::{Out, names, printable, style, units};
use crate::question::{Fields, Page, Question};

/// Show what is wrong in a trace, the worst first, each with its evidence
#[derive(Debug, Args)]
pub(crate) struct Findings {
    #[command(flatten)]
    question: Question,
    /// Exit with status 1 if there is a finding of this severity or worse
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Level>,
}

/// A severity on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Anything
    Info,
    /// What likely makes the program slower
    Warning,
    /// What is broken
    Error,
}

impl Level {
    /// Whether a finding is as bad as this or worse.
    pub(super) fn is_reached_by(self, finding: &Finding) -> bool {
        let least = match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
        };
        finding.severity >= least
    }
}

/// What `exectrace findings` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FindingsFields<'a> {
    /// What is wrong, the worst first.
    findings: &'a [Finding],
}

impl Fields for FindingsFields<'_> {
    const SCHEMA: &'static str = "exectrace.findings/1";
}

impl Findings {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let answer = self.question.ask(Options::for_findings())?;
        let findings = answer.analysis.findings();
        let fields = FindingsFields {
            findings: &findings,
        };
        let top = self.question.top;
        let status = answer.give(fields, out, |_, page| print(&findings, top, page))?;
        let reached = |level: Level| findings.iter().any(|finding| level.is_reached_by(finding));
        match self.fail_on.is_some_and(reached) {
            true => Ok(Status::Failed),
            false => Ok(status),
        }
    }
}

/// Shows each finding with at most so many of its cases.
fn print(findings: &[Finding], top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    if findings.is_empty() {
        let good = style::GOOD;
        writeln!(page.out, "{good}nothing found{good:#}")?;
        return Ok(());
    }
    for (index, finding) in findings.iter().enumerate() {
        if index > 0 {
            writeln!(page.out)?;
        }
        print_line(finding, page)?;
        for exemplar in finding.exemplars.iter().take(top) {
            print_exemplar(exemplar, page)?;
        }
        let dim = style::ASIDE;
        writeln!(page.out, "  {dim}how: {}{dim:#}", printable(finding.rule))?;
        if !finding.basis.is_empty() {
            writeln!(
                page.out,
                "  {dim}seen: {}{dim:#}",
                printable(&finding.basis)
            )?;
        }
        writeln!(page.out, "  {dim}try: {}{dim:#}", printable(finding.help))?;
    }
    Ok(())
}

/// Shows a finding in a line.
pub(super) fn print_line(finding: &Finding, page: &mut Page<'_>) -> anyhow::Result<()> {
    let (style, word) = match finding.severity {
        Severity::Info => (style::ASIDE, "info"),
        Severity::Warning => (style::WARNING, "warning"),
        Severity::Error => (style::BAD, "error"),
    };
    let dim = style::ASIDE;
    let message = printable(&finding.message);
    writeln!(
        page.out,
        "{style}{word}{style:#}: {message}  {dim}{}{dim:#}",
        finding.id
    )?;
    Ok(())
}

/// A case: what, how long, when, on what, where.
fn print_exemplar(exemplar: &Exemplar, page: &mut Page<'_>) -> anyhow::Result<()> {
    write!(page.out, "  - {}", printable(&exemplar.what))?;
    // Most say it in their own words.
    let says_how_long = exemplar
        .what
        .contains(|character: char| character.is_ascii_digit());
    if let Some(duration_ns) = exemplar.duration_ns.filter(|_| !says_how_long) {
        write!(page.out, ", {}", units::duration(duration_ns))?;
    }
    if let Some(begin_ns) = exemplar.begin_ns {
        write!(page.out, ", at {}", units::instant(begin_ns))?;
    }
    for (what, id) in [
        ("task", exemplar.async_task),
        ("user task", exemplar.user_task),
        ("worker", exemplar.worker),
    ] {
        if let Some(id) = id {
            write!(page.out, ", {what} {id}")?;
        }
    }
    let place = names::place(exemplar.place.as_ref(), "");
    match &exemplar.place {
        Some(_) if !place.is_empty() => write!(page.out, ", {}", printable(&place))?,
        Some(place) if !place.function.is_empty() => {
            write!(page.out, ", in {}", printable(&place.function))?;
        }
        _ => {}
    }
    if exemplar.spawned_at.is_some() {
        let place = names::place(exemplar.spawned_at.as_ref(), "");
        write!(
            page.out,
            ", somewhere in the task spawned at {}",
            printable(&place)
        )?;
    }
    writeln!(page.out)?;
    Ok(())
}
