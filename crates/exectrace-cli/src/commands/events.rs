//! `exectrace events`: the events one by one, in their true order.

use std::io::Write;

use clap::{Args, ValueEnum};
use exectrace_format::{CompactEvent, CompactKind, GoId, GoState, StateChange, Tables, TaskId};
use exectrace_replay::{EventFilter, Input};
use rustc_hash::FxHashMap;

use crate::failure::Status;
use crate::format::{Format, FormatArgument};
use crate::input::{self, TraceArgument};
use crate::output::{Out, json};
use crate::question::{FILTER_HELP, parse_filter};
use crate::reading;
use crate::scope::Window;
use crate::shown_event::{ShownEvent, What, show};

/// Print the events of a trace in the order in which they happened
///
/// Each line has the time since the trace's beginning in seconds; the thread (m), worker (p) and goroutine
/// (g: an async task, or a thread's own code) on which the event happened; what happened; and where in the
/// program. With --format json each line is an object.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(flatten)]
    trace: TraceArgument,
    #[command(flatten)]
    window: Window,
    /// Only events of this kind; may be given several times
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,
    /// Only events on or of this goroutine: an async task, or a thread's own code
    #[arg(long, value_name = "NUMBER")]
    flow: Option<u64>,
    /// Only events of this user task
    #[arg(long, value_name = "NUMBER")]
    user_task: Option<u64>,
    /// Only events on this thread
    #[arg(long, value_name = "NUMBER")]
    thread: Option<u64>,
    /// Only events with this text in their line
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only events that match, as in: group~conn dur>5ms
    #[arg(long, value_name = "EXPRESSION", long_help = format!("{FILTER_HELP}\n\n{OF_EVENTS}"))]
    filter: Option<String>,
    /// Stop after this many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Print the stacks below each line, leaf first
    #[arg(long)]
    stacks: bool,
    #[command(flatten)]
    format: FormatArgument,
}

/// What the terms of filters mean for events.
const OF_EVENTS: &str = "\
A change of state matches by the goroutine that changes and by the span of time that ends with the \
change, so state:waiting dur>5ms prints the ends of such waits. Any other event matches by the \
goroutine on which it happens and by that goroutine's span of time so far. Events of no goroutine are \
left out.";

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A generation of the file begins, or the trace ends
    Sync,
    /// A quantity has a new value
    Metric,
    /// A goroutine has a new label
    Label,
    /// A CPU sample
    Sample,
    /// Garbage collection, its parts, the world stopped
    Range,
    /// A user task begins or ends
    UserTask,
    /// A region begins or ends
    Region,
    /// A message
    Log,
    /// A goroutine (an async task, or a thread's own code) changes its state
    Flow,
    /// A worker changes its state
    Lane,
    /// An event of Go's allocation experiment
    Experimental,
    /// Side data: what exectrace records beside the events
    Side,
}

impl Kind {
    fn of(event: &CompactEvent) -> Self {
        use CompactKind as K;
        match event.kind {
            K::Sync { .. } => Self::Sync,
            K::Metric { .. } => Self::Metric,
            K::Label { .. } => Self::Label,
            K::StackSample => Self::Sample,
            K::RangeBegin { .. } | K::RangeActive { .. } | K::RangeEnd { .. } => Self::Range,
            K::TaskBegin { .. } | K::TaskEnd { .. } => Self::UserTask,
            K::RegionBegin { .. } | K::RegionEnd { .. } => Self::Region,
            K::Log { .. } => Self::Log,
            K::StateTransition { change, .. } => match change {
                StateChange::Go { .. } => Self::Flow,
                StateChange::Proc { .. } => Self::Lane,
            },
            K::Experimental { .. } => Self::Experimental,
            _ => Self::Side,
        }
    }
}

