//! An event as a line of text, whichever way it was read.

use std::fmt::{self, Display, Formatter, Write as _};
use std::io::Read;

use crate::ids::{GoId, ProcId, TaskId, ThreadId};
use crate::side::SideRecord;

use super::Reader;
use super::event::{CompactEvent, StackFrame, TraceEvent};
use super::kind::{ById, EventForm, Owned, TraceEventKind};
use super::state::{GoState, ProcState, RangeScope, StateChange};
use super::tables::Tables;
use super::time::TraceTime;

impl<R: Read> Reader<R> {
    /// The event, the last that this reader yielded, as a line of text: that of the `Display` of the same
    /// [`TraceEvent`].
    pub fn display<'a>(&'a self, event: &'a CompactEvent) -> impl Display + 'a {
        EventLine {
            time: event.time,
            thread: event.thread,
            proc: event.proc,
            go: event.go,
            stack: &event.stack,
            kind: &event.kind,
            names: (self.tables(), self.side_record()),
        }
    }
}

impl Display for TraceEvent {
    /// One line, without the end of a line: the time in seconds, the thread, proc and goroutine, what happened,
    /// and where. Control characters in texts are escaped. The text may become better; to take an event apart
    /// use its fields.
    ///
    /// ```
    /// use exectrace_format::{Reader, text};
    ///
    /// let trace = text::parse("go 1.22\ngeneration 1\n\
    ///     batch m=0 time=0 frequency\n  frequency 1000000000\n\
    ///     batch m=7 time=1500 events\n  +0 ProcStatus proc=1 status=Running\n")?;
    /// let events: Vec<_> = Reader::new(trace.as_slice())?.collect::<Result<_, _>>()?;
    /// let line = events[1].to_string();
    /// assert_eq!(line, "   0.000001501  m7       -    -       proc p1 is running");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let line = EventLine {
            time: self.time,
            thread: self.thread.unwrap_or(ThreadId::NONE),
            proc: self.proc.unwrap_or(ProcId::NONE),
            go: self.go.unwrap_or(GoId::NONE),
            stack: &self.stack,
            kind: &self.kind,
            names: (),
        };
        line.fmt(f)
    }
}

/// How to get at texts, frames and side records.
trait Lookup<F: EventForm> {
    fn text<'a>(&'a self, text: &'a F::Text) -> &'a str;
    /// The function, file and line of the leaf of a stack.
    fn leaf<'a>(&'a self, stack: &'a F::Stack) -> Option<(&'a str, &'a str, u64)>;
    /// The function of the root of a stack.
    fn root<'a>(&'a self, stack: &'a F::Stack) -> Option<&'a str>;
    fn record<'a>(&'a self, record: &'a F::Record) -> Option<&'a SideRecord>;
}

impl Lookup<Owned> for () {
    fn text<'a>(&'a self, text: &'a <Owned as EventForm>::Text) -> &'a str {
        text
    }

    fn leaf<'a>(
        &'a self,
        stack: &'a <Owned as EventForm>::Stack,
    ) -> Option<(&'a str, &'a str, u64)> {
        let StackFrame {
            function,
            file,
            line,
            ..
        } = stack.as_deref()?.first()?;
        Some((function, file, *line))
    }

    fn root<'a>(&'a self, stack: &'a <Owned as EventForm>::Stack) -> Option<&'a str> {
        Some(&stack.as_deref()?.last()?.function)
    }

    fn record<'a>(&'a self, record: &'a SideRecord) -> Option<&'a SideRecord> {
        Some(record)
    }
}

impl Lookup<ById> for (&Tables, Option<&SideRecord>) {
    fn text<'a>(&'a self, text: &'a <ById as EventForm>::Text) -> &'a str {
        self.0.text(*text)
    }

    fn leaf<'a>(
        &'a self,
        stack: &'a <ById as EventForm>::Stack,
    ) -> Option<(&'a str, &'a str, u64)> {
        let leaf = self.0.frames(*stack).next()?;
        Some((leaf.function, leaf.file, leaf.line))
    }

    fn root<'a>(&'a self, stack: &'a <ById as EventForm>::Stack) -> Option<&'a str> {
        Some(self.0.frames(*stack).next_back()?.function)
    }

    fn record<'a>(&'a self, (): &'a ()) -> Option<&'a SideRecord> {
        self.1
    }
}

/// What a line is made of.
struct EventLine<'a, F: EventForm, T> {
    time: TraceTime,
    thread: ThreadId,
    proc: ProcId,
    go: GoId,
    stack: &'a F::Stack,
    kind: &'a TraceEventKind<F>,
    names: T,
}

