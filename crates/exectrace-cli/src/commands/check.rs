//! `exectrace check`: whether traces are good, and if not, where and why they are broken.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::args::{Format, FormatArgument};
use crate::failure::{Status, remedy_of_reading};
use crate::output::{Out, json, printable, style, units};
use crate::survey::{Damage, Survey};

/// Check whether traces are good, and say where and why if they are not
///
/// A trace is good if Go's own reader takes it to its end.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The traces: files, or `-` for standard input
    #[arg(value_name = "TRACE", required = true, value_hint = clap::ValueHint::FilePath)]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatArgument,
}

/// What is said of one trace.
#[derive(Debug, Serialize)]
struct Verdict {
    trace: String,
    good: bool,
    #[serde(flatten)]
    survey: Survey,
    damage: Option<Damage>,
}

#[derive(Debug, Serialize)]
struct Verdicts {
    schema: &'static str,
    traces: Vec<Verdict>,
}

impl Check {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let mut verdicts = Vec::new();
        for path in &self.traces {
            let (survey, damage) = Survey::of(path)?;
            let verdict = Verdict {
                trace: survey.label().to_owned(),
                good: damage.is_none(),
                survey,
                damage,
            };
            if self.format.format == Format::Text {
                verdict.print(out)?;
            }
            verdicts.push(verdict);
        }
        let status = match verdicts.iter().all(|verdict| verdict.good) {
            true => Status::Ok,
            false => Status::Failed,
        };
        if self.format.format == Format::Json {
            let verdicts = Verdicts {
                schema: "exectrace.check/1",
                traces: verdicts,
            };
            json::document(&verdicts, out)?;
        }
        Ok(status)
    }
}

impl Verdict {
    fn print(&self, out: &mut Out) -> anyhow::Result<()> {
        let (style, word) = match self.good {
            true => (style::GOOD, "good"),
            false => (style::BAD, "broken"),
        };
        writeln!(out, "{}: {style}{word}{style:#}", printable(&self.trace))?;
        if let Some(damage) = &self.damage {
            writeln!(out, "  {}", damage.place(self.survey.bytes()))?;
            writeln!(out, "  cause: {}", printable(&damage.cause))?;
        }
        if let Some(contents) = self.survey.contents() {
            let what = if self.good { "" } else { "readable: " };
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
        if let Some(error) = self.damage.as_ref().and_then(Damage::error) {
            writeln!(out, "  try: {}", remedy_of_reading(&error.cause))?;
        }
        Ok(())
    }
}
