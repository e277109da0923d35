//! Parquet tables, read back.
#![cfg(feature = "parquet")]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use exectrace_export::{ExportError, Exported, ParquetOptions, parquet};
use exectrace_format::{Reader, TraceEvent, TraceEventKind};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use support::expected::{Counts, assert_titles, counts, events, spans_with_ends};
use support::{calls, cases, service, traces};

fn options() -> ParquetOptions {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    ParquetOptions {
        trace_id: "t1".to_owned(),
        partitions: vec![pair("host", "web1"), pair("release", "1.0")],
    }
}

fn export(trace: &[u8], folder: &Path) -> Exported {
    let reader = Reader::new(trace).expect("a trace");
    parquet(reader, folder, &options()).expect("the folder can be written")
}

fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("table={table}/host=web1/release=1.0/t1.parquet"))
}

fn read(folder: &Path, table: &str) -> Vec<RecordBatch> {
    let file = File::open(file(folder, table)).expect("the table is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    reader
        .build()
        .expect("a reader")
        .collect::<Result<_, _>>()
        .expect("batches")
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn ints(batches: &[RecordBatch], column: &str) -> Vec<Option<i64>> {
    let column = |batch: &RecordBatch| {
        let array = batch
            .column_by_name(column)
            .expect("the column")
            .as_primitive::<Int64Type>()
            .clone();
        array.iter().collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

fn texts(batches: &[RecordBatch], column: &str) -> Vec<Option<String>> {
    let column = |batch: &RecordBatch| {
        let array = batch.column_by_name(column).expect("the column");
        let text = arrow_cast(array);
        text.as_string::<i32>()
            .iter()
            .map(|text| text.map(str::to_owned))
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

fn flags(batches: &[RecordBatch], column: &str) -> Vec<bool> {
    let column = |batch: &RecordBatch| {
        let array = batch.column_by_name(column).expect("the column");
        array
            .as_boolean()
            .iter()
            .map(|flag| flag.expect("never null"))
            .collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

/// A column of texts without its dictionary.
fn arrow_cast(array: &dyn Array) -> arrow_array::ArrayRef {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            let values = dictionary.values().as_string::<i32>();
            let keys = dictionary.normalized_keys();
            let texts = keys
                .iter()
                .enumerate()
                .map(|(row, &key)| dictionary.is_valid(row).then(|| values.value(key)));
            std::sync::Arc::new(texts.collect::<arrow_array::StringArray>())
        }
        None => array.slice(0, array.len()),
    }
}

#[test]
fn rows_are_those_of_the_trace() {
    for trace in traces() {
        let folder = tempfile::tempdir().expect("a folder");
        let exported = export(&trace, folder.path());
        assert!(exported.damage.is_none());
        let all = events(&trace);
        assert_eq!(count(&read(folder.path(), "events")), all.len());
        let is_of_trace = |event: &&TraceEvent| {
            use TraceEventKind::{SideData, Sync, UnreadableSideData};
            matches!(
                event.kind,
                Sync { .. } | SideData(_) | UnreadableSideData(_)
            )
        };
        let of_program = all.iter().filter(|event| !is_of_trace(event));
        assert_eq!(exported.events, of_program.count() as u64);
        for (kind, table) in [("region", "regions"), ("user task", "user_tasks")] {
            let rows = read(folder.path(), table);
            let (names, begins, ends) = (
                texts(&rows, "name"),
                ints(&rows, "begin_ns"),
                ints(&rows, "end_ns"),
            );
            let ended = flags(&rows, "end_seen");
            let mut shown: Vec<_> = (0..names.len())
                .filter(|&row| ended[row])
                .map(|row| {
                    (
                        kind,
                        names[row].clone().unwrap(),
                        begins[row].unwrap(),
                        ends[row].unwrap(),
                    )
                })
                .collect();
            shown.sort();
            let expected: Vec<_> = spans_with_ends(&trace)
                .into_iter()
                .filter(|span| span.0 == kind)
                .collect();
            assert!(!expected.is_empty());
            assert_eq!(shown, expected);
            assert!(
                texts(&rows, "trace_id")
                    .iter()
                    .all(|id| id.as_deref() == Some("t1"))
            );
        }
    }
}

#[test]
fn there_is_as_much_of_each_as_in_the_trace() {
    for trace in traces() {
        let folder = tempfile::tempdir().expect("a folder");
        export(&trace, folder.path());
        let rows = |table: &str| count(&read(folder.path(), table));
        let expected = counts(&trace);
        let states = read(folder.path(), "task_states");
        let tasks: BTreeMap<_, _> = ints(&states, "task")
            .into_iter()
            .zip(texts(&states, "task_name"))
            .collect();
        let found = Counts {
            tasks: tasks.len(),
            user_tasks: rows("user_tasks"),
            regions: rows("regions"),
            logs: rows("logs"),
            samples: rows("samples"),
            ..expected
        };
        assert_eq!(found, expected);
        // The last row of each has the name that became known.
        let titles: Vec<String> = tasks
            .into_iter()
            .map(|(task, name)| format!("G{} {}", task.expect("a task"), name.unwrap_or_default()))
            .collect();
        assert_titles(titles.iter().map(|title| title.trim_end()), &trace);
    }
}

#[test]
fn a_poll_shows_its_delay_its_waker_and_why_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    export(&service(), folder.path());
    let polls = read(folder.path(), "polls");
    assert_eq!(ints(&polls, "task"), [Some(2), Some(2), Some(1)]);
    assert_eq!(ints(&polls, "worker"), [Some(2), Some(2), Some(1)]);
    assert_eq!(ints(&polls, "duration_ns"), [Some(15), Some(40), Some(360)]);
    assert_eq!(ints(&polls, "ready_ns"), [Some(35), Some(20), None]);
    assert_eq!(ints(&polls, "woken_by"), [Some(1), Some(1), None]);
    assert_eq!(ints(&polls, "syscall_ns"), [Some(0), Some(0), Some(50)]);
    let words = |column| {
        texts(&polls, column)
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect::<Vec<_>>()
    };
    assert_eq!(words("next_state"), ["waiting", "ended", "runnable"]);
    assert_eq!(words("reason"), ["network", "", "yield"]);
    let traces = read(folder.path(), "traces");
    assert_eq!(
        ints(&traces, "begin_unix_ns"),
        [Some(1_700_000_000_000_000_500)]
    );
}

#[test]
fn a_name_that_cannot_be_in_a_path_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    for (trace_id, key, value) in [
        ("../t1", "host", "web1"),
        ("", "host", "web1"),
        ("t1", "host", "a/b"),
        ("t1", "table", "web1"),
        ("t1", "duration_ns", "web1"),
        ("t1", "host", ".."),
    ] {
        let options = ParquetOptions {
            trace_id: trace_id.to_owned(),
            partitions: vec![(key.to_owned(), value.to_owned())],
        };
        let trace = service();
        let reader = Reader::new(trace.as_slice()).expect("a trace");
        let error = parquet(reader, folder.path(), &options).expect_err("a bad name");
        assert!(matches!(error, ExportError::BadName { .. }), "{error}");
    }
    assert_eq!(folder.path().read_dir().expect("the folder").count(), 0);
}

#[test]
fn a_damaged_trace_leaves_whole_tables_that_show_the_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, trace) in cases() {
        let exported = export(&trace, folder.path());
        let shown = texts(&read(folder.path(), "traces"), "damage");
        assert_eq!(
            shown,
            [exported.damage.map(|damage| damage.to_string())],
            "{name}"
        );
    }
}

#[test]
fn nothing_half_written_is_left_when_a_table_cannot_be_made() {
    let folder = tempfile::tempdir().expect("a folder");
    // Where a table's folder is to be stands a file.
    std::fs::write(folder.path().join("table=samples"), "in the way").expect("a file");
    let trace = service();
    let reader = Reader::new(trace.as_slice()).expect("a trace");
    parquet(reader, folder.path(), &options()).expect_err("no folder can be made");
    let polls = file(folder.path(), "polls");
    let left = polls
        .parent()
        .expect("a folder")
        .read_dir()
        .expect("the folder")
        .count();
    assert_eq!(left, 0, "no file, and no part of one");
}

/// A thread that runs its own code, and a task whose wakes come from outside: the recorder sees one.
const HALF_SEEN: &str = r#"go 1.25
generation 1
batch m=0 time=1000 sync
  frequency 1000000000
  clock +0 mono=1000 sec=1 nsec=0
batch m=0 time=1000 strings
  string 1 "main"
  string 2 "thread"
  string 3 "serve"
  string 4 "src/serve.rs"
  string 5 "network"
  string 6 "(wake not seen)"
batch m=0 time=1000 stacks
  stack 1 0x10:1:2:1
  stack 2 0x20:3:4:7
  stack 3 0x30:6:4:1
batch m=7 time=1000 events
  +0 ProcStatus proc=1 status=Running
  +1 GoStatusStack go=1 thread=7 status=Running stack=1
  +1 GoCreate go=2 go_stack=2 stack=1
  +10 GoBlock reason=5 stack=1
  +10 GoStart go=2 seq=1
  +10 GoBlock reason=5 stack=2
  +50 GoUnblock go=2 seq=2 stack=3
  +1 GoStart go=2 seq=3
  +10 GoBlock reason=5 stack=2
  +50 GoUnblock go=2 seq=4 stack=0
  +30 GoStart go=2 seq=5
  +10 GoDestroy
"#;

#[test]
fn what_was_not_seen_is_null_and_no_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = exectrace_format::text::parse(HALF_SEEN).expect("a trace");
    export(&trace, folder.path());
    let polls = read(folder.path(), "polls");
    assert_eq!(ints(&polls, "task"), [Some(2); 3], "main is not polled");
    assert_eq!(ints(&polls, "ready_ns"), [Some(19), None, Some(30)]);
    let states = read(folder.path(), "task_states");
    let of_main: Vec<_> = texts(&states, "state")
        .into_iter()
        .zip(ints(&states, "task"))
        .filter(|(_, task)| *task == Some(1))
        .map(|(state, _)| state.expect("a state"))
        .collect();
    assert_eq!(of_main, ["own code", "waiting"]);
}

#[test]
fn every_span_is_a_row_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    export(&support::spans(), folder.path());
    let spans = read(folder.path(), "spans");
    assert_eq!(
        texts(&spans, "name"),
        ["query", "branch", "save"].map(|name| Some(name.to_owned()))
    );
    let lengths = [Some(8), Some(110), Some(160)];
    assert_eq!(ints(&spans, "duration_ns"), lengths);
    assert_eq!(ints(&spans, "entries"), [None, Some(2), Some(3)]);
    assert_eq!(flags(&spans, "carried"), [false, true, false]);
    let regions = read(folder.path(), "regions");
    assert_eq!(flags(&regions, "is_part"), [true, false, true, true]);
    let user_tasks = read(folder.path(), "user_tasks");
    assert_eq!(flags(&user_tasks, "carries_span"), [true, false]);
}

