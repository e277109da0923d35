//! What is asked of a trace by the commands that analyse it, and how the answer is given.

use std::io::Write;

use clap::Args;
use exectrace_analysis::{Analysis, Damage, Filter, FilterError, Options, Overview, Sight};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::{Status, Usage, warn};
use crate::format::{Format, FormatArgument};
use crate::input::{self, TraceArgument};
use crate::nearest;
use crate::origin::Origin;
use crate::output::gaps::{self, Gaps};
use crate::output::{self, Out, json, printable, style, units};
use crate::reading;
use crate::scope::Window;

/// The arguments that all commands share which analyse a trace.
#[derive(Debug, Args)]
pub(crate) struct Question {
    #[command(flatten)]
    pub(crate) trace: TraceArgument,
    #[command(flatten)]
    pub(crate) window: Window,
    /// Only async tasks (goroutines) of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Only what matches, as in: group~conn and (state:waiting dur>5ms or task:42)
    #[arg(long, value_name = "EXPRESSION", long_help = FILTER_HELP)]
    pub(crate) filter: Option<String>,
    /// How many of the longest, slowest, oldest to show of each kind
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) format: FormatArgument,
}

/// The terms of filters.
pub(crate) const FILTER_HELP: &str = "\
Only what matches this expression

  group:\"name\"    async tasks of this name; group~\"part\": with this text in their name
  label:\"name\"    async tasks with this label; label~\"part\"
  task:42         one async task
  state:waiting   spans of time in this state: running, runnable, waiting, syscall
  reason:network  spans of time that began for this reason; reason~chan
  dur>5ms         spans of time longer than this; dur<1s: shorter; dur>=5ms, dur<=1s
  worker:3        spans of time that began on this worker; thread:17: on this thread

A span of time is a task's stay in one state: a poll, a wait, a delay. Join terms with `and` (or with
a space), `or`, `not` and parentheses. Terms about spans of time narrow times and distributions, and
not the number of tasks.";

/// The filter that a text stands for.
///
/// # Errors
///
/// The text is no filter. The error points to the place under the text, and says what would be right there.
pub(crate) fn parse_filter(text: &str) -> anyhow::Result<Filter> {
    text.parse().map_err(|error: FilterError| {
        let text = printable(text);
        let indent = error.column.saturating_sub(1);
        Usage::error(
            format!(
                "this is no filter: {}\n  {text}\n  {:indent$}^ {}",
                printable(&error.found),
                "",
                error.expected
            ),
            "terms such as group~conn state:waiting dur>5ms; `--help` has all",
        )
    })
}

/// A trace that was analysed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) analysis: Analysis,
    pub(crate) origin: Origin,
    format: Format,
}

/// The fields that the JSON answer of a command has of its own.
pub(crate) trait Fields: Serialize + JsonSchema {
    /// Name and version of the document.
    const SCHEMA: &'static str;
}

/// A JSON answer: what all have, and the fields of the command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AnswerDocument<'a, T> {
    /// The name of the document, and its version.
    schema: &'static str,
    /// The trace, as on the command line.
    trace: &'a str,
    /// What the trace is.
    overview: &'a Overview,
    /// Where it cannot be read on, if that is so.
    damage: Option<Damage>,
    #[serde(flatten)]
    fields: T,
}

impl Question {
    /// Reads the trace and computes what `options` ask for, in the window and of the tasks that are
    /// asked for.
    pub(crate) fn ask(&self, options: Options) -> anyhow::Result<Answer> {
        let window = self.window.checked()?;
        let mut filter = match &self.filter {
            Some(text) => parse_filter(text)?,
            None => Filter::default(),
        };
        filter.group.clone_from(&self.group);
        let options = Options {
            top: self.top,
            window: window.of_analysis(),
            filter,
            ..options
        };
        let has_expression = options.filter.expression.is_some();
        let (input, origin) = input::open(&self.trace.path)?;
        let mut reader = reading::begin(input, &origin)?;
        let mut analysis = Analysis::read(&mut reader, &options);
        if let Some(damage) = analysis.damage.take() {
            analysis.damage = Some(reading::damage_of_trace(damage, &origin)?);
        }
        self.window.warn_if_outside(analysis.overview.duration_ns);
        let known = &analysis.names.tasks;
        match &self.group {
            Some(group) if known.binary_search(group).is_err() => {
                let what = "async task or thread of the trace";
                warn(&nearest::message(what, group, known, "tasks"));
            }
            _ if has_expression && !analysis.lets_time_through => {
                warn("--filter lets nothing of this part of the trace through");
            }
            _ => {}
        }
        Ok(Answer {
            analysis,
            origin,
            format: self.format.format,
        })
    }
}

