//! Perfetto's protobuf: a stream of packets, each a begin, an end, an instant or a value.
//!
//! `schema` holds the messages, `packets` writes them, `rows` names the tracks they lie on. Slices
//! nest on their track by construction: states of a task follow each other, runs of a lane hold at
//! most one system call, and regions of a task nest in every trace that the reader accepts.
//!
//! A wake is an instant where the waker ran, and a flow from there to the run it led to. What the
//! trace ends in the middle of stays without an end, which Perfetto shows as such.

mod packets;
mod rows;
mod schema;

use std::io::{BufWriter, Read, Write};

use exectrace_format::{GoId, ProcId, Reader, SideRecord, SyncClock, TaskId, ThreadId};

use crate::error::{ExportError, Exported};
use crate::options::Options;
use crate::story::{
    End, Fact, Lane, Log, Next, Region, Run, Scene, Sink, Stack, State, Task, Text, UserTask, Wake,
    tell,
};
use packets::{Packets, Value};
use rows::{PROCESS, Rows};
use schema::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, COUNTER, Clock, ClockSnapshot, INSTANT,
    PerfSample, SLICE_BEGIN, SLICE_END, TracePacket, TrackEvent,
};

/// Writes a Perfetto trace (`.pftrace`), which ui.perfetto.dev opens and its trace processor
/// queries.
///
/// Times are those of the trace. Slices carry their async task, why a run ended and where, and how
/// long it was ready before, as arguments. Memory: what is open, the names and stacks of the trace,
/// and at most 100,000 numbers of such.
///
/// # Errors
///
/// The output fails. Damage of the trace is no error: see [`Exported::damage`].
pub fn perfetto<R: Read, W: Write>(
    reader: Reader<R>,
    out: W,
    options: &Options,
) -> Result<Exported, ExportError> {
    let mut packets = Packets::new(BufWriter::new(out));
    let rows = Rows::new(&options.process_name, &mut packets)?;
    let mut sink = Perfetto {
        packets,
        rows,
        options,
        items: 0,
    };
    let mut exported = tell(reader, &mut sink)?;
    sink.rows.finish(&mut sink.packets)?;
    sink.packets.flush()?;
    exported.items = sink.items;
    Ok(exported)
}

struct Perfetto<'a, W> {
    packets: Packets<W>,
    rows: Rows,
    options: &'a Options,
    /// Slices, instants, counter values and samples.
    items: u64,
}

type Arguments<'a> = [(&'static str, Value<'a>)];

impl<W: Write> Sink for Perfetto<'_, W> {
    fn fact(&mut self, time: i64, fact: Fact<'_>, scene: &Scene) -> Result<(), ExportError> {
        self.packets.make_room();
        match fact {
            Fact::Sync(clock) => clock.map_or(Ok(()), |clock| self.clock(clock)),
            Fact::TheEnd => Ok(()),
            Fact::TaskNamed(task) if task.name != Text::EMPTY => {
                self.rows.describe_task(task, scene, &mut self.packets)
            }
            // A label alone says too little.
            Fact::TaskNamed(_) => Ok(()),
            Fact::Entered(task) => self.enter(task, scene),
            Fact::Left { task, end, .. } => self.leave(time, task, end, scene),
            Fact::TaskGone(task) => {
                self.rows.describe_task(task, scene, &mut self.packets)?;
                self.rows.forget_task(task.id);
                Ok(())
            }
            Fact::RunBegan { lane, run } => self.begin_run(lane, run, scene),
            Fact::RunEnded {
                lane,
                run,
                next,
                end,
            } => self.end_run(time, lane, run, next, end, scene),
            Fact::SyscallBegan { lane, run, stack } => self.begin_syscall(lane, run, stack, scene),
            Fact::SyscallEnded { lane, end, .. } => self.end_on_lane(time, lane, end, scene),
            Fact::WorkerHeld { worker, thread } => {
                self.hand_over(time, "unpark", worker, thread, scene)
            }
            Fact::WorkerFreed { worker, thread } => {
                self.hand_over(time, "park", worker, thread, scene)
            }
            Fact::Wake(wake) => self.wake(time, wake, scene),
            Fact::RegionBegan { task, region } => self.begin_region(task, region, scene),
            Fact::RegionEnded { task, region, end } => {
                self.end_region(time, task, region, end, scene)
            }
            Fact::UserTaskBegan(user_task) => self.begin_user_task(user_task, scene),
            Fact::UserTaskEnded { user_task, end } => {
                self.end_user_task(time, user_task, end, scene)
            }
            Fact::Log(log) => self.log(time, log, scene),
            Fact::Metric { name, value } => {
                self.counter(time, name, i64::try_from(value).unwrap_or(i64::MAX))
            }
            Fact::RangeBegan { scope, name, begin } => {
                let track = self.rows.range(scope, scene, &mut self.packets)?;
                self.begin(begin, track, "gc", scene.book.text(name), &[], scene)
            }
            Fact::RangeEnded { scope, end, .. } => {
                let track = self.rows.range(scope, scene, &mut self.packets)?;
                self.end(time, track, end, &[], scene)
            }
            Fact::Sample { thread, stack, .. } => self.sample(time, thread, stack, scene),
            Fact::Side(record) => self.side(record, scene),
        }
    }
}

