//! Chrome's trace event JSON, for older viewers: an array of begins, ends and instants.
//!
//! What Chrome calls a process is here a kind of row: workers, threads, async tasks, their regions,
//! user tasks, garbage collection, and the program, which has the counters. Slices of a row nest as they do in the trace. User
//! tasks overlap, so they are asynchronous events, told apart by their numbers.

mod json;

use std::io::{BufWriter, Read, Write};
use std::rc::Rc;

use exectrace_format::{GoId, ProcId, RangeScope, Reader, SideRecord, TaskId, ThreadId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::story::{
    End, Fact, Lane, Log, Next, Region, Run, Scene, Sink, Stack, State, Task, UserTask, Wake, tell,
};
use json::{Event, Events, Row, Value};

const WORKERS: u32 = 1;
const THREADS: u32 = 2;
const TASKS: u32 = 3;
const REGIONS: u32 = 4;
const USER_TASKS: u32 = 5;
const RANGES: u32 = 6;
const PROGRAM: u32 = 7;

/// What the kinds of rows are called.
const KINDS: [(u32, &str); 7] = [
    (WORKERS, "Workers"),
    (THREADS, "Threads"),
    (TASKS, "Async tasks"),
    (REGIONS, "Regions"),
    (USER_TASKS, "User tasks"),
    (RANGES, "Garbage collection"),
    (PROGRAM, "Program"),
];

/// Writes Chrome's trace event JSON.
///
/// Times are those of the trace, in microseconds with nanoseconds behind the point; what is before
/// zero is put at zero, as viewers drop it. A line is some hundred bytes, and an event of the trace
/// makes some four of them with all rows, so a trace of more than a million events is better exported to [`perfetto()`](crate::perfetto()). Memory: what is open, and the
/// names and stacks of the trace.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn chrome<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let mut sink = Chrome {
        events: Events::begin(BufWriter::new(out))?,
        options,
        named: FxHashSet::default(),
        flows: FxHashSet::default(),
        named_kinds: [false; KINDS.len()],
        stacks: FxHashMap::default(),
    };
    let mut exported = tell(reader, &mut sink)?;
    exported.items = sink.events.written;
    sink.events.finish()?;
    Ok(exported)
}

struct Chrome<'a, W> {
    events: Events<W>,
    options: &'a Options,
    /// Rows that have a name; those of async tasks as long as they live.
    named: FxHashSet<Row>,
    /// Wakes that have begun an arrow which has not arrived.
    flows: FxHashSet<u64>,
    /// Kinds of rows that have a name, by their number.
    named_kinds: [bool; KINDS.len()],
    stacks: FxHashMap<Stack, Rc<str>>,
}

impl<W: Write> Sink for Chrome<'_, W> {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        match fact {
            Fact::TaskNamed(task) => self.name_task(task, scene),
            Fact::TaskGone(task) => {
                for row in rows_of(task.id) {
                    self.named.remove(&row);
                }
                Ok(())
            }
            Fact::Entered(task) => self.enter(task, scene),
            Fact::Left { task, end, .. } if self.options.tasks => self.end(
                time,
                Row {
                    pid: TASKS,
                    tid: task.id.0,
                },
                end,
                &[],
            ),
            Fact::RunBegan { lane, run } => self.begin_run(lane, run, scene),
            Fact::RunEnded {
                lane, next, end, ..
            } => self.end_run(time, lane, next, end, scene),
            Fact::SyscallBegan { lane, run, stack } => self.begin_syscall(lane, run, stack, scene),
            Fact::SyscallEnded { lane, end, .. } => match self.lane(lane, scene)? {
                Some(row) => self.end(time, row, end, &[]),
                None => Ok(()),
            },
            Fact::WorkerHeld { worker, thread } => {
                self.hand_over(time, "unpark", worker, thread, scene)
            }
            Fact::WorkerFreed { worker, thread } => {
                self.hand_over(time, "park", worker, thread, scene)
            }
            Fact::Wake(wake) => self.wake(time, wake, scene),
            Fact::RegionBegan { task, region } => self.begin_region(task, region, scene),
            Fact::RegionEnded { task, region, end } if self.options.tasks => {
                if !region.begin_told {
                    self.begin_region(task, region, scene)?;
                }
                self.end(
                    time,
                    Row {
                        pid: REGIONS,
                        tid: task.id.0,
                    },
                    end,
                    &[],
                )
            }
            Fact::UserTaskBegan(user_task) => {
                self.user_task(user_task.begin, "b", &user_task, scene)
            }
            Fact::UserTaskEnded { user_task, end } if end != End::WithTrace => {
                self.user_task(time, "e", &user_task, scene)
            }
            Fact::Log(log) => self.log(time, log, scene),
            Fact::Metric { name, value } => self.counter(time, name, Value::Number(value)),
            Fact::RangeBegan { scope, name, begin } => {
                let row = self.range(scope, scene)?;
                let name = scene.book.text(name);
                self.put(
                    begin,
                    row,
                    &Event {
                        phase: "B",
                        category: "gc",
                        name,
                        ..Event::default()
                    },
                )
            }
            Fact::RangeEnded { scope, end, .. } => {
                let row = self.range(scope, scene)?;
                self.end(time, row, end, &[])
            }
            Fact::Sample {
                task,
                worker,
                thread,
                stack,
                ..
            } => self.sample(time, (task, worker, thread), stack, scene),
            Fact::Side(record) => self.side(time, record, scene),
            _ => Ok(()),
        }
    }
}

