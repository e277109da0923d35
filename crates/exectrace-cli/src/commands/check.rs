//! `exectrace check`: whether traces are good, and if not, where and why they are broken.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use exectrace_analysis::{Analysis, Finding, Options};
use schemars::JsonSchema;
use serde::Serialize;

use super::findings::{self, Level};
use crate::failure::{Status, Usage, remedy_of_reading};
use crate::format::{Format, FormatArgument};
use crate::input;
use crate::output::{Out, json, printable, sources, style, units};
use crate::question::Page;
use crate::reading;
use crate::survey::{CheckDamage, Survey, Violations};

/// Check whether traces are good, and show where and why if they are not
///
/// A trace is good if Go's own reader takes it to its end and, with --strict, if Go's validator has
/// no objection either.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The traces: files, or `-` for standard input
    #[arg(value_name = "TRACE", required = true, value_hint = clap::ValueHint::FilePath)]
    traces: Vec<PathBuf>,
    /// Check the rules of Go's validator as well: clocks that never go back between
    /// generations, one task at a time on a thread, ranges and user tasks that begin and end once
    #[arg(long)]
    strict: bool,
    /// Look for what is wrong in the program as well, as `exectrace findings` does
    #[arg(long)]
    findings: bool,
    /// Exit with status 1 if there is a finding of this severity or worse; implies --findings
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Level>,
    #[command(flatten)]
    format: FormatArgument,
}

/// What `check` says of a trace.
#[derive(Debug, Serialize, JsonSchema)]
struct Verdict {
    /// The trace, as on the command line.
    trace: String,
    /// Whether Go's own reader would take it to its end and, with `--strict`, no rule is broken.
    good: bool,
    #[serde(flatten)]
    survey: Survey,
    /// Where and why it is broken.
    damage: Option<CheckDamage>,
    /// With `--findings` or `--fail-on`: what is wrong in the program.
    findings: Option<Vec<Finding>>,
}

/// What `exectrace check` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verdicts {
    /// The name of the document, and its version.
    schema: &'static str,
    /// Each trace of the command line.
    traces: Vec<Verdict>,
}

impl Verdicts {
    pub(crate) const SCHEMA: &'static str = "exectrace.check/1";
}

impl Check {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut verdicts = Vec::new();
        for path in &self.traces {
            let (survey, damage) = Survey::of(path, self.strict)?;
            let findings = match self.findings || self.fail_on.is_some() {
                // What is no trace at all has none.
                true => survey.contents().map(|_| find(path)).transpose()?,
                false => None,
            };
            let verdict = Verdict {
                trace: survey.label().to_owned(),
                good: damage.is_none() && survey.violations.as_ref().is_none_or(|v| v.count == 0),
                survey,
                damage,
                findings,
            };
            if self.format.format == Format::Text {
                verdict.print(out)?;
            }
            verdicts.push(verdict);
        }
        let is_well = |verdict: &Verdict| {
            let mut findings = verdict.findings.iter().flatten();
            let level = self.fail_on;
            verdict.good
                && !findings.any(|found| level.is_some_and(|level| level.is_reached_by(found)))
        };
        let status = match verdicts.iter().all(is_well) {
            true => Status::Ok,
            false => Status::Failed,
        };
        if self.format.format == Format::Json {
            let verdicts = Verdicts {
                schema: Verdicts::SCHEMA,
                traces: verdicts,
            };
            json::document(&verdicts, out)?;
        }
        Ok(status)
    }
}

/// Analyses a trace once more for what is wrong in the program.
fn find(path: &Path) -> anyhow::Result<Vec<Finding>> {
    if path.as_os_str() == "-" {
        return Err(Usage::error(
            "standard input can be read only once",
            "`exectrace findings -`, or a file",
        ));
    }
    let (input, origin) = input::open(path)?;
    let mut reader = reading::begin(input, &origin)?;
    Ok(Analysis::read(&mut reader, &Options::for_findings()).findings())
}

impl Verdict {
    fn print(&self, out: &mut Out) -> anyhow::Result<()> {
        let (style, word) = match (self.good, &self.damage) {
            (true, _) => (style::GOOD, "good"),
            (false, Some(_)) => (style::BAD, "broken"),
            (false, None) => (style::BAD, "not valid"),
        };
        writeln!(out, "{}: {style}{word}{style:#}", printable(&self.trace))?;
        if let Some(damage) = &self.damage {
            writeln!(out, "  {}", damage.place(self.survey.bytes()))?;
            writeln!(out, "  cause: {}", printable(&damage.cause))?;
        }
        if let Some(contents) = self.survey.contents() {
            let what = if self.damage.is_none() {
                ""
            } else {
                "readable: "
            };
            writeln!(out, "  {what}{contents}")?;
        }
        if let Some(writer) = self.survey.writer() {
            writeln!(out, "  written by {}", printable(&writer))?;
        }
        if self.survey.lost_records > 0 {
            let lost = units::count(self.survey.lost_records);
            let style = style::WARNING;
            writeln!(
                out,
                "  {style}{lost} records were dropped while recording{style:#}: the program was \
                 faster than its buffers"
            )?;
        }
        if self.survey.contents().is_some() {
            sources::print(&self.survey.sources, "  ", out)?;
        }
        if let Some(error) = self.damage.as_ref().and_then(CheckDamage::error) {
            writeln!(out, "  try: {}", remedy_of_reading(&error.cause))?;
        }
        if let Some(violations) = &self.survey.violations {
            print_violations(violations, out)?;
        }
        let mut page = Page::new(out);
        for finding in self.findings.iter().flatten() {
            write!(page.out, "  ")?;
            findings::print_line(finding, &mut page)?;
        }
        Ok(())
    }
}

fn print_violations(violations: &Violations, out: &mut Out) -> anyhow::Result<()> {
    for broken in &violations.first {
        writeln!(out, "  rule broken: {}", printable(&broken.sentence))?;
    }
    let more = violations.count - violations.first.len() as u64;
    if more > 0 {
        writeln!(out, "  and {} more", units::count(more))?;
    }
    Ok(())
}
