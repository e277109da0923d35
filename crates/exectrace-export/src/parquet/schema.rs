//! The tables and their columns, as `PARQUET.md` describes them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// A number of 64 bits, with a sign because not all engines know others.
    Int,
    /// A text out of few.
    Name,
    /// A text that hardly comes twice.
    Text,
    Flag,
}

/// A column: its name, what it holds, and whether it can be null.
pub(super) type Column = (&'static str, Type, bool);

const fn int(name: &'static str) -> Column {
    (name, Type::Int, false)
}
const fn maybe_int(name: &'static str) -> Column {
    (name, Type::Int, true)
}
const fn name(name: &'static str) -> Column {
    (name, Type::Name, false)
}
const fn maybe_name(name: &'static str) -> Column {
    (name, Type::Name, true)
}
const fn flag(name: &'static str) -> Column {
    (name, Type::Flag, false)
}

/// A table, and its columns behind `trace_id`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

pub(super) const TRACES: usize = 0;
pub(super) const EVENTS: usize = 1;
pub(super) const TASK_STATES: usize = 2;
pub(super) const POLLS: usize = 3;
pub(super) const REGIONS: usize = 4;
pub(super) const USER_TASKS: usize = 5;
pub(super) const LOGS: usize = 6;
pub(super) const SAMPLES: usize = 7;
pub(super) const SPANS: usize = 8;
pub(super) const OFF_PROCESSOR: usize = 9;
pub(super) const DRIVER_WAITS: usize = 10;
pub(super) const THREAD_TIMES: usize = 11;
pub(super) const THREAD_USAGE: usize = 12;
pub(super) const CALL_COUNTS: usize = 13;
pub(super) const FAILED_CALLS: usize = 14;
pub(super) const ALLOCATIONS: usize = 15;
pub(super) const COUNTERS: usize = 16;

/// All tables, in the order of the numbers above.
pub(super) const TABLES: [Layout; 17] = [
    Layout {
        name: "traces",
        columns: &[
            int("begin_ns"),
            int("end_ns"),
            maybe_int("begin_unix_ns"),
            int("events"),
            ("damage", Type::Text, true),
        ],
    },
    Layout {
        name: "events",
        columns: &[
            int("time_ns"),
            name("kind"),
            maybe_int("thread"),
            maybe_int("worker"),
            maybe_int("task"),
            maybe_int("subject"),
            maybe_name("from_state"),
            maybe_name("to_state"),
            maybe_int("value"),
            ("text", Type::Text, true),
            maybe_name("stack"),
        ],
    },
    Layout {
        name: "task_states",
        columns: &[
            int("task"),
            name("task_name"),
            name("state"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            maybe_name("reason"),
            maybe_name("stack"),
            maybe_int("worker"),
            maybe_int("thread"),
            maybe_int("woken_by"),
            flag("begin_seen"),
            flag("end_seen"),
            maybe_name("call"),
        ],
    },
    Layout {
        name: "polls",
        columns: &[
            int("worker"),
            maybe_int("thread"),
            int("task"),
            name("task_name"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            int("syscall_ns"),
            maybe_int("ready_ns"),
            maybe_int("woken_by"),
            name("next_state"),
            maybe_name("reason"),
            maybe_name("stack"),
            flag("end_seen"),
        ],
    },
    Layout {
        name: "regions",
        columns: &[
            int("task"),
            name("task_name"),
            maybe_int("user_task"),
            name("name"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            maybe_name("stack"),
            flag("begin_seen"),
            flag("end_seen"),
            flag("is_part"),
        ],
    },
    Layout {
        name: "user_tasks",
        columns: &[
            int("user_task"),
            maybe_int("parent"),
            name("name"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            maybe_int("task"),
            flag("begin_seen"),
            flag("end_seen"),
            flag("carries_span"),
            ("distributed_trace_id", Type::Text, true),
        ],
    },
    Layout {
        name: "logs",
        columns: &[
            int("time_ns"),
            maybe_int("user_task"),
            maybe_int("task"),
            maybe_int("worker"),
            maybe_int("thread"),
            name("category"),
            ("message", Type::Text, false),
        ],
    },
    Layout {
        name: "samples",
        columns: &[
            int("time_ns"),
            maybe_int("task"),
            maybe_int("worker"),
            maybe_int("thread"),
            maybe_name("stack"),
        ],
    },
    Layout {
        name: "spans",
        columns: &[
            int("task"),
            maybe_int("user_task"),
            name("name"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            maybe_int("busy_ns"),
            maybe_int("entries"),
            flag("carried"),
            flag("begin_seen"),
            flag("end_seen"),
        ],
    },
    Layout {
        name: "off_processor",
        columns: &[
            int("thread"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            flag("preempted"),
        ],
    },
    Layout {
        name: "driver_waits",
        columns: &[
            int("thread"),
            int("begin_ns"),
            int("end_ns"),
            int("duration_ns"),
            int("ready"),
        ],
    },
    Layout {
        name: "thread_times",
        columns: &[int("thread"), int("time_ns"), int("cpu_ns"), int("wait_ns")],
    },
    Layout {
        name: "thread_usage",
        columns: &[
            int("thread"),
            int("time_ns"),
            int("voluntary_switches"),
            int("involuntary_switches"),
            int("minor_faults"),
            int("major_faults"),
        ],
    },
    Layout {
        name: "call_counts",
        columns: &[
            int("time_ns"),
            maybe_int("thread"),
            maybe_int("task"),
            maybe_int("user_task"),
            name("call"),
            int("calls"),
            int("total_ns"),
        ],
    },
    Layout {
        name: "failed_calls",
        columns: &[int("time_ns"), maybe_int("task"), int("errno")],
    },
    Layout {
        name: "allocations",
        columns: &[
            int("time_ns"),
            maybe_int("thread"),
            maybe_int("task"),
            maybe_int("user_task"),
            int("allocated_bytes"),
            int("allocations"),
            int("freed_bytes"),
            int("frees"),
        ],
    },
    Layout {
        name: "counters",
        columns: &[name("name"), int("time_ns"), int("value")],
    },
];

impl Layout {
    /// All columns, `trace_id` first.
    pub(super) fn all_columns(&self) -> impl Iterator<Item = Column> + '_ {
        std::iter::once(name("trace_id")).chain(self.columns.iter().copied())
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        let fields = self.all_columns().map(|(name, ty, nullable)| {
            let data_type = match ty {
                Type::Int => DataType::Int64,
                Type::Name => {
                    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
                }
                Type::Text => DataType::Utf8,
                Type::Flag => DataType::Boolean,
            };
            Field::new(name, data_type, nullable)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLES, Type};

    #[test]
    fn the_document_lists_every_column_of_every_table() {
        let document = include_str!("../../PARQUET.md");
        for layout in TABLES {
            let heading = format!("### `{}`", layout.name);
            let section = document.split(&heading).nth(1);
            let section = section.unwrap_or_else(|| panic!("no section {heading}"));
            let section = section.split("\n### ").next().expect("a section");
            for &(name, ty, nullable) in layout.columns {
                let ty = match ty {
                    Type::Int => "int",
                    Type::Name | Type::Text => "text",
                    Type::Flag => "flag",
                };
                let null = if nullable { " or null" } else { "" };
                let row = format!("| `{name}` | {ty}{null} |");
                assert!(section.contains(&row), "{} lacks {row}", layout.name);
            }
            let rows = section.matches("\n| `").count();
            assert_eq!(rows, layout.columns.len(), "{} has others", layout.name);
        }
    }
}
