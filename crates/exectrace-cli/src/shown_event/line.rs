//! An event as a line for people.

use std::fmt;

use exectrace_format::conventions::{THREAD_FILE, UNKNOWN_FILE};

use crate::output::printable;

use super::{Phase, ShownEvent, ShownFrame, What};

impl fmt::Display for ShownEvent<'_> {
    /// One line: time in seconds, thread, lane, flow, what happened, where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.time_ns / 1_000_000_000, self.time_ns % 1_000_000_000);
        write!(f, "{seconds:>4}.{rest:09}  ")?;
        for (letter, id, width) in [
            ('m', self.thread, 8),
            ('p', self.lane, 4),
            ('g', self.flow, 6),
        ] {
            let id = id.map_or_else(|| "-".to_owned(), |id| format!("{letter}{id}"));
            write!(f, "{id:<width$} ")?;
        }
        write!(f, " {}", self.what)?;
        match (self.stack.first(), &self.what) {
            // The name says it.
            (Some(leaf), What::Flow { name, .. }) if *name == Some(leaf.function) => Ok(()),
            (Some(leaf), _) => write!(f, "  at {leaf}"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for ShownFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.function))?;
        // Where the place stands for the function it is not said twice.
        let place = format!("{}:{}", self.file, self.line);
        if self.has_place() && place != self.function {
            write!(f, " ({})", printable(&place))?;
        }
        Ok(())
    }
}

impl ShownFrame<'_> {
    /// Whether the file is known: for functions that only their symbols name, it is not.
    fn has_place(&self) -> bool {
        !matches!(self.file, "" | UNKNOWN_FILE | THREAD_FILE)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "begin",
            Self::Active => "active",
            Self::End => "end",
        })
    }
}

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync { number } => write!(f, "sync {number}"),
            Self::Metric { name, value } => write!(f, "metric {name} {value}"),
            Self::Label { of_flow, label } => write!(f, "label g{of_flow} {}", printable(label)),
            Self::Sample => f.write_str("sample"),
            Self::Range {
                phase,
                name,
                of_flow,
                of_lane,
                ..
            } => {
                write!(f, "range {phase} {}", printable(name))?;
                match (of_flow, of_lane) {
                    (Some(flow), _) => write!(f, " of g{flow}"),
                    (_, Some(lane)) => write!(f, " of p{lane}"),
                    _ => Ok(()),
                }
            }
            Self::UserTask {
                phase,
                user_task,
                parent,
                name,
            } => {
                write!(f, "user-task {phase} t{user_task} {}", printable(name))?;
                match parent {
                    Some(parent) => write!(f, " in t{parent}"),
                    None => Ok(()),
                }
            }
            Self::Region {
                phase,
                user_task,
                name,
            } => {
                write!(f, "region {phase} {}", printable(name))?;
                match user_task {
                    Some(task) => write!(f, " in t{task}"),
                    None => Ok(()),
                }
            }
            Self::Log {
                user_task,
                category,
                message,
            } => {
                f.write_str("log")?;
                if let Some(task) = user_task {
                    write!(f, " in t{task}")?;
                }
                if !category.is_empty() {
                    write!(f, " [{}]", printable(category))?;
                }
                write!(f, " {}", printable(message))
            }
            Self::Flow {
                of_flow,
                from,
                to,
                reason,
                name,
                ..
            } => {
                write!(f, "flow g{of_flow} {from} > {to}")?;
                if !reason.is_empty() {
                    write!(f, " ({})", printable(reason))?;
                }
                match name {
                    Some(name) => write!(f, " {}", printable(name)),
                    None => Ok(()),
                }
            }
            Self::Lane { of_lane, from, to } => write!(f, "lane p{of_lane} {from} > {to}"),
            Self::Experimental { name, arguments } => {
                write!(f, "experimental {name} {arguments:?}")
            }
            Self::Side { record } => write!(f, "side {}", printable(record)),
        }
    }
}