impl<W: Write> Chrome<'_, W> {
    /// Names the kind of a row, unless it has its name already: viewers show kinds without rows.
    fn name_kind(&mut self, row: Row) -> Result<(), ExportError> {
        for ((pid, kind), is_named) in KINDS.into_iter().zip(&mut self.named_kinds) {
            if pid != row.pid || std::mem::replace(is_named, true) {
                continue;
            }
            let row = Row { pid, tid: 0 };
            let name = format!("{}: {kind}", self.options.process_name);
            self.metadata(row, "process_name", ("name", Value::Text(&name)))?;
            let rank = Value::Number(u64::from(pid));
            return self.metadata(row, "process_sort_index", ("sort_index", rank));
        }
        Ok(())
    }

    /// A stack as text; most stacks come often.
    fn stack(&mut self, stack: Stack, scene: &Scene) -> Rc<str> {
        let text = self.stacks.entry(stack);
        Rc::clone(text.or_insert_with(|| scene.book.stack_text(stack).into()))
    }

    fn metadata(
        &mut self,
        row: Row,
        name: &str,
        argument: (&str, Value<'_>),
    ) -> Result<(), ExportError> {
        let arguments = &[argument];
        self.events.write(
            None,
            row,
            &Event {
                phase: "M",
                name,
                arguments,
                ..Event::default()
            },
        )
    }

    /// Names a row, unless it has its name already.
    fn name_row(&mut self, row: Row, title: impl FnOnce() -> String) -> Result<Row, ExportError> {
        if self.named.insert(row) {
            self.metadata(row, "thread_name", ("name", Value::Text(&title())))?;
        }
        Ok(row)
    }

    fn name_task(&mut self, task: &Task, scene: &Scene) -> Result<(), ExportError> {
        for row in rows_of(task.id) {
            // A name that became known later replaces the number.
            if self.named.contains(&row) {
                let title = task.title(&scene.book);
                self.metadata(row, "thread_name", ("name", Value::Text(&title)))?;
            }
        }
        Ok(())
    }

    fn put(&mut self, time: i64, row: Row, event: &Event<'_>) -> Result<(), ExportError> {
        self.name_kind(row)?;
        self.events.write(Some(time.max(0)), row, event)
    }

    fn end(
        &mut self,
        time: i64,
        row: Row,
        end: End,
        arguments: &[(&str, Value<'_>)],
    ) -> Result<(), ExportError> {
        if end == End::WithTrace {
            return Ok(());
        }
        self.put(
            time,
            row,
            &Event {
                phase: "E",
                arguments,
                ..Event::default()
            },
        )
    }

    // ------------------------------------------------------------------------- tasks and their runs

    fn enter(&mut self, task: &Task, scene: &Scene) -> Result<(), ExportError> {
        let (true, Some(now)) = (self.options.tasks, task.now) else {
            return Ok(());
        };
        let row = Row {
            pid: TASKS,
            tid: task.id.0,
        };
        self.name_row(row, || task.title(&scene.book))?;
        let name = scene.state_title(&now);
        let stack = self.stack(now.stack, scene);
        let waker = match now.ready {
            Some(ready) if ready.waker != GoId::NONE && now.state == State::Runnable => {
                scene.task_title(ready.waker)
            }
            _ => String::new(),
        };
        let worker = Value::Number(if now.state.is_executing() {
            now.worker.0
        } else {
            u64::MAX
        });
        self.put(
            now.begin,
            row,
            &Event {
                phase: "B",
                category: "task",
                name: &name,
                arguments: &[
                    ("worker", worker),
                    ("woken by", Value::Text(&waker)),
                    ("stack", Value::Text(&stack)),
                ],
                ..Event::default()
            },
        )
    }

    /// The row of a lane, if it is to be shown.
    fn lane(&mut self, lane: Lane, scene: &Scene) -> Result<Option<Row>, ExportError> {
        let (is_shown, pid, tid) = match lane {
            Lane::Worker(id) => (self.options.workers, WORKERS, id.0),
            Lane::Thread(id) => (self.options.threads, THREADS, id.0),
        };
        if !is_shown {
            return Ok(None);
        }
        self.name_row(Row { pid, tid }, || scene.lane_title(lane))
            .map(Some)
    }

    fn begin_run(&mut self, lane: Lane, run: Run, scene: &Scene) -> Result<(), ExportError> {
        let Some(row) = self.lane(lane, scene)? else {
            return Ok(());
        };
        let place = match lane {
            Lane::Worker(_) => ("thread", Value::Number(run.thread.0)),
            Lane::Thread(_) => ("worker", Value::Number(run.worker.0)),
        };
        let delay = run
            .ready
            .map_or(u64::MAX, |ready| run.begin.abs_diff(ready.since));
        self.put(
            run.begin,
            row,
            &Event {
                phase: "B",
                category: "run",
                name: &scene.task_name(run.task),
                arguments: &[
                    ("task", Value::Number(run.task.0)),
                    place,
                    ("ready before, ns", Value::Number(delay)),
                ],
                ..Event::default()
            },
        )?;
        let wake = run.ready.map_or(0, |ready| ready.wake);
        if matches!(lane, Lane::Worker(_)) && self.flows.remove(&wake) {
            return self.flow(run.begin, row, "f", wake);
        }
        Ok(())
    }

    fn flow(&mut self, time: i64, row: Row, phase: &str, wake: u64) -> Result<(), ExportError> {
        let id = Some(wake);
        self.put(
            time,
            row,
            &Event {
                phase,
                category: "wake",
                name: "wake",
                id,
                arguments: &[],
            },
        )
    }

    fn end_run(
        &mut self,
        time: i64,
        lane: Lane,
        next: Next,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let Some(row) = self.lane(lane, scene)? else {
            return Ok(());
        };
        let stack = self.stack(next.stack, scene);
        self.end(
            time,
            row,
            end,
            &[
                ("then", Value::Text(next.state.map_or("ended", State::name))),
                ("reason", Value::Text(scene.book.text(next.reason))),
                ("stack", Value::Text(&stack)),
            ],
        )
    }

    fn begin_syscall(
        &mut self,
        lane: Lane,
        run: Run,
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let Some(row) = self.lane(lane, scene)? else {
            return Ok(());
        };
        let stack = self.stack(stack, scene);
        self.put(
            run.syscall.unwrap_or(run.begin),
            row,
            &Event {
                phase: "B",
                category: "syscall",
                name: "syscall",
                arguments: &[("stack", Value::Text(&stack))],
                ..Event::default()
            },
        )
    }

    fn instant(
        &mut self,
        time: i64,
        row: Row,
        (category, name): (&str, &str),
        arguments: &[(&str, Value<'_>)],
    ) -> Result<(), ExportError> {
        self.put(
            time,
            row,
            &Event {
                phase: "i",
                category,
                name,
                arguments,
                ..Event::default()
            },
        )
    }

    fn hand_over(
        &mut self,
        time: i64,
        name: &str,
        worker: ProcId,
        thread: ThreadId,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        match self.lane(Lane::Worker(worker), scene)? {
            Some(row) => self.instant(
                time,
                row,
                ("worker", name),
                &[("thread", Value::Number(thread.0))],
            ),
            None => Ok(()),
        }
    }

    /// The row of what concerns no worker, thread or task.
    fn program(&mut self) -> Result<Row, ExportError> {
        let row = Row {
            pid: PROGRAM,
            tid: 0,
        };
        self.name_row(row, || "program".to_owned())
    }

    /// The row that best shows what somebody did.
    fn place(
        &mut self,
        task: GoId,
        worker: ProcId,
        thread: ThreadId,
        scene: &Scene,
    ) -> Result<Row, ExportError> {
        if worker != ProcId::NONE
            && let Some(row) = self.lane(Lane::Worker(worker), scene)?
        {
            return Ok(row);
        }
        if let (true, Some(task)) = (self.options.tasks, scene.tasks.get(&task)) {
            let row = Row {
                pid: TASKS,
                tid: task.id.0,
            };
            return self.name_row(row, || task.title(&scene.book));
        }
        if thread != ThreadId::NONE
            && let Some(row) = self.lane(Lane::Thread(thread), scene)?
        {
            return Ok(row);
        }
        self.program()
    }

    fn wake(&mut self, time: i64, wake: Wake, scene: &Scene) -> Result<(), ExportError> {
        let row = self.place(wake.waker, wake.worker, wake.thread, scene)?;
        let name = if wake.is_spawn { "spawn" } else { "wake" };
        let woken = scene.task_title(wake.woken);
        self.instant(time, row, ("wake", name), &[("task", Value::Text(&woken))])?;
        // An arrow begins at a slice; a waker that runs nothing has none.
        if wake.waker != GoId::NONE && self.options.workers {
            self.flows.insert(wake.number);
            return self.flow(time, row, "s", wake.number);
        }
        Ok(())
    }

    // --------------------------------------------------------------------------------- annotations

    fn begin_region(
        &mut self,
        task: &Task,
        region: Region,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        let row = Row {
            pid: REGIONS,
            tid: task.id.0,
        };
        self.name_row(row, || task.title(&scene.book))?;
        let stack = self.stack(region.stack, scene);
        self.put(
            region.begin,
            row,
            &Event {
                phase: "B",
                category: "region",
                name: scene.book.text(region.name),
                arguments: &[
                    ("user task", user_task_value(region.user_task)),
                    ("stack", Value::Text(&stack)),
                ],
                ..Event::default()
            },
        )
    }

    fn user_task(
        &mut self,
        time: i64,
        phase: &str,
        user_task: &UserTask,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let told = [
            ("user task", Value::Number(user_task.id.0)),
            ("parent", user_task_value(user_task.parent)),
            ("began in task", Value::Number(user_task.task.0)),
        ];
        self.put(
            time,
            Row {
                pid: USER_TASKS,
                tid: 0,
            },
            &Event {
                phase,
                category: "user task",
                name: scene.book.text(user_task.name),
                id: Some(user_task.id.0),
                arguments: if phase == "b" { &told } else { &[] },
            },
        )
    }

    fn log(&mut self, time: i64, log: Log<'_>, scene: &Scene) -> Result<(), ExportError> {
        let stack = self.stack(log.stack, scene);
        let arguments = [
            ("category", Value::Text(log.category)),
            ("task", Value::Number(log.task.0)),
            ("user task", user_task_value(log.user_task)),
            ("stack", Value::Text(&stack)),
        ];
        let is_of_open = scene.user_tasks.contains_key(&log.user_task);
        if is_of_open && self.options.user_tasks {
            let id = Some(log.user_task.0);
            let row = Row {
                pid: USER_TASKS,
                tid: 0,
            };
            let (phase, category, name) = ("n", "user task", log.message);
            return self.put(
                time,
                row,
                &Event {
                    phase,
                    category,
                    name,
                    id,
                    arguments: &arguments,
                },
            );
        }
        let row = if self.options.tasks && scene.tasks.contains_key(&log.task) {
            let row = Row {
                pid: REGIONS,
                tid: log.task.0,
            };
            self.name_row(row, || scene.task_title(log.task))?
        } else {
            self.place(log.task, log.worker, log.thread, scene)?
        };
        self.instant(time, row, ("log", log.message), &arguments)
    }

    fn counter(&mut self, time: i64, name: &str, value: Value<'_>) -> Result<(), ExportError> {
        self.put(
            time,
            Row {
                pid: PROGRAM,
                tid: 0,
            },
            &Event {
                phase: "C",
                name,
                arguments: &[("value", value)],
                ..Event::default()
            },
        )
    }

    fn range(&mut self, scope: RangeScope, scene: &Scene) -> Result<Row, ExportError> {
        // Two kinds of ids in one kind of row: workers get the even numbers, async tasks the odd.
        let tid = match scope {
            RangeScope::Global => 0,
            RangeScope::Proc(worker) => worker.0.saturating_add(1).saturating_mul(2),
            RangeScope::Go(task) => range_row_of(task).tid,
        };
        self.name_row(Row { pid: RANGES, tid }, || scene.range_title(scope))
    }

    fn sample(
        &mut self,
        time: i64,
        (task, worker, thread): (GoId, ProcId, ThreadId),
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let row = self.place(task, worker, thread, scene)?;
        let stack = self.stack(stack, scene);
        self.instant(
            time,
            row,
            ("sample", "CPU sample"),
            &[("stack", Value::Text(&stack))],
        )
    }

    fn side(&mut self, now: i64, record: &SideRecord, scene: &Scene) -> Result<(), ExportError> {
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        match record {
            SideRecord::Counter {
                name,
                time_ns,
                value,
            } => self.counter(at(*time_ns), name, Value::Signed(*value)),
            SideRecord::Lost {
                time_ns,
                thread,
                records,
            } => {
                let arguments = [
                    ("thread", Value::Number(thread.0)),
                    ("records", Value::Number(*records)),
                ];
                let row = self.program()?;
                self.instant(at(*time_ns), row, ("trace", "records lost"), &arguments)
            }
            SideRecord::Link { time_ns, from, to } => {
                let arguments = [("user task", Value::Number(from.0))];
                let (category, name) = ("user task", "follows from");
                if self.options.user_tasks && scene.user_tasks.contains_key(to) {
                    let row = Row {
                        pid: USER_TASKS,
                        tid: 0,
                    };
                    return self.put(
                        at(*time_ns),
                        row,
                        &Event {
                            phase: "n",
                            category,
                            name,
                            id: Some(to.0),
                            arguments: &arguments,
                        },
                    );
                }
                let row = self.program()?;
                self.instant(at(*time_ns), row, (category, name), &arguments)
            }
            SideRecord::Capabilities { pairs } => {
                for (key, value) in pairs {
                    let row = self.program()?;
                    let arguments = [("value", Value::Text(value))];
                    self.instant(now, row, ("trace", key), &arguments)?;
                }
                Ok(())
            }
            SideRecord::GeneratedBy { name, version } => {
                let arguments = [("version", Value::Text(version))];
                let row = self.program()?;
                self.instant(now, row, ("trace", name), &arguments)
            }
            _ => Ok(()),
        }
    }
}

/// The rows that an async task may have.
fn rows_of(task: GoId) -> [Row; 3] {
    let row = |pid| Row { pid, tid: task.0 };
    [row(TASKS), row(REGIONS), range_row_of(task)]
}

fn range_row_of(task: GoId) -> Row {
    let tid = task.0.saturating_mul(2).saturating_add(1);
    Row { pid: RANGES, tid }
}

/// The number of a user task; none where there is no task.
fn user_task_value(id: TaskId) -> Value<'static> {
    Value::Number(if id == TaskId::BACKGROUND {
        TaskId::NONE.0
    } else {
        id.0
    })
}