#[test]
fn what_was_counted_and_sampled_has_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    export(&calls(), folder.path());
    let row = |table: &str, columns: &[&str]| {
        let rows = read(folder.path(), table);
        assert_eq!(count(&rows), 1, "{table}");
        let cell = |column: &&str| ints(&rows, column)[0].unwrap_or(-1);
        columns.iter().map(cell).collect::<Vec<_>>()
    };
    let off = ["thread", "begin_ns", "end_ns", "duration_ns"];
    assert_eq!(row("off_processor", &off), [7, 1_120, 1_150, 30]);
    let off = read(folder.path(), "off_processor");
    assert_eq!(flags(&off, "preempted"), [true]);
    let wait = ["thread", "begin_ns", "end_ns", "ready"];
    assert_eq!(row("driver_waits", &wait), [7, 1_001, 1_011, 1]);
    let time = ["thread", "time_ns", "cpu_ns", "wait_ns"];
    assert_eq!(row("thread_times", &time), [7, 1_410, 200, 9]);
    let usage = [
        "voluntary_switches",
        "involuntary_switches",
        "minor_faults",
        "major_faults",
    ];
    assert_eq!(row("thread_usage", &usage), [1, 2, 3, 4]);
    let calls = ["thread", "task", "user_task", "calls", "total_ns"];
    assert_eq!(row("call_counts", &calls), [7, 2, -1, 5, 50]);
    let counted = read(folder.path(), "call_counts");
    assert_eq!(texts(&counted, "call"), [Some("read".to_owned())]);
    let failed = ["time_ns", "task", "errno"];
    assert_eq!(row("failed_calls", &failed), [1_100, 2, 4]);
    let allocated = [
        "task",
        "allocated_bytes",
        "allocations",
        "freed_bytes",
        "frees",
    ];
    assert_eq!(row("allocations", &allocated), [2, 64, 2, 16, 1]);
    assert_eq!(row("counters", &["time_ns", "value"]), [1_410, 3]);
}