impl<W: Write> Perfetto<'_, W> {
    fn clock(&mut self, clock: SyncClock) -> Result<(), ExportError> {
        let snapshot = clock.snapshot;
        let unix_ns = snapshot
            .unix_seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(snapshot.unix_nanoseconds));
        let clocks = vec![
            Clock {
                clock_id: CLOCK_BOOTTIME,
                timestamp: stamp(clock.time.0),
            },
            Clock {
                clock_id: CLOCK_MONOTONIC,
                timestamp: snapshot.monotonic_ns,
            },
            Clock {
                clock_id: CLOCK_REALTIME,
                timestamp: unix_ns,
            },
        ];
        self.packets.write(TracePacket {
            clock_snapshot: Some(ClockSnapshot { clocks }),
            ..TracePacket::default()
        })
    }

    // ------------------------------------------------------------------------------------ slices

    fn event(&mut self, time: i64, event: TrackEvent) -> Result<(), ExportError> {
        if event.r#type != SLICE_END {
            self.items += 1;
        }
        self.packets.write(TracePacket {
            timestamp: Some(stamp(time)),
            track_event: Some(event),
            ..TracePacket::default()
        })
    }

    fn named(
        &mut self,
        kind: i32,
        track: u64,
        (category, name): (&str, &str),
        arguments: &Arguments<'_>,
        scene: &Scene,
    ) -> TrackEvent {
        TrackEvent {
            r#type: kind,
            track_uuid: track,
            category_iids: vec![self.packets.category(category)],
            name_iid: Some(self.packets.name(name)),
            debug_annotations: self.arguments(arguments, scene),
            ..TrackEvent::default()
        }
    }

    fn arguments(
        &mut self,
        arguments: &Arguments<'_>,
        scene: &Scene,
    ) -> Vec<schema::DebugAnnotation> {
        let told = arguments.iter().filter(|(_, value)| match value {
            Value::Stack(stack) => *stack != Stack::NONE,
            Value::Name(text) | Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != u64::MAX,
        });
        told.map(|&(key, value)| self.packets.argument(key, value, &scene.book))
            .collect()
    }

    fn begin(
        &mut self,
        time: i64,
        track: u64,
        category: &str,
        name: &str,
        arguments: &Arguments<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let event = self.named(SLICE_BEGIN, track, (category, name), arguments, scene);
        self.event(time, event)
    }

    fn end(
        &mut self,
        time: i64,
        track: u64,
        end: End,
        arguments: &Arguments<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if end == End::WithTrace {
            return Ok(());
        }
        let event = TrackEvent {
            r#type: SLICE_END,
            track_uuid: track,
            debug_annotations: self.arguments(arguments, scene),
            ..TrackEvent::default()
        };
        self.event(time, event)
    }

    // ------------------------------------------------------------------------- tasks and their runs

    fn enter(&mut self, task: &Task, scene: &Scene) -> Result<(), ExportError> {
        let (true, Some(now)) = (self.options.tasks, task.now) else {
            return Ok(());
        };
        let track = self.rows.task(task, scene, &mut self.packets)?;
        let name = scene.state_title(&now);
        let waker = match now.ready {
            Some(ready) if ready.waker != GoId::NONE && now.state == State::Runnable => {
                scene.task_title(ready.waker)
            }
            _ => String::new(),
        };
        let arguments = [
            (
                "worker",
                Value::Number(if now.state.is_executing() {
                    now.worker.0
                } else {
                    u64::MAX
                }),
            ),
            ("woken by", Value::Name(&waker)),
            ("stack", Value::Stack(now.stack)),
        ];
        let mut event = self.named(SLICE_BEGIN, track, ("task", &name), &arguments, scene);
        if now.state == State::Running {
            event.flow_ids = flow(now.ready.map_or(0, |ready| ready.wake));
        }
        self.event(now.begin, event)
    }

    fn leave(
        &mut self,
        time: i64,
        task: &Task,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        let track = self.rows.task(task, scene, &mut self.packets)?;
        self.end(time, track, end, &[], scene)
    }

    fn shows(&self, lane: Lane) -> bool {
        match lane {
            Lane::Worker(_) => self.options.workers,
            Lane::Thread(_) => self.options.threads,
        }
    }

    fn begin_run(&mut self, lane: Lane, run: Run, scene: &Scene) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let track = self.rows.lane(lane, scene, &mut self.packets)?;
        let place = match lane {
            Lane::Worker(_) => ("thread", Value::Number(run.thread.0)),
            Lane::Thread(_) => ("worker", Value::Number(run.worker.0)),
        };
        let delay = run
            .ready
            .map_or(u64::MAX, |ready| run.begin.abs_diff(ready.since));
        let arguments = [
            ("task", Value::Number(run.task.0)),
            place,
            ("ready before, ns", Value::Number(delay)),
        ];
        let name = scene.task_name(run.task);
        let mut event = self.named(SLICE_BEGIN, track, ("run", &name), &arguments, scene);
        if matches!(lane, Lane::Worker(_)) {
            event.flow_ids = flow(run.ready.map_or(0, |ready| ready.wake));
        }
        self.event(run.begin, event)
    }

    fn end_run(
        &mut self,
        time: i64,
        lane: Lane,
        _run: Run,
        next: Next,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let track = self.rows.lane(lane, scene, &mut self.packets)?;
        let arguments = [
            ("then", Value::Name(next.state.map_or("ended", State::name))),
            ("reason", Value::Name(scene.book.text(next.reason))),
            ("stack", Value::Stack(next.stack)),
        ];
        self.end(time, track, end, &arguments, scene)
    }

    fn begin_syscall(
        &mut self,
        lane: Lane,
        run: Run,
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let track = self.rows.lane(lane, scene, &mut self.packets)?;
        let begin = run.syscall.unwrap_or(run.begin);
        self.begin(
            begin,
            track,
            "syscall",
            "syscall",
            &[("stack", Value::Stack(stack))],
            scene,
        )
    }

    fn end_on_lane(
        &mut self,
        time: i64,
        lane: Lane,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.shows(lane) {
            return Ok(());
        }
        let track = self.rows.lane(lane, scene, &mut self.packets)?;
        self.end(time, track, end, &[], scene)
    }

    fn instant(
        &mut self,
        time: i64,
        track: u64,
        what: (&str, &str),
        arguments: &Arguments<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let event = self.named(INSTANT, track, what, arguments, scene);
        self.event(time, event)
    }

    fn hand_over(
        &mut self,
        time: i64,
        name: &str,
        worker: ProcId,
        thread: ThreadId,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.workers {
            return Ok(());
        }
        let track = self
            .rows
            .lane(Lane::Worker(worker), scene, &mut self.packets)?;
        let arguments = [("thread", Value::Number(thread.0))];
        self.instant(time, track, ("worker", name), &arguments, scene)
    }

    fn wake(&mut self, time: i64, wake: Wake, scene: &Scene) -> Result<(), ExportError> {
        let track = self.place(wake.waker, wake.worker, wake.thread, scene)?;
        let name = if wake.is_spawn { "spawn" } else { "wake" };
        let woken = scene.task_title(wake.woken);
        let arguments = [("task", Value::Name(&woken))];
        let mut event = self.named(INSTANT, track, ("wake", name), &arguments, scene);
        event.flow_ids = flow(wake.number);
        self.event(time, event)
    }

    /// The track on which it is best seen what somebody did.
    fn place(
        &mut self,
        task: GoId,
        worker: ProcId,
        thread: ThreadId,
        scene: &Scene,
    ) -> Result<u64, ExportError> {
        if self.options.workers && worker != ProcId::NONE {
            return self
                .rows
                .lane(Lane::Worker(worker), scene, &mut self.packets);
        }
        if let (true, Some(task)) = (self.options.tasks, scene.tasks.get(&task)) {
            return self.rows.task(task, scene, &mut self.packets);
        }
        if self.options.threads && thread != ThreadId::NONE {
            return self
                .rows
                .lane(Lane::Thread(thread), scene, &mut self.packets);
        }
        Ok(PROCESS)
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
        let track = self.rows.regions(task, scene, &mut self.packets)?;
        let arguments = [
            (
                "user task",
                Value::Number(user_task_number(region.user_task)),
            ),
            ("stack", Value::Stack(region.stack)),
        ];
        let name = scene.book.text(region.name);
        self.begin(region.begin, track, "region", name, &arguments, scene)
    }

    fn end_region(
        &mut self,
        time: i64,
        task: &Task,
        region: Region,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        if !region.begin_told {
            self.begin_region(task, region, scene)?;
        }
        let track = self.rows.regions(task, scene, &mut self.packets)?;
        self.end(time, track, end, &[], scene)
    }

    fn begin_user_task(&mut self, user_task: UserTask, scene: &Scene) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let track = self.rows.user_task(&user_task, scene, &mut self.packets)?;
        let arguments = [
            ("user task", Value::Number(user_task.id.0)),
            ("parent", Value::Number(user_task_number(user_task.parent))),
            ("began in task", Value::Number(user_task.task.0)),
        ];
        let name = scene.book.text(user_task.name);
        self.begin(user_task.begin, track, "user task", name, &arguments, scene)
    }

    fn end_user_task(
        &mut self,
        time: i64,
        user_task: UserTask,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let track = self.rows.user_task(&user_task, scene, &mut self.packets)?;
        self.end(time, track, end, &[], scene)?;
        self.rows.forget_user_task(user_task.id);
        Ok(())
    }

    /// Onto its user task, else to where it was written.
    fn log(&mut self, time: i64, log: Log<'_>, scene: &Scene) -> Result<(), ExportError> {
        let track = match self.rows.open_user_task(log.user_task) {
            Some(track) => track,
            None => match scene.tasks.get(&log.task) {
                Some(task) if self.options.tasks => {
                    self.rows.regions(task, scene, &mut self.packets)?
                }
                _ => self.place(log.task, log.worker, log.thread, scene)?,
            },
        };
        let arguments = [
            ("category", Value::Name(log.category)),
            ("task", Value::Number(log.task.0)),
            ("user task", Value::Number(user_task_number(log.user_task))),
            ("stack", Value::Stack(log.stack)),
        ];
        let event = TrackEvent {
            r#type: INSTANT,
            track_uuid: track,
            category_iids: vec![self.packets.category("log")],
            name: Some(log.message.to_owned()),
            debug_annotations: self.arguments(&arguments, scene),
            ..TrackEvent::default()
        };
        self.event(time, event)
    }

    fn counter(&mut self, time: i64, name: &str, value: i64) -> Result<(), ExportError> {
        let is_bytes = name.ends_with("bytes");
        let track_uuid = self.rows.counter(name, is_bytes, &mut self.packets)?;
        let event = TrackEvent {
            r#type: COUNTER,
            track_uuid,
            counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(time, event)
    }

    fn sample(
        &mut self,
        time: i64,
        thread: ThreadId,
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        self.items += 1;
        let sample = PerfSample {
            pid: rows::PID as u32,
            // The old format does not tell the thread. The main one stands for the process.
            tid: u32::try_from(thread.0).unwrap_or(rows::PID as u32),
            callstack_iid: Some(self.packets.callstack(stack, &scene.book)),
        };
        self.packets.write(TracePacket {
            timestamp: Some(stamp(time)),
            perf_sample: Some(sample),
            ..TracePacket::default()
        })
    }

    fn side(&mut self, record: &SideRecord, scene: &Scene) -> Result<(), ExportError> {
        match record {
            SideRecord::Counter {
                name,
                time_ns,
                value,
            } => self.counter(i64::try_from(*time_ns).unwrap_or(i64::MAX), name, *value),
            SideRecord::Lost {
                time_ns,
                thread,
                records,
            } => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                let arguments = [
                    ("thread", Value::Number(thread.0)),
                    ("records", Value::Number(*records)),
                ];
                self.instant(time, PROCESS, ("trace", "records lost"), &arguments, scene)
            }
            SideRecord::Link { time_ns, from, to } => {
                let time = i64::try_from(*time_ns).unwrap_or(i64::MAX);
                let track = self.rows.open_user_task(*to).unwrap_or(PROCESS);
                let arguments = [("user task", Value::Number(from.0))];
                self.instant(
                    time,
                    track,
                    ("user task", "follows from"),
                    &arguments,
                    scene,
                )
            }
            SideRecord::Capabilities { pairs } => {
                for (key, value) in pairs {
                    let arguments = [("value", Value::Text(value))];
                    self.instant(scene.now, PROCESS, ("trace", key), &arguments, scene)?;
                }
                Ok(())
            }
            SideRecord::GeneratedBy { name, version } => {
                let arguments = [("version", Value::Text(version))];
                self.instant(scene.now, PROCESS, ("trace", name), &arguments, scene)
            }
            _ => Ok(()),
        }
    }
}

/// The number of a user task as an argument; none where there is no task.
fn user_task_number(id: TaskId) -> u64 {
    if id == TaskId::BACKGROUND {
        TaskId::NONE.0
    } else {
        id.0
    }
}

fn flow(number: u64) -> Vec<u64> {
    if number == 0 {
        Vec::new()
    } else {
        vec![number]
    }
}

/// Perfetto knows no time before zero.
fn stamp(time_ns: i64) -> u64 {
    u64::try_from(time_ns).unwrap_or(0)
}