impl Events {
    pub(super) fn run(self, out: &mut Out) -> anyhow::Result<Status> {
        let window = self.window.checked()?;
        let (input, origin) = input::open(&self.trace.path)?;
        let mut reader = reading::begin(input, &origin)?;
        let mut begin_ns = None;
        let mut names = Names::default();
        let mut filter = match &self.filter {
            Some(text) => Some(EventFilter::new(&parse_filter(text)?)),
            None => None,
        };
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut event = CompactEvent::default();
        while left > 0 {
            match reader.next_into(&mut event) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return reading::damaged(error, &origin, out),
            }
            let begin_ns = *begin_ns.get_or_insert(event.time.0);
            let since_ns = event.time.0.saturating_sub(begin_ns).max(0) as u64;
            if since_ns >= window.end_ns() {
                break;
            }
            names.learn(&event, reader.tables());
            // It has to see all events.
            let is_let_through = filter
                .as_mut()
                .is_none_or(|filter| filter.lets_through(&Input::of(&reader, &event)));
            if is_let_through && since_ns >= window.begin_ns() && self.wants(&event) {
                let mut shown = show(&event, &reader, begin_ns);
                if let What::Flow { of_flow, name, .. } = &mut shown.what {
                    *name = name.or_else(|| names.of(*of_flow));
                }
                left -= u64::from(self.print(&shown, out)?);
            }
            names.forget(&event);
        }
        Ok(Status::Ok)
    }

    /// Whether the options ask for the event, by its numbers; the text is compared later.
    fn wants(&self, event: &CompactEvent) -> bool {
        (self.kind.is_empty() || self.kind.contains(&Kind::of(event)))
            && self
                .flow
                .is_none_or(|flow| concerns_flow(event, GoId(flow)))
            && self
                .user_task
                .is_none_or(|task| user_task(event) == Some(TaskId(task)))
            && self.thread.is_none_or(|thread| event.thread.0 == thread)
    }

    /// Prints the event if it has the text that is asked for, and says whether it did.
    fn print(&self, shown: &ShownEvent<'_>, out: &mut Out) -> anyhow::Result<bool> {
        let line = match (self.format.format, &self.grep) {
            (Format::Json, None) => String::new(),
            _ => shown.to_string(),
        };
        if self.grep.as_ref().is_some_and(|text| !line.contains(text)) {
            return Ok(false);
        }
        match self.format.format {
            Format::Json => json::line(shown, out)?,
            Format::Text => {
                writeln!(out, "{line}")?;
                if self.stacks {
                    print_stacks(shown, out)?;
                }
            }
        }
        Ok(true)
    }
}

fn print_stacks(event: &ShownEvent<'_>, out: &mut Out) -> anyhow::Result<()> {
    for frame in &event.stack {
        writeln!(out, "{:>20}{frame}", "")?;
    }
    if let What::Flow { flow_stack, .. } = &event.what {
        for frame in flow_stack {
            writeln!(out, "{:>16}of  {frame}", "")?;
        }
    }
    Ok(())
}

fn concerns_flow(event: &CompactEvent, flow: GoId) -> bool {
    let of_change = match event.kind {
        CompactKind::StateTransition {
            change: StateChange::Go { go, .. },
            ..
        } => Some(go),
        CompactKind::Label { go, .. } => Some(go),
        _ => None,
    };
    event.go == flow || of_change == Some(flow)
}

fn user_task(event: &CompactEvent) -> Option<TaskId> {
    match event.kind {
        CompactKind::TaskBegin { task, .. }
        | CompactKind::TaskEnd { task, .. }
        | CompactKind::RegionBegin { task, .. }
        | CompactKind::RegionEnd { task, .. }
        | CompactKind::Log { task, .. } => Some(task),
        _ => None,
    }
}

/// The names of live flows. Only the first event of a flow has its name.
#[derive(Debug, Default)]
struct Names(FxHashMap<u64, Box<str>>);

impl Names {
    /// Keeps the name that the event has, if it is the first of its flow.
    fn learn(&mut self, event: &CompactEvent, tables: &Tables) {
        if let CompactKind::StateTransition {
            change: StateChange::Go { go, .. },
            stack,
            ..
        } = event.kind
            && let Some(root) = tables.frames(stack).next_back()
        {
            self.0.entry(go.0).or_insert_with(|| root.function.into());
        }
    }

    fn of(&self, flow: u64) -> Option<&str> {
        self.0.get(&flow).map(|name| &**name)
    }

    fn forget(&mut self, event: &CompactEvent) {
        if let CompactKind::StateTransition {
            change:
                StateChange::Go {
                    go,
                    to: GoState::NotExist,
                    ..
                },
            ..
        } = event.kind
        {
            self.0.remove(&go.0);
        }
    }
}
