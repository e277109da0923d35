//! `exectrace profile`: time by stack.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use exectrace_analysis::{Options, Profile, ProfileKind, ProfileScope, Vocabulary};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::{Status, Usage, warn};
use crate::format::{Format, FormatArgument};
use crate::input::TraceArgument;
use crate::nearest;
use crate::output::file::OutputFile;
use crate::output::{Out, names, printable, style, units};
use crate::question::{FILTER_HELP, Fields, Page, Question};
use crate::scope::Window;

/// Show where in the program time went, by stack
///
/// The kinds network, sync, syscall and scheduler are the profiles of `go tool trace -pprof`. As there, a state
/// counts only if the trace has both its begin and its end, and if the goroutine has run before. The other kinds
/// count all time in a state, also if it began before the trace or is still open at its end. `export folded` and `export speedscope` are the
/// same profiles.
#[derive(Debug, Args)]
pub(crate) struct ProfileCommand {
    #[command(flatten)]
    trace: TraceArgument,
    /// What to count
    #[arg(long, short, value_name = "KIND", default_value = "wait")]
    kind: Kind,
    #[command(flatten)]
    window: Window,
    /// Only async tasks (goroutines) of this name
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Only what matches, as in: group~conn and (state:waiting dur>5ms or task:42)
    #[arg(long, value_name = "EXPRESSION", long_help = FILTER_HELP)]
    filter: Option<String>,
    /// Only while working for user tasks of this name
    #[arg(long, value_name = "NAME")]
    user_task: Option<String>,
    /// Only in regions of this name
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// How many stacks to show
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    top: usize,
    /// How to answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ProfileFormat,
    /// The file to write a pprof profile or folded stacks to; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// What a profile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Waiting, for whatever reason
    Wait,
    /// Waiting, by reason: the reason is the leaf of each stack
    WaitByReason,
    /// Waiting for the network, as was seen on the stack; wait-by-reason has what the driver woke otherwise
    Network,
    /// Waiting for channels, locks and the like
    Sync,
    /// In system calls
    Syscall,
    /// Ready to run, waiting for a worker; the stack is that of the waker
    Scheduler,
    /// Running; the stack is where the run ended
    Run,
    /// Running; the stack is where the async task was spawned, and its name is the leaf
    RunBySpawn,
    /// CPU samples
    Cpu,
    /// Memory that is alive at the end of the trace, or of --to
    Heap,
    /// Memory that was allocated, freed since or not
    Allocated,
}

impl Kind {
    fn of_analysis(self) -> ProfileKind {
        match self {
            Self::Wait => ProfileKind::Wait,
            Self::WaitByReason => ProfileKind::WaitByReason,
            Self::RunBySpawn => ProfileKind::RunBySpawn,
            Self::Network => ProfileKind::Network,
            Self::Sync => ProfileKind::Sync,
            Self::Syscall => ProfileKind::Syscall,
            Self::Scheduler => ProfileKind::Scheduler,
            Self::Run => ProfileKind::Run,
            Self::Cpu => ProfileKind::Cpu,
            Self::Heap => ProfileKind::Heap,
            Self::Allocated => ProfileKind::Allocated,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProfileFormat {
    /// The stacks with the most time, for people
    Text,
    /// All stacks, for programs
    Json,
    /// For `go tool pprof` and whatever else reads pprof; needs -o
    Pprof,
    /// A line for each stack, for flame graphs
    Folded,
}

/// What `exectrace profile` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProfileFields<'a> {
    /// The profile.
    profile: Option<&'a Profile>,
}

impl Fields for ProfileFields<'_> {
    const SCHEMA: &'static str = "exectrace.profile/1";
}

impl ProfileCommand {
    /// Samples of allocations are known by their stacks and user tasks.
    fn refuse_what_the_heap_does_not_know(&self) -> anyhow::Result<()> {
        let limit = match (&self.region, &self.filter) {
            _ if !self.kind.of_analysis().is_of_heap() => return Ok(()),
            (Some(_), _) => "--region",
            (None, Some(_)) => "--filter",
            (None, None) => return Ok(()),
        };
        Err(Usage::error(
            format!("a profile of the heap cannot be limited by {limit}"),
            "--group, --user-task, --from and --to limit it",
        ))
    }

    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        if self.format == ProfileFormat::Pprof && self.output.is_none() {
            return Err(Usage::error(
                "a pprof profile is no text",
                "-o FILE, then `go tool pprof -http=: FILE`",
            ));
        }
        let is_file = matches!(self.format, ProfileFormat::Pprof | ProfileFormat::Folded);
        if self.output.is_some() && !is_file {
            return Err(Usage::error(
                "-o is for pprof and folded stacks",
                "--format pprof, or `>` for text and JSON",
            ));
        }
        self.refuse_what_the_heap_does_not_know()?;
        let scope = ProfileScope {
            group: self.group.clone(),
            user_task: self.user_task.clone(),
            region: self.region.clone(),
        };
        let question = Question {
            trace: self.trace,
            window: self.window,
            group: None,
            filter: self.filter,
            top: self.top,
            format: FormatArgument {
                format: match self.format {
                    ProfileFormat::Json => Format::Json,
                    _ => Format::Text,
                },
            },
        };
        let answer = question.ask(Options {
            profiles: vec![self.kind.of_analysis()],
            profile_scope: scope.clone(),
            ..Options::default()
        })?;
        warn_of_names(&answer.analysis.names, &scope);
        warn_of_concurrent_spans(&answer.analysis.names, &scope);
        let fields = ProfileFields {
            profile: answer.analysis.profiles.first(),
        };
        let (format, output, top) = (self.format, self.output, self.top);
        if !is_file {
            return answer.give(fields, out, |analysis, page| {
                match analysis.profiles.first() {
                    Some(profile) => print(profile, top, page),
                    None => Ok(()),
                }
            });
        }
        let Some(profile) = fields.profile else {
            return Ok(Status::Ok);
        };
        let bytes = match format {
            ProfileFormat::Pprof => profile.to_pprof(),
            _ => {
                let mut lines = Vec::new();
                exectrace_export::folded(profile, &mut lines)?;
                lines
            }
        };
        match output {
            Some(path) => {
                let mut file = OutputFile::create(&path, &answer.origin)?;
                let written = file.write_all(&bytes);
                written.map_err(|error| file.cannot_write(error))?;
                file.finish()?;
            }
            None => out.write_all(&bytes)?,
        }
        answer.conclude(out)
    }
}

