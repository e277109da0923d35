//! What a trace was recorded from beside the program's own code: calls, the heap, the processor, the kernel.
//!
//! A recorder says of each source in a capability whether it has it (`yes`, `yes, …`) or not (`no: why, and
//! what to do`). Where it says nothing, the events themselves decide.

use exectrace_format::conventions::{
    CPU, HEAP, KERNEL, PROCESS, SYSCALLS, SYSCALLS_NOT_SEEN, THREADS_CPU,
};
use exectrace_format::{
    CompactEvent, CompactKind, EventKind, GoState, Metric, SideRecord, StateChange,
};
use serde::Serialize;

/// A source of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Source {
    /// Its name: `syscalls`, `heap`, `heap.samples`, `cpu`, `threads.cpu`, `kernel` or `kernel.` and a part of it, `process`.
    pub name: String,
    /// Whether the trace has it.
    pub is_recorded: bool,
    /// `yes` and how it was recorded, or `no`, why, and what to do.
    pub about: String,
    /// Records that it left out, as they were more than its budget.
    pub left_out: u64,
}

/// What is known of a source of whose kind there is one.
struct Known {
    /// Its capability, and its name.
    key: &'static str,
    /// What records it in a program of Rust.
    remedy: &'static str,
    /// What is said of Go's traces that do not have it.
    of_go: &'static str,
}

/// The sources, in the order in which they are shown. A row more is all that another one takes.
const KNOWN: [Known; 6] = [
    Known {
        key: SYSCALLS,
        remedy: "the feature `syscalls` of exectrace records calls of the C library on Linux",
        of_go: "there were none",
    },
    Known {
        key: HEAP,
        remedy: "the feature `alloc` of exectrace counts what its allocator hands out",
        of_go: "no value of it is in the trace",
    },
    Known {
        key: CPU,
        remedy: "the feature `cpu` of exectrace takes samples on Linux",
        of_go: "`pprof.StartCPUProfile` beside the trace takes samples",
    },
    Known {
        key: THREADS_CPU,
        remedy: "exectrace samples it on Linux",
        of_go: "Go's tracer does not sample it",
    },
    Known {
        key: KERNEL,
        remedy: "a newer exectrace asks the kernel on Linux",
        of_go: "Go's tracer does not ask the kernel",
    },
    Known {
        key: PROCESS,
        remedy: "a newer exectrace samples it on Linux",
        of_go: "Go's tracer does not sample it",
    },
];

/// So much is kept of what a trace says, the first of it. A recorder says less; a source named `other` says that there
/// was more.
const MAX_SAID: usize = 64;

/// Gathers what a trace says of its [`Source`]s, whichever way it is read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What the recorder says, by capability.
    said: Vec<(String, String)>,
    left_out: Vec<(String, u64)>,
    /// The trace says more than is kept.
    says_more: bool,
    /// The trace says who wrote it, or what its procs are called. Go's traces do not.
    is_described: bool,
    has_syscalls: bool,
    has_heap: bool,
    has_samples: bool,
    has_thread_times: bool,
}

impl Sources {
    /// A record of side data.
    pub fn side_record(&mut self, record: &SideRecord) {
        match record {
            // As the replay knows Go's traces.
            SideRecord::GeneratedBy { .. } | SideRecord::ProcName { .. } => {
                self.is_described = true;
            }
            SideRecord::Capabilities { pairs } => {
                for (key, value) in pairs.iter().filter(|(key, _)| is_of_source(key)) {
                    match of_key(&mut self.said, key) {
                        Some(said) => *said = value.to_string(),
                        None => self.says_more = true,
                    }
                }
            }
            SideRecord::Thinned {
                source, records, ..
            } => match of_key(&mut self.left_out, source) {
                Some(sum) => *sum = sum.saturating_add(*records),
                None => self.says_more = true,
            },
            SideRecord::CallCounts { .. } => self.has_syscalls = true,
            SideRecord::Allocations { .. } => self.has_heap = true,
            SideRecord::ThreadTime { .. } => self.has_thread_times = true,
            _ => {}
        }
    }

    /// An event.
    #[inline]
    pub fn event(&mut self, event: &CompactEvent) {
        match event.kind {
            CompactKind::StateTransition {
                change: StateChange::Go { to, .. },
                ..
            } => self.has_syscalls |= to == GoState::Syscall,
            CompactKind::StackSample => self.has_samples = true,
            CompactKind::Metric { metric, .. } => self.has_heap |= metric == Metric::HeapAlloc,
            _ => {}
        }
    }

    /// There are events of this kind.
    pub(crate) fn kind(&mut self, kind: EventKind) {
        match kind {
            EventKind::GoSyscallBegin => self.has_syscalls = true,
            EventKind::HeapAlloc => self.has_heap = true,
            _ => {}
        }
    }

    /// There are CPU samples.
    pub(crate) fn samples(&mut self) {
        self.has_samples = true;
    }

    /// Whether calls are recorded, although there may have been none.
    pub(crate) fn has_calls(&self) -> bool {
        let said = self.said.iter().find(|(key, _)| key == SYSCALLS);
        self.has_syscalls || said.is_some_and(|(_, text)| is_yes(text))
    }

    /// What is known of each source.
    pub fn all(&self) -> Vec<Source> {
        let mut all = Vec::new();
        for known in &KNOWN {
            let said: Vec<_> = self.said_of(known.key).collect();
            match said.is_empty() {
                true => all.push(self.source(known.key, self.conclude(known))),
                false => all.extend(
                    said.iter()
                        .map(|(key, text)| self.source(key, text.clone())),
                ),
            }
        }
        if self.says_more {
            let about =
                format!("no: the trace names more than {MAX_SAID} sources, the rest is left out");
            all.push(self.source("other", about));
        }
        all
    }

