//! An event as a line of text.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::ids::TaskId;

use super::event::TraceEvent;
use super::kind::TraceEventKind;
use super::state::{RangeScope, StateChange};

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
        let ns = self.time.0.unsigned_abs();
        let sign = if self.time.0 < 0 { "-" } else { "" };
        let seconds = format!("{sign}{}", ns / 1_000_000_000);
        write!(f, "{seconds:>4}.{:09}  ", ns % 1_000_000_000)?;
        let ids = [
            (self.thread.map(|id| id.to_string()), 8),
            (self.proc.map(|id| id.to_string()), 4),
            (self.go.map(|id| id.to_string()), 6),
        ];
        for (id, width) in ids {
            write!(f, "{:<width$} ", id.as_deref().unwrap_or("-"))?;
        }
        write!(f, " {}", self.kind)?;
        match self.stack.as_deref().and_then(<[_]>::first) {
            Some(leaf) => {
                let (function, file) = (Escaped(&leaf.function), Escaped(&leaf.file));
                write!(f, "  at {function} ({file}:{})", leaf.line)
            }
            None => Ok(()),
        }
    }
}

impl Display for TraceEventKind {
    /// What happened, as a part of a line.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync { number, .. } => write!(f, "sync {number}"),
            Self::Metric { metric, value } => write!(f, "metric {metric} {value}"),
            Self::Label { go, label } => write!(f, "label {go} {}", Escaped(label)),
            Self::StackSample => f.write_str("sample"),
            Self::RangeBegin { range, scope } => {
                write!(
                    f,
                    "range begin {}{}",
                    Escaped(&range.to_string()),
                    Of(*scope)
                )
            }
            Self::RangeActive { range, scope } => {
                write!(
                    f,
                    "range active {}{}",
                    Escaped(&range.to_string()),
                    Of(*scope)
                )
            }
            Self::RangeEnd { range, scope, .. } => {
                write!(f, "range end {}{}", Escaped(&range.to_string()), Of(*scope))
            }
            Self::TaskBegin { task, parent, name } => {
                write!(f, "user task begin {task} {}{}", Escaped(name), In(*parent))
            }
            Self::TaskEnd { task, parent, name } => {
                write!(f, "user task end {task} {}{}", Escaped(name), In(*parent))
            }
            Self::RegionBegin { task, name } => {
                write!(f, "region begin {}{}", Escaped(name), In(*task))
            }
            Self::RegionEnd { task, name } => {
                write!(f, "region end {}{}", Escaped(name), In(*task))
            }
            Self::Log {
                task,
                category,
                message,
            } => write!(
                f,
                "log{} [{}] {}",
                In(*task),
                Escaped(category),
                Escaped(message)
            ),
            Self::StateTransition {
                change,
                is_status,
                reason,
                stack,
            } => {
                put_change(f, *change, *is_status)?;
                if !reason.is_empty() {
                    write!(f, " ({})", Escaped(reason))?;
                }
                match stack.as_deref().and_then(<[_]>::last) {
                    Some(root) => write!(f, " {}", Escaped(&root.function)),
                    None => Ok(()),
                }
            }
            Self::Experimental { kind, arguments } => {
                write!(f, "experimental {}", kind.name())?;
                let mut arguments = kind.arguments().iter().zip(arguments);
                arguments.try_for_each(|(argument, value)| write!(f, " {}={value}", argument.name))
            }
            Self::SideData(record) => write!(f, "side data {}", Escaped(&format!("{record:?}"))),
            Self::UnreadableSideData(error) => write!(f, "unreadable side data: {error}"),
        }
    }
}

fn put_change(f: &mut Formatter<'_>, change: StateChange, is_status: bool) -> fmt::Result {
    let (from, to) = match change {
        StateChange::Go { go, from, to } => {
            write!(f, "goroutine {go} ")?;
            (from.name(), to.name())
        }
        StateChange::Proc { proc, from, to } => {
            write!(f, "proc {proc} ")?;
            (from.name(), to.name())
        }
    };
    match is_status {
        true => write!(f, "is {to}"),
        false => write!(f, "{from} > {to}"),
    }
}

/// What a range concerns, after its name.
struct Of(RangeScope);

impl Display for Of {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            RangeScope::Global => Ok(()),
            RangeScope::Proc(proc) => write!(f, " of {proc}"),
            RangeScope::Go(go) => write!(f, " of {go}"),
        }
    }
}

/// The user task that something belongs to, if there is one.
struct In(TaskId);

impl Display for In {
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
