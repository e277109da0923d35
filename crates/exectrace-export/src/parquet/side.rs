//! Rows of side data: what was counted and sampled beside the events.

use exectrace_format::{GoId, SideRecord};

use super::rows::{id, number, user_task_id};
use super::schema::{
    ALLOCATIONS, CALL_COUNTS, COUNTERS, DRIVER_WAITS, FAILED_CALLS, OFF_PROCESSOR, THREAD_TIMES,
    THREAD_USAGE,
};
use super::table::Cell;

/// The most columns that a row has, behind `trace_id`.
const MOST: usize = 8;

/// The table of a record, and its cells there; `None` for records that are no rows.
pub(super) fn side_row(record: &SideRecord) -> Option<(usize, [Cell<'_>; MOST])> {
    Some(match record {
        SideRecord::ThreadTime {
            thread,
            time_ns,
            cpu_ns,
            wait_ns,
        } => {
            let cells = [thread.0, *time_ns, *cpu_ns, *wait_ns].map(number);
            (THREAD_TIMES, filled(cells))
        }
        SideRecord::ThreadUsage {
            thread,
            time_ns,
            voluntary_switches,
            involuntary_switches,
            minor_faults,
            major_faults,
        } => {
            let switches = [*voluntary_switches, *involuntary_switches];
            let [voluntary, involuntary] = switches.map(number);
            let [minor, major] = [*minor_faults, *major_faults].map(number);
            let [thread, time] = [thread.0, *time_ns].map(number);
            let cells = [thread, time, voluntary, involuntary, minor, major];
            (THREAD_USAGE, filled(cells))
        }
        SideRecord::OffProcessor {
            time_ns,
            thread,
            duration_ns,
            is_preempted,
        } => {
            let [begin, end, duration] = span(*time_ns, *duration_ns);
            let preempted = Cell::Flag(*is_preempted);
            let cells = [number(thread.0), begin, end, duration, preempted];
            (OFF_PROCESSOR, filled(cells))
        }
        SideRecord::DriverWait {
            time_ns,
            thread,
            duration_ns,
            ready,
        } => {
            let [begin, end, duration] = span(*time_ns, *duration_ns);
            let cells = [number(thread.0), begin, end, duration, number(*ready)];
            (DRIVER_WAITS, filled(cells))
        }
        SideRecord::CallCounts {
            time_ns,
            thread,
            go,
            task,
            call,
            calls,
            total_ns,
        } => {
            let [time, calls, total] = [*time_ns, *calls, *total_ns].map(number);
            let (task, user_task) = (task_id(*go), user_task_id(*task));
            let (thread, call) = (id(thread.0), Cell::Text(call));
            let cells = [time, thread, task, user_task, call, calls, total];
            (CALL_COUNTS, filled(cells))
        }
        SideRecord::CallFailed { time_ns, go, errno } => {
            let cells = [number(*time_ns), task_id(*go), number(*errno)];
            (FAILED_CALLS, filled(cells))
        }
        SideRecord::Allocations {
            time_ns,
            thread,
            go,
            task,
            allocated_bytes,
            allocations,
            freed_bytes,
            frees,
        } => {
            let counts = [*allocated_bytes, *allocations, *freed_bytes, *frees];
            let [bytes, allocations, freed, frees] = counts.map(number);
            let (task, user_task) = (task_id(*go), user_task_id(*task));
            let (time, thread) = (number(*time_ns), id(thread.0));
            let cells = [
                time,
                thread,
                task,
                user_task,
                bytes,
                allocations,
                freed,
                frees,
            ];
            (ALLOCATIONS, filled(cells))
        }
        SideRecord::Counter {
            name,
            time_ns,
            value,
        } => {
            let cells = [Cell::Text(name), number(*time_ns), Cell::Int(*value)];
            (COUNTERS, filled(cells))
        }
        _ => return None,
    })
}

/// The async task, or a thread's own code; 0 is none.
fn task_id(go: GoId) -> Cell<'static> {
    match go.0 {
        0 => Cell::Null,
        task => id(task),
    }
}

/// Begin, end and length of a span of time.
fn span(begin_ns: u64, duration_ns: u64) -> [Cell<'static>; 3] {
    let end_ns = begin_ns.saturating_add(duration_ns);
    [begin_ns, end_ns, duration_ns].map(number)
}

/// As many cells as a row can have.
fn filled<'a, const CELLS: usize>(cells: [Cell<'a>; CELLS]) -> [Cell<'a>; MOST] {
    let mut cells = cells.into_iter();
    std::array::from_fn(|_| cells.next().unwrap_or(Cell::Null))
}