    /// What the recorder says of a source, or of its parts.
    fn said_of(&self, source: &str) -> impl Iterator<Item = (&str, String)> {
        let said = self.said.iter();
        let of_it = said.filter(move |(key, _)| source_of(key) == Some(source));
        of_it.map(|(key, text)| {
            // As threads' time says it.
            let text = match text.strip_prefix("none") {
                Some(why) => format!("no{why}"),
                None if is_yes(text) || is_no(text) => text.clone(),
                None => format!("yes, {text}"),
            };
            (key.as_str(), text)
        })
    }

    /// What follows from the events, where the recorder says nothing.
    fn conclude(&self, known: &Known) -> String {
        let is_seen = match known.key {
            SYSCALLS => self.has_syscalls,
            HEAP => self.has_heap,
            CPU => self.has_samples,
            THREADS_CPU => self.has_thread_times,
            _ => false,
        };
        match (is_seen, self.is_described) {
            (true, _) => "yes".to_owned(),
            (false, true) => format!("no: recorded without; {}", known.remedy),
            (false, false) => format!("no: {}", known.of_go),
        }
    }

    fn source(&self, name: &str, about: String) -> Source {
        let left_out = self.left_out.iter().find(|(source, _)| source == name);
        Source {
            name: name.to_owned(),
            is_recorded: !is_no(&about),
            about,
            left_out: left_out.map_or(0, |&(_, records)| records),
        }
    }
}

/// What is known under a key; `None` if there are too many.
fn of_key<'a, T: Default>(all: &'a mut Vec<(String, T)>, key: &str) -> Option<&'a mut T> {
    // They are few, so a search is as good as a map.
    let known = all.iter().position(|(known, _)| known == key);
    if known.is_none() && all.len() < MAX_SAID {
        all.push((key.to_owned(), T::default()));
    }
    let place = known.or(all.len().checked_sub(1))?;
    let (name, value) = all.get_mut(place)?;
    (name == key).then_some(value)
}

fn is_of_source(key: &str) -> bool {
    source_of(key).is_some()
}

/// The source of a capability: its own name, or what it is a part of.
fn source_of(key: &str) -> Option<&'static str> {
    // It says what the source does not see, not whether a part of it is there.
    if key == SYSCALLS_NOT_SEEN {
        return None;
    }
    let of = |known: &&Known| {
        let rest = key.strip_prefix(known.key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    Some(KNOWN.iter().find(of)?.key)
}

fn is_yes(text: &str) -> bool {
    is_word(text, "yes")
}

fn is_no(text: &str) -> bool {
    is_word(text, "no")
}

fn is_word(text: &str, word: &str) -> bool {
    let rest = text.strip_prefix(word);
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(key: &'static str, value: &'static str) -> SideRecord {
        SideRecord::Capabilities {
            pairs: vec![(key.into(), value.into())],
        }
    }

    fn lines(sources: &Sources) -> Vec<String> {
        let all = sources.all().into_iter();
        all.map(|source| format!("{}: {}", source.name, source.about))
            .collect()
    }

    #[test]
    fn what_the_recorder_says_of_a_source_counts_and_else_the_events() {
        let mut sources = Sources::default();
        sources.side_record(&SideRecord::GeneratedBy {
            name: "exectrace".into(),
            version: "1".into(),
        });
        sources.side_record(&capability(HEAP, "no: another allocator is set"));
        sources.side_record(&capability("kernel.perf", "no: refused (EACCES)"));
        sources.side_record(&capability(THREADS_CPU, "schedstat, of 8 threads"));
        sources.side_record(&SideRecord::Thinned {
            time_ns: 1,
            source: "kernel.perf".into(),
            records: 7,
        });
        sources.samples();
        assert_eq!(
            lines(&sources),
            [
                "syscalls: no: recorded without; the feature `syscalls` of exectrace records calls of \
                 the C library on Linux",
                "heap: no: another allocator is set",
                "cpu: yes",
                "threads.cpu: yes, schedstat, of 8 threads",
                "kernel.perf: no: refused (EACCES)",
                "process: no: recorded without; a newer exectrace samples it on Linux",
            ]
        );
        let all = sources.all();
        assert_eq!((all[4].is_recorded, all[4].left_out), (false, 7));
        // A later word on it replaces the first.
        sources.side_record(&capability(HEAP, "yes, of jemalloc"));
        assert!(sources.all()[1].is_recorded);
    }

    #[test]
    fn a_trace_of_go_is_not_asked_for_features_of_rust() {
        let mut sources = Sources::default();
        sources.kind(EventKind::GoSyscallBegin);
        let lines = lines(&sources);
        assert_eq!(lines[0], "syscalls: yes");
        assert_eq!(lines[4], "kernel: no: Go's tracer does not ask the kernel");
    }
    #[test]
    fn a_trace_that_names_too_many_sources_has_the_first_and_says_so() {
        let mut sources = Sources::default();
        for part in 0..=MAX_SAID {
            sources.side_record(&SideRecord::Capabilities {
                pairs: vec![(format!("kernel.{part}").into(), "yes".into())],
            });
        }
        let lines = lines(&sources);
        assert_eq!(
            lines.iter().filter(|line| line.ends_with(": yes")).count(),
            MAX_SAID
        );
        assert_eq!(
            lines.last().map(String::as_str),
            Some("other: no: the trace names more than 64 sources, the rest is left out")
        );
    }
}
