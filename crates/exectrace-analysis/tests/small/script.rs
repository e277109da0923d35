//! Writes small traces for tests: what happens when, on which thread; the format's own demands
//! (tables, sequence numbers, first statuses) are seen to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use exectrace_analysis::{Analysis, Options};
use exectrace_format::{Reader, text};

/// A trace in the making, whose times count from its begin. Thread `n` holds worker `n`.
#[derive(Default)]
pub(crate) struct Script {
    strings: Vec<String>,
    stacks: Vec<String>,
    events: BTreeMap<u64, Vec<(u64, String)>>,
    sequence: BTreeMap<u64, u64>,
    workers: Vec<(u64, String)>,
    /// Records of spans and samples.
    records: Vec<Vec<u8>>,
}

/// A span that a record has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanRow<'a> {
    pub(crate) name: &'a str,
    /// First entry and close.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) busy: u64,
    pub(crate) entries: u64,
    pub(crate) flow: u64,
    pub(crate) task: u64,
    /// It is that task.
    pub(crate) own_task: bool,
    /// It is carried by that task.
    pub(crate) carried: bool,
}

/// A sampled allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeapRow<'a> {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) interval: u64,
    pub(crate) stack: &'a str,
    pub(crate) is_from_before: bool,
}

/// A number as side data have it.
fn number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Script {
    fn string(&mut self, text: &str) -> usize {
        let known = self.strings.iter().position(|known| known == text);
        known.unwrap_or_else(|| {
            self.strings.push(text.to_owned());
            self.strings.len() - 1
        }) + 1
    }

    /// A stack of functions, leaf first, as `leaf<root`; 0 for an empty text. The file of each is
    /// called as the function, unless it is written as `function@file`.
    fn stack(&mut self, functions: &str) -> usize {
        if functions.is_empty() {
            return 0;
        }
        let frames: Vec<String> = functions
            .split('<')
            .map(|function| {
                let (function, file) = function.split_once('@').unwrap_or((function, function));
                let (id, file) = (self.string(function), self.string(file));
                format!("{}:{id}:{file}:{id}", 0x1000 + id)
            })
            .collect();
        let stack = frames.join(" ");
        let known = self.stacks.iter().position(|known| *known == stack);
        known.unwrap_or_else(|| {
            self.stacks.push(stack);
            self.stacks.len() - 1
        }) + 1
    }

    /// The next sequence number of a flow.
    fn next(&mut self, go: u64) -> u64 {
        let sequence = self.sequence.entry(go).or_default();
        *sequence += 1;
        *sequence
    }

    /// An event as the text form has it.
    fn event(&mut self, time: u64, thread: u64, event: String) -> &mut Self {
        let events = self.events.entry(thread).or_default();
        if events.is_empty() {
            // Just before, since no two events have the same time.
            let first = format!("ProcStatus proc={thread} status=Running");
            events.push((time.saturating_sub(1), first));
        }
        events.push((time, event));
        self
    }

    /// Side data have the name of a worker.
    pub(crate) fn worker(&mut self, worker: u64, name: &str) -> &mut Self {
        self.workers.push((worker, name.to_owned()));
        self
    }

    /// Side data have a span.
    pub(crate) fn span(&mut self, span: SpanRow<'_>) -> &mut Self {
        let mut fields = Vec::new();
        // Times count from the begin of the trace.
        for value in [
            1_000 + span.from,
            span.to - span.from,
            span.busy,
            span.entries,
            span.flow,
            span.task,
            u64::from(span.own_task) | u64::from(span.carried) << 1,
            0,
            span.name.len() as u64,
        ] {
            number(value, &mut fields);
        }
        fields.extend_from_slice(span.name.as_bytes());
        let mut record = vec![11, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    /// What the system had counted of the thread: on a processor, and waiting for one.
    pub(crate) fn sample(&mut self, time: u64, thread: u64, cpu: u64, wait: u64) -> &mut Self {
        self.sample_at(1_000 + time, thread, (cpu, wait))
    }

    /// What it had counted so long before the trace began.
    pub(crate) fn sample_before(&mut self, by: u64, thread: u64, cpu: u64, wait: u64) -> &mut Self {
        self.sample_at(1_000 - by, thread, (cpu, wait))
    }

    fn sample_at(&mut self, time: u64, thread: u64, (cpu, wait): (u64, u64)) -> &mut Self {
        let mut fields = Vec::new();
        for value in [thread, time, cpu, wait] {
            number(value, &mut fields);
        }
        let mut record = vec![13, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    /// The value of a counter.
    pub(crate) fn counter(&mut self, time: u64, name: &str, value: u64) -> &mut Self {
        let mut fields = Vec::new();
        number(name.len() as u64, &mut fields);
        fields.extend_from_slice(name.as_bytes());
        number(1_000 + time, &mut fields);
        number(value << 1, &mut fields);
        let mut record = vec![5, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    /// The thread had no processor from then on for so long; the kernel took it away or not.
    pub(crate) fn off(&mut self, time: u64, thread: u64, ns: u64, preempted: bool) -> &mut Self {
        let mut fields = Vec::new();
        for value in [1_000 + time, thread, ns, u64::from(preempted)] {
            number(value, &mut fields);
        }
        let mut record = vec![19, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    /// A source had so many records more than its budget.
    pub(crate) fn thinned(&mut self, time: u64, source: &str, records: u8) -> &mut Self {
        let mut fields = Vec::new();
        number(1_000 + time, &mut fields);
        number(source.len() as u64, &mut fields);
        fields.extend_from_slice(source.as_bytes());
        fields.push(records);
        let mut record = vec![20, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    /// A flow that runs when the trace begins.
    pub(crate) fn runs(&mut self, time: u64, thread: u64, go: u64, root: &str) -> &mut Self {
        let stack = self.stack(root);
        self.event(
            time,
            thread,
            format!("GoStatusStack go={go} thread={thread} status=Running stack={stack}"),
        )
    }

    /// A flow that is ready when the trace begins.
    pub(crate) fn is_ready(&mut self, time: u64, thread: u64, go: u64) -> &mut Self {
        self.event(
            time,
            thread,
            format!("GoStatus go={go} thread=0 status=Runnable"),
        )
    }

    /// A flow that waits when the trace begins.
    pub(crate) fn waits(&mut self, time: u64, go: u64, root: &str) -> &mut Self {
        let stack = self.stack(root);
        self.event(
            time,
            1,
            format!("GoStatusStack go={go} thread=0 status=Waiting stack={stack}"),
        )
    }

    pub(crate) fn spawn(&mut self, time: u64, thread: u64, go: u64, root: &str) -> &mut Self {
        let stack = self.stack(root);
        self.event(
            time,
            thread,
            format!("GoCreate go={go} go_stack={stack} stack=0"),
        )
    }

    pub(crate) fn start(&mut self, time: u64, thread: u64, go: u64) -> &mut Self {
        let seq = self.next(go);
        self.event(time, thread, format!("GoStart go={go} seq={seq}"))
    }

    pub(crate) fn block(&mut self, time: u64, thread: u64, reason: &str, at: &str) -> &mut Self {
        let (reason, stack) = (self.string(reason), self.stack(at));
        self.event(
            time,
            thread,
            format!("GoBlock reason={reason} stack={stack}"),
        )
    }

    pub(crate) fn stop(&mut self, time: u64, thread: u64, reason: &str) -> &mut Self {
        let reason = self.string(reason);
        self.event(time, thread, format!("GoStop reason={reason} stack=0"))
    }

    pub(crate) fn wake(&mut self, time: u64, thread: u64, go: u64) -> &mut Self {
        self.wake_at(time, thread, go, "")
    }

    /// A wake that the recorder concluded from the run that follows.
    pub(crate) fn unseen_wake(&mut self, time: u64, thread: u64, go: u64) -> &mut Self {
        self.wake_at(time, thread, go, "(wake not seen)")
    }

    pub(crate) fn wake_at(&mut self, time: u64, thread: u64, go: u64, at: &str) -> &mut Self {
        let (seq, stack) = (self.next(go), self.stack(at));
        self.event(
            time,
            thread,
            format!("GoUnblock go={go} seq={seq} stack={stack}"),
        )
    }

    pub(crate) fn end(&mut self, time: u64, thread: u64) -> &mut Self {
        self.event(time, thread, "GoDestroy".to_owned())
    }

    pub(crate) fn call(&mut self, begin: u64, end: u64, thread: u64, at: &str) -> &mut Self {
        let stack = self.stack(at);
        let seq = {
            let sequence = self.sequence.entry(1 << 32 | thread).or_default();
            *sequence += 1;
            *sequence
        };
        self.event(
            begin,
            thread,
            format!("GoSyscallBegin proc_seq={seq} stack={stack}"),
        );
        self.event(end, thread, "GoSyscallEnd".to_owned())
    }

    /// What runs on the thread waits in a call, and runs on there.
    pub(crate) fn waits_in_call(
        &mut self,
        (begin, end): (u64, u64),
        thread: u64,
        go: u64,
        (reason, at): (&str, &str),
    ) -> &mut Self {
        self.block(begin, thread, reason, at)
            .wake(end - 1, thread, go)
            .start(end, thread, go)
    }

    /// The call of a flow that began then has failed.
    pub(crate) fn failed(&mut self, begin: u64, go: u64, errno: u64) -> &mut Self {
        self.record(15, &[1_000 + begin, go, errno], None)
    }

    /// Side data say where the flow's call that began then was made.
    pub(crate) fn made_at(&mut self, begin: u64, go: u64, stack: &str) -> &mut Self {
        let stack = self.stack(stack) as u64;
        self.record(23, &[1_000 + begin, go, stack], None)
    }

    /// A thread waited in the driver of its runtime; so many sources were ready then.
    pub(crate) fn waits_in_driver(
        &mut self,
        (begin, end): (u64, u64),
        thread: u64,
        ready: u64,
    ) -> &mut Self {
        self.record(16, &[1_000 + begin, thread, end - begin, ready], None)
    }

    /// Calls of a flow were counted: how many, and how long they took.
    pub(crate) fn counted(
        &mut self,
        time: u64,
        go: u64,
        call: &str,
        (calls, total): (u64, u64),
    ) -> &mut Self {
        let rest = (call, [calls, total]);
        self.record(14, &[1_000 + time, 1, go, 0], Some(rest))
    }

    /// The trace says something of itself.
    /// A sampled allocation of the flow for a user task, before or after the begin of the trace.
    pub(crate) fn heap_sample(
        &mut self,
        time: u64,
        of: (u64, u64),
        sample: HeapRow<'_>,
    ) -> &mut Self {
        let stack = self.stack(sample.stack) as u64;
        let is_before = u64::from(sample.is_from_before);
        let HeapRow {
            number,
            size,
            interval,
            ..
        } = sample;
        let fields = [
            1_000 + time,
            1,
            of.0,
            of.1,
            number,
            size,
            interval,
            stack,
            is_before,
        ];
        self.record(21, &fields, None)
    }

    /// It was freed.
    pub(crate) fn heap_free(&mut self, time: u64, number: u64) -> &mut Self {
        self.record(22, &[1_000 + time, number], None)
    }

    pub(crate) fn capability(&mut self, key: &str, value: &str) -> &mut Self {
        let mut fields = vec![1];
        for text in [key, value] {
            number(text.len() as u64, &mut fields);
            fields.extend_from_slice(text.as_bytes());
        }
        let mut record = vec![1, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    fn record(&mut self, kind: u8, first: &[u64], rest: Option<(&str, [u64; 2])>) -> &mut Self {
        let mut fields = Vec::new();
        first.iter().for_each(|&value| number(value, &mut fields));
        if let Some((text, values)) = rest {
            number(text.len() as u64, &mut fields);
            fields.extend_from_slice(text.as_bytes());
            values.iter().for_each(|&value| number(value, &mut fields));
        }
        let mut record = vec![kind, fields.len() as u8];
        record.append(&mut fields);
        self.records.push(record);
        self
    }

    pub(crate) fn task(
        &mut self,
        time: u64,
        thread: u64,
        task: u64,
        parent: u64,
        name: &str,
    ) -> &mut Self {
        self.task_at(time, thread, (task, parent, name), "")
    }

    /// A user task that carries a concurrent span.
    pub(crate) fn carrier(&mut self, time: u64, thread: u64, task: (u64, u64, &str)) -> &mut Self {
        self.task_at(time, thread, task, "here<(concurrent span)")
    }

    pub(crate) fn task_at(
        &mut self,
        time: u64,
        thread: u64,
        (task, parent, name): (u64, u64, &str),
        at: &str,
    ) -> &mut Self {
        let (name, stack) = (self.string(name), self.stack(at));
        self.event(
            time,
            thread,
            format!("UserTaskBegin task={task} parent={parent} name={name} stack={stack}"),
        )
    }

    pub(crate) fn task_end(&mut self, time: u64, thread: u64, task: u64) -> &mut Self {
        self.event(time, thread, format!("UserTaskEnd task={task} stack=0"))
    }

    pub(crate) fn region(&mut self, time: u64, thread: u64, task: u64, name: &str) -> &mut Self {
        let (name, stack) = (self.string(name), self.stack("here"));
        self.event(
            time,
            thread,
            format!("UserRegionBegin task={task} name={name} stack={stack}"),
        )
    }

    pub(crate) fn region_end(
        &mut self,
        time: u64,
        thread: u64,
        task: u64,
        name: &str,
    ) -> &mut Self {
        self.region_end_at(time, thread, (task, name), "")
    }

    /// The end of a region that is no span by itself.
    pub(crate) fn part_end(&mut self, time: u64, thread: u64, task: u64, name: &str) -> &mut Self {
        self.region_end_at(time, thread, (task, name), "(part of a span)")
    }

    fn region_end_at(
        &mut self,
        time: u64,
        thread: u64,
        (task, name): (u64, &str),
        at: &str,
    ) -> &mut Self {
        let (name, stack) = (self.string(name), self.stack(at));
        self.event(
            time,
            thread,
            format!("UserRegionEnd task={task} name={name} stack={stack}"),
        )
    }

    pub(crate) fn log(&mut self, time: u64, thread: u64, task: u64, message: &str) -> &mut Self {
        let (key, value) = (self.string("key"), self.string(message));
        self.event(
            time,
            thread,
            format!("UserLog task={task} category={key} message={value} stack=0"),
        )
    }

    /// The thread gives its worker up and goes on as another, which is free; once.
    pub(crate) fn takes_worker(&mut self, time: u64, thread: u64, worker: u64) -> &mut Self {
        self.park(time, thread)
            .event(time + 1, thread, format!("ProcStart proc={worker} seq=1"))
    }

    /// The worker goes to sleep.
    pub(crate) fn park(&mut self, time: u64, thread: u64) -> &mut Self {
        self.event(time, thread, "ProcStop".to_owned())
    }

    fn text(&self) -> String {
        let mut text =
            "go 1.25\ngeneration 1\nbatch m=0 time=1000 sync\n  frequency 1000000000\n  \
                        clock +0 mono=0 sec=0 nsec=0\n"
                .to_owned();
        text.push_str("batch m=0 time=1000 strings\n");
        for (string, id) in self.strings.iter().zip(1..) {
            _ = writeln!(text, "  string {id} {string:?}");
        }
        text.push_str("batch m=0 time=1000 stacks\n");
        for (stack, id) in self.stacks.iter().zip(1..) {
            _ = writeln!(text, "  stack {id} {stack}");
        }
        if !self.workers.is_empty() || !self.records.is_empty() {
            text.push_str("experimental 1 m=0 time=1000\n  data \"exectrace\\x01");
            for (worker, name) in &self.workers {
                let (length, fields) = (name.len(), name.len() + 2);
                _ = write!(
                    text,
                    "\\x03\\x{fields:02x}\\x{worker:02x}\\x{length:02x}{name}"
                );
            }
            for byte in self.records.iter().flatten() {
                _ = write!(text, "\\x{byte:02x}");
            }
            text.push_str("\"\n");
        }
        for (thread, events) in &self.events {
            let mut now = 0;
            _ = writeln!(text, "batch m={thread} time=1000 events");
            for (time, event) in events {
                _ = writeln!(text, "  +{} {event}", time - now);
                now = *time;
            }
        }
        text
    }

    /// The bytes of the trace.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let text = self.text();
        text::parse(&text).unwrap_or_else(|error| panic!("{error:?} in\n{text}"))
    }

    pub(crate) fn analyse(&self, options: &Options) -> Analysis {
        let bytes = self.bytes();
        let mut reader = Reader::new(bytes.as_slice()).expect("a trace");
        let analysis = Analysis::read(&mut reader, options);
        assert!(
            analysis.damage.is_none(),
            "{:?} in\n{}",
            analysis.damage,
            self.text()
        );
        analysis
    }
}