impl<F: EventForm, T: Lookup<F>> Display for EventLine<'_, F, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (sign, ns) = (
            if self.time.0 < 0 { "-" } else { "" },
            self.time.0.unsigned_abs(),
        );
        let seconds = format!("{sign}{}", ns / 1_000_000_000);
        write!(f, "{seconds:>4}.{:09}  ", ns % 1_000_000_000)?;
        let ids = [
            ("m", self.thread.0, 8),
            ("p", self.proc.0, 4),
            ("g", self.go.0, 6),
        ];
        for (letter, id, width) in ids {
            let id = match id {
                u64::MAX => "-".to_owned(),
                id => format!("{letter}{id}"),
            };
            write!(f, "{id:<width$} ")?;
        }
        f.write_char(' ')?;
        self.kind(f)?;
        if let Some((function, file, line)) = self.names.leaf(self.stack) {
            write!(f, "  at {} ({}:{line})", Escaped(function), Escaped(file))?;
        }
        Ok(())
    }
}

impl<F: EventForm, T: Lookup<F>> EventLine<'_, F, T> {
    fn kind(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use TraceEventKind as K;
        let text = |text| Escaped(self.names.text(text));
        match self.kind {
            K::Sync { number, .. } => write!(f, "sync {number}"),
            K::Metric { metric, value } => write!(f, "metric {metric} {value}"),
            K::Label { go, label } => write!(f, "label {go} {}", text(label)),
            K::StackSample => f.write_str("sample"),
            K::RangeBegin { range, scope } => {
                let range = range.as_ref().map(text);
                write!(f, "range begin {range}{}", In(scope))
            }
            K::RangeActive { range, scope } => {
                let range = range.as_ref().map(text);
                write!(f, "range active {range}{}", In(scope))
            }
            K::RangeEnd { range, scope, .. } => {
                let range = range.as_ref().map(text);
                write!(f, "range end {range}{}", In(scope))
            }
            K::TaskBegin { task, parent, name } => {
                write!(f, "user task begin {task} {}{}", text(name), Of(*parent))
            }
            K::TaskEnd { task, parent, name } => {
                write!(f, "user task end {task} {}{}", text(name), Of(*parent))
            }
            K::RegionBegin { task, name } => {
                write!(f, "region begin {}{}", text(name), Of(*task))
            }
            K::RegionEnd { task, name } => write!(f, "region end {}{}", text(name), Of(*task)),
            K::Log {
                task,
                category,
                message,
            } => write!(f, "log{} [{}] {}", Of(*task), text(category), text(message)),
            K::StateTransition {
                change,
                is_status,
                reason,
                stack,
            } => {
                put_change(f, *change, *is_status)?;
                let reason = text(reason);
                if !reason.0.is_empty() {
                    write!(f, " ({reason})")?;
                }
                match self.names.root(stack) {
                    Some(name) => write!(f, " {}", Escaped(name)),
                    None => Ok(()),
                }
            }
            K::Experimental { kind, arguments } => {
                write!(f, "experimental {}", kind.name())?;
                let arguments = kind.arguments().iter().zip(arguments);
                for (argument, value) in arguments {
                    write!(f, " {}={value}", argument.name)?;
                }
                Ok(())
            }
            K::SideData(record) => match self.names.record(record) {
                Some(record) => write!(f, "side data {}", Escaped(&format!("{record:?}"))),
                None => f.write_str("side data"),
            },
            K::UnreadableSideData(error) => write!(f, "unreadable side data: {error}"),
        }
    }
}

fn put_change(f: &mut Formatter<'_>, change: StateChange, is_status: bool) -> fmt::Result {
    let (from, to) = match change {
        StateChange::Go { go, from, to } => {
            write!(f, "goroutine {go} ")?;
            (go_state(from), go_state(to))
        }
        StateChange::Proc { proc, from, to } => {
            write!(f, "proc {proc} ")?;
            (proc_state(from), proc_state(to))
        }
    };
    match is_status {
        true => write!(f, "is {to}"),
        false => write!(f, "{from} > {to}"),
    }
}

fn go_state(state: GoState) -> &'static str {
    match state {
        GoState::Undetermined => "undetermined",
        GoState::NotExist => "none",
        GoState::Runnable => "runnable",
        GoState::Running => "running",
        GoState::Waiting => "waiting",
        GoState::Syscall => "syscall",
    }
}

fn proc_state(state: ProcState) -> &'static str {
    match state {
        ProcState::Undetermined => "undetermined",
        ProcState::NotExist => "none",
        ProcState::Running => "running",
        ProcState::Idle => "idle",
    }
}

/// What a range concerns, after its name.
struct In<'a>(&'a RangeScope);

impl Display for In<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            RangeScope::Global => Ok(()),
            RangeScope::Proc(proc) => write!(f, " of {proc}"),
            RangeScope::Go(go) => write!(f, " of {go}"),
        }
    }
}

/// The user task that something belongs to, if there is one.
struct Of(TaskId);

impl Display for Of {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            TaskId::NONE | TaskId::BACKGROUND => Ok(()),
            task => write!(f, " in {task}"),
        }
    }
}

/// A text of a trace as a terminal may be given it: what could do something to a terminal, or change the order
/// in which a line is shown, is escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", character.escape_default())?;
                }
                _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}