/// Warns of names that limit the profile and are not in the trace.
fn warn_of_names(known: &Vocabulary, scope: &ProfileScope) {
    let limits = [
        (&scope.group, &known.tasks, "async task or thread", "tasks"),
        (&scope.region, &known.regions, "span or region", "regions"),
        (
            &scope.user_task,
            &known.user_tasks,
            "user task",
            "usertasks",
        ),
    ];
    for (name, known, what, lister) in limits {
        if let Some(name) = name
            && known.binary_search(name).is_err()
        {
            warn(&nearest::message(
                &format!("{what} of the trace"),
                name,
                known,
                lister,
            ));
        }
    }
}

/// Warns if some of the spans that limit the profile were concurrent, and so are not in it.
fn warn_of_concurrent_spans(known: &Vocabulary, scope: &ProfileScope) {
    if let Some(region) = &scope.region
        && known.concurrent_spans.binary_search(region).is_ok()
    {
        let region = printable(region);
        warn(&format!(
            "some spans `{region}` were concurrent with others of their async task; what is waited for in \
             those is not in this profile, as it is known of the task and not of the span"
        ));
    }
}

fn print(profile: &Profile, top: usize, page: &mut Page<'_>) -> anyhow::Result<()> {
    let kind = profile.kind;
    // As the sums of the samples themselves, it ends at the greatest number.
    let weights = profile.samples.iter().map(|sample| profile.weight(sample));
    let whole = weights.fold(0, u64::saturating_add);
    let count: u64 = profile.samples.iter().map(|sample| sample.count).sum();
    if profile.samples.is_empty() {
        let it_takes = match kind {
            ProfileKind::Network => {
                "async tasks whose stacks say that they wait for it; `--kind wait-by-reason` has what the driver \
                 woke for another or an unknown reason"
            }
            ProfileKind::Heap | ProfileKind::Allocated => {
                "a program with `exectrace::Allocator` as its global allocator, which samples allocations"
            }
            _ => "async tasks that spend any, with a tracer that sees it",
        };
        let what = match kind.is_of_heap() {
            true => "sample of an allocation",
            false => "such time",
        };
        return page.nothing(what, it_takes);
    }
    let total = match kind {
        ProfileKind::Cpu => format!("{} samples", units::count(count)),
        ProfileKind::Heap => format!(
            "some {} alive, estimated from {} samples",
            units::bytes(whole),
            units::count(count)
        ),
        ProfileKind::Allocated => format!(
            "some {} allocated, estimated from {} samples",
            units::bytes(whole),
            units::count(count)
        ),
        _ => format!(
            "{} in {} times",
            units::duration(whole),
            units::count(count)
        ),
    };
    let stacks = profile.samples.len();
    page.heading(
        &total,
        &format!("{stacks} stacks, the most first; leaf above root"),
    )?;
    for sample in profile.samples.iter().take(top) {
        let share = units::percent(profile.weight(sample), whole);
        let time = match kind {
            ProfileKind::Cpu => String::new(),
            ProfileKind::Heap | ProfileKind::Allocated => units::bytes(profile.weight(sample)),
            _ => units::duration(sample.duration_ns),
        };
        let times = format!("{}×", units::count(sample.count));
        write!(page.out, "{share:>6} {time:>7} {times:>9}  ")?;
        match sample.stack.split_first() {
            None => writeln!(page.out, "(no stack)")?,
            Some((leaf, callers)) => {
                let style = style::NAME;
                writeln!(
                    page.out,
                    "{style}{}{style:#}",
                    printable(&names::frame(leaf))
                )?;
                for caller in callers {
                    writeln!(page.out, "{:26}{}", "", printable(&names::frame(caller)))?;
                }
            }
        }
    }
    let left_out = stacks.saturating_sub(top);
    if left_out > 0 {
        let dim = style::ASIDE;
        writeln!(
            page.out,
            "{dim}and {left_out} more stacks; see --top{dim:#}"
        )?;
    }
    Ok(())
}