impl Answer {
    /// Gives the answer: a document with `fields` as JSON, or what `text` writes.
    pub(crate) fn give<T: Fields>(
        &self,
        fields: T,
        out: &mut Out,
        text: impl FnOnce(&Analysis, &mut Page<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Status> {
        match self.format {
            Format::Json => {
                let document = AnswerDocument {
                    schema: T::SCHEMA,
                    trace: &self.origin.label,
                    overview: &self.analysis.overview,
                    damage: self.analysis.damage.as_ref().map(Damage::from),
                    fields,
                };
                json::document(&document, out)?;
            }
            Format::Text => {
                let mut page = Page::new(out);
                page.gaps.look(&self.analysis.overview.sight);
                self.print_losses(&mut page)?;
                text(&self.analysis, &mut page)?;
                page.print_gaps(&self.analysis.overview.sight)?;
            }
        }
        self.conclude(out)
    }

    /// Reports lost records, before anything else is shown.
    fn print_losses(&self, page: &mut Page<'_>) -> anyhow::Result<()> {
        let lost = self.analysis.overview.lost.records;
        if lost > 0 {
            let style = style::WARNING;
            let lost = units::count(lost);
            writeln!(
                page.out,
                "{style}{lost} records were dropped while recording{style:#}: counts and times are \
                 too small, and some states are inferred\n"
            )?;
        }
        Ok(())
    }

    /// Ends the command: warns if the trace is damaged, so that the answer is of its first part only.
    pub(crate) fn conclude(&self, out: &mut Out) -> anyhow::Result<Status> {
        let Some(damage) = &self.analysis.damage else {
            return Ok(Status::Ok);
        };
        // The answer first: standard error is not buffered.
        out.flush()?;
        warn(&reading::part(damage, &self.origin));
        Ok(Status::Failed)
    }

    /// How the trace is called.
    pub(crate) fn label(&self) -> String {
        printable(&self.origin.label).into_owned()
    }
}

/// A text answer that is being written: sections with a heading each.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) out: &'a mut Out,
    /// The columns that lines may have.
    pub(crate) width: Option<usize>,
    /// What could not be shown so far.
    pub(crate) gaps: Gaps,
    has_section: bool,
}

impl<'a> Page<'a> {
    pub(crate) fn new(out: &'a mut Out) -> Self {
        Self {
            out,
            width: output::width(),
            gaps: Gaps::default(),
            has_section: false,
        }
    }

    /// Begins a section; `aside` says more about it in a few words.
    pub(crate) fn heading(&mut self, title: &str, aside: &str) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.has_section, true) {
            writeln!(self.out)?;
        }
        let (heading, dim) = (style::HEADING, style::ASIDE);
        write!(self.out, "{heading}{title}{heading:#}")?;
        if !aside.is_empty() {
            write!(self.out, "  {dim}{aside}{dim:#}")?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// Explains each `-` in the tables: why the trace does not have the number, and what to switch on.
    fn print_gaps(&mut self, sight: &Sight) -> anyhow::Result<()> {
        let whys: Vec<(&str, &str)> = self
            .gaps
            .aspects()
            .filter_map(|aspect| Some((gaps::sign(aspect), sight.why(aspect)?)))
            .collect();
        let (dim, mut before) = (style::ASIDE, "\n");
        for (sign, why) in whys {
            writeln!(self.out, "{before}{dim}{sign}: {}{dim:#}", printable(why))?;
            before = "";
        }
        Ok(())
    }

    /// Says that the trace has none of what was asked for, and what it would take.
    pub(crate) fn nothing(&mut self, what: &str, it_takes: &str) -> anyhow::Result<()> {
        writeln!(
            self.out,
            "no {what} in this part of the trace; it takes {it_takes}"
        )?;
        Ok(())
    }

    /// Writes a table below the heading, and below it how many rows it does not show.
    pub(crate) fn table(
        &mut self,
        table: &output::table::Table,
        left_out: usize,
    ) -> anyhow::Result<()> {
        table.print(self.out, 2, self.width)?;
        if left_out > 0 {
            let (dim, left_out) = (style::ASIDE, units::count(left_out as u64));
            writeln!(self.out, "  {dim}and {left_out} more; see --top{dim:#}")?;
        }
        Ok(())
    }
}
