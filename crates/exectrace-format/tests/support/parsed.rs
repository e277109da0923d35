//! Prints events the way Go's `trace -d=parsed` does, so that the two can be compared by line.

use std::fmt::Write as _;

use exectrace_format::{
    GoId, GoState, ProcId, RangeScope, StackFrame, StateChange, ThreadId, TraceEvent,
    TraceEventKind,
};

/// The lines for one event; none for our side data, which Go does not show.
pub(crate) fn lines(event: &TraceEvent) -> String {
    let mut out = format!(
        "M={} P={} G={} ",
        event.thread.map_or(-1, |ThreadId(id)| id as i64),
        event.proc.map_or(-1, |ProcId(id)| id as i64),
        event.go.map_or(-1, |GoId(id)| id as i64),
    );
    if !put_kind(event, &mut out) {
        return String::new();
    }
    out.push('\n');
    if let TraceEventKind::StateTransition { change, stack, .. } = &event.kind
        && (stack.is_some() || is_creation(*change))
    {
        put_stack("TransitionStack=", stack.as_deref(), &mut out);
    }
    if event.stack.is_some() || event.kind == TraceEventKind::StackSample {
        put_stack("Stack=", event.stack.as_deref(), &mut out);
    }
    out
}

/// Whether Go shows a stack for it even if it has none.
fn is_creation(change: StateChange) -> bool {
    matches!(
        change,
        StateChange::Go {
            from: GoState::NotExist,
            to: GoState::Runnable | GoState::Waiting,
            ..
        }
    )
}

fn put_stack(title: &str, stack: Option<&[StackFrame]>, out: &mut String) {
    out.push_str(title);
    out.push('\n');
    for frame in stack.unwrap_or_default() {
        let _ = writeln!(out, "\t{} @ 0x{:x}", frame.function, frame.pc);
        let _ = writeln!(out, "\t\t{}:{}", frame.file, frame.line);
    }
    out.push('\n');
}

fn put_kind(event: &TraceEvent, out: &mut String) -> bool {
    use TraceEventKind as K;
    let time = event.time;
    let _ = match &event.kind {
        K::Sync { number, clock } => {
            let _ = write!(out, "Sync Time={time} N={number}");
            match clock {
                Some(clock) => {
                    let mono = clock.snapshot.monotonic_ns;
                    write!(out, " Trace={} Mono={mono}", clock.time)
                }
                None => Ok(()),
            }
        }
        K::Metric { metric, value } => {
            write!(
                out,
                "Metric Time={time} Name={:?} Value=Value{{Uint64({value})}}",
                metric.name()
            )
        }
        K::Label { go, label } => {
            write!(
                out,
                "Label Time={time} Label={label:?} Resource=Goroutine({})",
                go.0 as i64
            )
        }
        K::StackSample => write!(out, "StackSample Time={time}"),
        K::RangeBegin { range, scope } => {
            write!(
                out,
                "RangeBegin Time={time} Name={:?} Scope={}",
                range.to_string(),
                scope_text(*scope)
            )
        }
        K::RangeActive { range, scope } => {
            write!(
                out,
                "RangeActive Time={time} Name={:?} Scope={}",
                range.to_string(),
                scope_text(*scope)
            )
        }
        K::RangeEnd {
            range,
            scope,
            swept,
        } => {
            let _ = write!(
                out,
                "RangeEnd Time={time} Name={:?} Scope={}",
                range.to_string(),
                scope_text(*scope)
            );
            match swept {
                Some((swept, reclaimed)) => write!(
                    out,
                    " Attributes=[\"bytes swept\"=Value{{Uint64({swept})}} \
                     \"bytes reclaimed\"=Value{{Uint64({reclaimed})}}]"
                ),
                None => write!(out, " Attributes=[]"),
            }
        }
        K::TaskBegin { task, parent, name } => write!(
            out,
            "TaskBegin Time={time} ID={} Parent={} Type={name:?}",
            task.0, parent.0
        ),
        K::TaskEnd { task, parent, name } => {
            write!(
                out,
                "TaskEnd Time={time} ID={} Parent={} Type={name:?}",
                task.0, parent.0
            )
        }
        K::RegionBegin { task, name } => {
            write!(out, "RegionBegin Time={time} Task={} Type={name:?}", task.0)
        }
        K::RegionEnd { task, name } => {
            write!(out, "RegionEnd Time={time} Task={} Type={name:?}", task.0)
        }
        K::Log {
            task,
            category,
            message,
        } => write!(
            out,
            "Log Time={time} Task={} Category={category:?} Message={message:?}",
            task.0
        ),
        K::StateTransition { change, reason, .. } => {
            write!(
                out,
                "StateTransition Time={time} {} Reason={reason:?}",
                change_text(*change)
            )
        }
        K::Experimental { kind, arguments } => {
            let _ = write!(out, "Experimental Time={time} Name={kind:?}");
            let values = kind.arguments().iter().zip(arguments);
            let values: Vec<_> = values
                .map(|(argument, value)| {
                    let name = match argument.name {
                        "type_id" => "type",
                        "pages" => "npages_value",
                        "class" => "kindclass",
                        name => name,
                    };
                    format!("{name}=Value{{Uint64({value})}}")
                })
                .collect();
            write!(out, " Args=[{}]", values.join(", "))
        }
        _ => return false,
    };
    true
}

fn change_text(change: StateChange) -> String {
    match change {
        StateChange::Go { go, from, to } => format!("GoID={} {from:?}->{to:?}", go.0 as i64),
        StateChange::Proc { proc, from, to } => {
            format!("ProcID={} {from:?}->{to:?}", proc.0 as i64)
        }
    }
}

fn scope_text(scope: RangeScope) -> String {
    match scope {
        RangeScope::Global => "None".to_string(),
        RangeScope::Proc(proc) => format!("Proc({})", proc.0 as i64),
        RangeScope::Go(go) => format!("Goroutine({})", go.0 as i64),
    }
}
