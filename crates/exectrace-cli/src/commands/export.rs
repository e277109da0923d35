//! `exectrace export`: a trace in the formats of other tools.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use exectrace_analysis::{Analysis, Profile, ProfileKind};
use exectrace_export::{ExportError, Exported, Options};
use exectrace_format::{ReadError, Reader};

use crate::failure::{Status, warn};
use crate::input::{self, TraceArgument};
use crate::origin::Origin;
use crate::output::file::OutputFile;
use crate::output::growth::Growing;
use crate::output::{Out, units};
use crate::reading;

/// Write a trace in the format of another tool
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The format
    #[arg(value_name = "FORMAT")]
    format: ExportFormat,
    #[command(flatten)]
    trace: TraceArgument,
    /// The file to write; `-` is standard output
    #[cfg_attr(feature = "parquet", doc = "(for parquet the folder, always)")]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    output: PathBuf,
    /// Leave out these rows (perfetto, chrome, firefox); may be given several times
    #[arg(long, value_name = "ROWS")]
    without: Vec<Rows>,
    /// What the stacks of a flame graph weigh (folded, speedscope)
    #[arg(long, value_name = "WEIGHT", default_value = "wait")]
    weight: Weight,
    #[cfg(feature = "parquet")]
    #[command(flatten)]
    parquet: ParquetArguments,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// ui.perfetto.dev and its trace processor
    Perfetto,
    /// Chrome's trace event JSON, for older viewers
    Chrome,
    /// profiler.firefox.com
    Firefox,
    /// Folded stacks, for flame graphs
    Folded,
    /// speedscope.app
    Speedscope,
    /// Tables for DuckDB, Spark and the like
    #[cfg(feature = "parquet")]
    Parquet,
}

/// What the stacks of a flame graph weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Weight {
    /// Time in which async tasks ran, by where they were spawned and by name
    Run,
    /// Time in which they waited, by where and for what
    Wait,
    /// Time in which they were ready to run, by who woke them
    Sched,
    /// Time in system calls, by where
    Syscall,
    /// CPU samples
    Samples,
}

impl Weight {
    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Wait => "wait",
            Self::Sched => "sched",
            Self::Syscall => "syscall",
            Self::Samples => "samples",
        }
    }

    /// The profile that has it.
    fn profile(self) -> ProfileKind {
        match self {
            Self::Run => ProfileKind::RunBySpawn,
            Self::Wait => ProfileKind::WaitByReason,
            Self::Sched => ProfileKind::Scheduler,
            Self::Syscall => ProfileKind::Syscall,
            Self::Samples => ProfileKind::Cpu,
        }
    }
}

/// Rows of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rows {
    Workers,
    Threads,
    Tasks,
    UserTasks,
}

/// What the rows of Parquet tables are marked with.
#[cfg(feature = "parquet")]
#[derive(Debug, Args)]
struct ParquetArguments {
    /// The id of this trace in the data set (parquet); by default the name of the file
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// A folder between table and file, such as host=web1 (parquet); may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = partition)]
    partition: Vec<(String, String)>,
}

#[cfg(feature = "parquet")]
fn partition(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What was written of how much of the trace.
struct Written {
    events: u64,
    items: u64,
    left_out: u64,
    damage: Option<ReadError>,
}

impl From<Exported> for Written {
    fn from(exported: Exported) -> Self {
        Self {
            events: exported.events,
            items: exported.items,
            left_out: exported.left_out,
            damage: exported.damage,
        }
    }
}

impl Export {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let (input, origin) = input::open(&self.trace.path)?;
        let position = input.position();
        let reader = reading::begin(input, &origin)?;
        #[cfg(feature = "parquet")]
        if self.format == ExportFormat::Parquet {
            let exported = self.write_parquet(reader, &origin.label)?;
            return report(
                exported.into(),
                &self.output.display().to_string(),
                &origin,
                out,
            );
        }
        let mut file = OutputFile::create(&self.output, &origin)?;
        let written = self
            .write(reader, Growing::new(&mut file, position), &origin.label)
            .context("cannot export")?;
        match file.finish()? {
            Some(name) => report(written, &name, &origin, out),
            None => conclude(written, &origin, out),
        }
    }

    fn options(&self, label: &str) -> Options {
        let has = |rows| !self.without.contains(&rows);
        let name = Path::new(label).file_stem();
        Options {
            process_name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            workers: has(Rows::Workers),
            threads: has(Rows::Threads),
            tasks: has(Rows::Tasks),
            user_tasks: has(Rows::UserTasks),
            ..Options::default()
        }
    }

    fn write<R: Read, W: Write>(
        &self,
        mut reader: Reader<R>,
        out: W,
        label: &str,
    ) -> Result<Written, ExportError> {
        let options = self.options(label);
        let exported = match self.format {
            ExportFormat::Perfetto => exectrace_export::perfetto(reader, out, &options)?,
            ExportFormat::Chrome => exectrace_export::chrome(reader, out, &options)?,
            ExportFormat::Firefox => exectrace_export::firefox(reader, out, &options)?,
            ExportFormat::Folded => {
                return self.flame_graph(&mut reader, |profile| {
                    exectrace_export::folded(profile, out)
                });
            }
            ExportFormat::Speedscope => {
                return self.flame_graph(&mut reader, |profile| {
                    exectrace_export::speedscope(profile, self.weight.name(), out)
                });
            }
            // It writes no single file, and does not come here.
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => Exported::default(),
        };
        Ok(exported.into())
    }

    fn flame_graph<R: Read>(
        &self,
        reader: &mut Reader<R>,
        write: impl FnOnce(&Profile) -> Result<u64, ExportError>,
    ) -> Result<Written, ExportError> {
        let options = exectrace_analysis::Options {
            profiles: vec![self.weight.profile()],
            ..exectrace_analysis::Options::default()
        };
        let analysis = Analysis::read(reader, &options);
        let items = analysis.profiles.first().map(write).transpose()?;
        Ok(Written {
            events: analysis.overview.events.total,
            items: items.unwrap_or(0),
            left_out: 0,
            damage: analysis.damage,
        })
    }

    #[cfg(feature = "parquet")]
    fn write_parquet<R: Read>(&self, reader: Reader<R>, label: &str) -> anyhow::Result<Exported> {
        let name = Path::new(label).file_stem();
        let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let options = exectrace_export::ParquetOptions {
            trace_id: self.parquet.trace_id.clone().unwrap_or(name),
            partitions: self.parquet.partition.clone(),
        };
        exectrace_export::parquet(reader, &self.output, &options)
            .map_err(|error| anyhow::Error::new(error).context("cannot export"))
    }
}

/// Says what was written, and what is missing.
fn report(written: Written, name: &str, origin: &Origin, out: &mut Out) -> anyhow::Result<Status> {
    let (events, items) = (units::count(written.events), units::count(written.items));
    writeln!(out, "{events} events, {items} items in {name}")?;
    conclude(written, origin, out)
}

/// Says what is missing.
fn conclude(written: Written, origin: &Origin, out: &mut Out) -> anyhow::Result<Status> {
    if written.left_out > 0 {
        out.flush()?;
        let left_out = units::count(written.left_out);
        warn(&format!(
            "{left_out} items were left out; --without leaves room for others"
        ));
    }
    match written.damage {
        Some(damage) => reading::damaged(damage, origin, out),
        None => Ok(Status::Ok),
    }
}
