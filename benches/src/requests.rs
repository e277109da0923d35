//! A trace of a server, made by counting: the same bytes each time.

use exectrace_format::{
    ClockSnapshot, Event, GoId, GoStatus, ProcId, ProcStatus, StackId, StringId, TaskId, ThreadId,
    Version, WireFrame, Writer,
};

/// Threads, each with a worker.
const THREADS: u64 = 2;
/// Async tasks of each thread.
const TASKS: u64 = 8;
const BEGIN_NS: u64 = 1_000_000;

/// The strings and stacks that the events name.
#[derive(Clone, Copy)]
struct Names {
    request: StringId,
    parse: StringId,
    category: StringId,
    reason: StringId,
    task: StackId,
    wait: StackId,
}

impl Names {
    fn new(writer: &mut Writer) -> Self {
        let file = writer.string("src/serve.rs");
        let mut frame = |pc: u64, function: &str| WireFrame {
            pc,
            function: writer.string(function),
            file,
            line: pc,
        };
        let (root, leaf) = (frame(16, "app::serve"), frame(32, "app::read"));
        Self {
            request: writer.string("request"),
            parse: writer.string("parse"),
            category: writer.string("INFO app"),
            reason: writer.string("network"),
            task: writer.stack(&[root]),
            wait: writer.stack(&[leaf, root]),
        }
    }
}

/// The trace of so many requests: each wakes an async task, which runs it in a user task with a region and a
/// log, and waits for the next one. Eight events a request.
#[must_use]
pub fn requests(count: u64) -> Vec<u8> {
    let mut file = Writer::header(Version::Go125).to_vec();
    let clock = ClockSnapshot {
        monotonic_ns: BEGIN_NS,
        unix_seconds: 1_700_000_000,
        unix_nanoseconds: 0,
    };
    Writer::sync_batch(Version::Go125, 1, BEGIN_NS, clock, &mut file);
    let mut writer = Writer::new();
    writer.begin_generation(1, BEGIN_NS);
    let names = Names::new(&mut writer);
    begin(&mut writer, names);
    for number in 0..count {
        request(&mut writer, names, number);
        if number % 4_096 == 0 {
            writer.finish_group(&mut file);
        }
    }
    writer.finish_group(&mut file);
    file
}

/// Workers run, and tasks wait.
fn begin(writer: &mut Writer, names: Names) {
    for thread in 0..THREADS {
        let stream = writer.stream(ThreadId(thread + 1));
        let status = ProcStatus::Running;
        let proc = ProcId(thread + 1);
        writer.event(stream, BEGIN_NS, Event::ProcStatus { proc, status });
    }
    let nobody = writer.stream(ThreadId::NONE);
    for task in 0..THREADS * TASKS {
        let status = Event::GoStatusStack {
            go: GoId(task + 1),
            thread: ThreadId(0),
            status: GoStatus::Waiting,
            stack: names.task,
        };
        writer.event(nobody, BEGIN_NS, status);
    }
}

fn request(writer: &mut Writer, names: Names, number: u64) {
    let thread = number % THREADS;
    let round = number / THREADS;
    let go = GoId(thread * TASKS + round % TASKS + 1);
    // A wake and a start for each earlier request of the task.
    let seq = round / TASKS * 2 + 1;
    let task = TaskId(number + 16);
    let message = writer.message(&format!("request {} done", number % 100));
    let stack = names.task;
    let events = [
        Event::GoUnblock {
            go,
            seq,
            stack: StackId::NONE,
        },
        Event::GoStart { go, seq: seq + 1 },
        Event::UserTaskBegin {
            task,
            parent: TaskId::BACKGROUND,
            name: names.request,
            stack,
        },
        Event::UserRegionBegin {
            task,
            name: names.parse,
            stack,
        },
        Event::UserLog {
            task,
            category: names.category,
            message,
            stack,
        },
        Event::UserRegionEnd {
            task,
            name: names.parse,
            stack: StackId::NONE,
        },
        Event::UserTaskEnd {
            task,
            stack: StackId::NONE,
        },
        Event::GoBlock {
            reason: names.reason,
            stack: names.wait,
        },
    ];
    let stream = writer.stream(ThreadId(thread + 1));
    let begin = BEGIN_NS + 10 + round * 10_000 + thread * 5_000;
    for (event, place) in events.into_iter().zip(0..) {
        writer.event(stream, begin + place * 100, event);
    }
}

#[cfg(test)]
mod tests {
    use exectrace_format::{CompactEvent, Reader};

    use super::requests;

    #[test]
    fn it_has_eight_events_a_request_and_is_read_to_its_end() {
        let count = |requests_made| {
            let trace = requests(requests_made);
            let mut reader = Reader::new(trace.as_slice()).expect("a header");
            let mut event = CompactEvent::default();
            let mut count = 0;
            while reader.next_into(&mut event).expect("it is valid") {
                count += 1;
            }
            count
        };
        assert_eq!(count(3_000) - count(2_000), 8_000);
    }
}
