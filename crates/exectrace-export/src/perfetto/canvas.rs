//! Packets of what the timeline draws.

use std::io::Write;

use exectrace_format::{SyncClock, TaskId, ThreadId};
use exectrace_replay::Stack;

use super::packets::Packets;
use super::rows::{PID, Rows};
use super::schema::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, COUNTER, Clock, ClockSnapshot,
    DebugAnnotation, INSTANT, PerfSample, SLICE_BEGIN, SLICE_END, TracePacket, TrackEvent,
};
use crate::error::ExportError;
use crate::options::Options;
use crate::timeline::{Argument, Arrow, Canvas, Mark, Stroke, Track};
use crate::tracks::{Picture, Task};

pub(super) struct Perfetto<W> {
    packets: Packets<W>,
    rows: Rows,
    /// What is added to all times.
    shift: i64,
    /// Slices, instants, counter values and samples.
    items: u64,
}

impl<W: Write> Perfetto<W> {
    pub(super) fn begin(out: W, options: &Options) -> Result<Self, ExportError> {
        let mut packets = Packets::new(out);
        let rows = Rows::new(&options.process_name, &mut packets)?;
        Ok(Self {
            packets,
            rows,
            shift: 0,
            items: 0,
        })
    }

    /// Completes the output, and counts what was written.
    pub(super) fn finish(mut self) -> Result<u64, ExportError> {
        self.packets.flush()?;
        Ok(self.items)
    }

    fn event(&mut self, time: i64, event: TrackEvent) -> Result<(), ExportError> {
        if event.r#type != SLICE_END {
            self.items += 1;
        }
        self.packets.write(TracePacket {
            timestamp: Some(self.stamp(time)),
            track_event: Some(event),
            ..TracePacket::default()
        })
    }

    /// Perfetto knows no time before zero.
    fn stamp(&self, time_ns: i64) -> u64 {
        u64::try_from(time_ns.saturating_add(self.shift)).unwrap_or(0)
    }

    fn arguments(
        &mut self,
        arguments: &[Argument<'_>],
        picture: &Picture<'_>,
    ) -> Vec<DebugAnnotation> {
        let given = arguments.iter().filter(|(_, value)| value.is_some());
        given
            .map(|&(key, value)| self.packets.argument(key, value, picture.names()))
            .collect()
    }
}

impl<W: Write> Canvas for Perfetto<W> {
    type Row = u64;

    const HAS_SAMPLES: bool = true;

    fn begin_change(&mut self, picture: &Picture<'_>) {
        self.shift = picture.shift();
        self.packets.make_room();
    }

    fn row(&mut self, place: Track<'_>, picture: &Picture<'_>) -> Result<u64, ExportError> {
        self.rows.row(place, picture, &mut self.packets)
    }

    fn task_gone(&mut self, task: Task<'_>, picture: &Picture<'_>) -> Result<(), ExportError> {
        self.rows.task_gone(task, picture, &mut self.packets)
    }

    fn the_end(&mut self, picture: &Picture<'_>) -> Result<(), ExportError> {
        self.rows.finish(picture, &mut self.packets)
    }

    fn user_task_gone(&mut self, id: TaskId) {
        self.rows.forget_user_task(id);
    }

    fn span_gone(&mut self, first_ns: u64) {
        self.rows.forget_span(first_ns);
    }

    fn clock(&mut self, clock: SyncClock) -> Result<(), ExportError> {
        let SyncClock { time, snapshot, .. } = clock;
        let unix_ns = snapshot
            .unix_seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(snapshot.unix_nanoseconds));
        let clock = |clock_id, timestamp| Clock {
            clock_id,
            timestamp,
        };
        let clocks = vec![
            clock(CLOCK_BOOTTIME, self.stamp(time.0)),
            clock(CLOCK_MONOTONIC, snapshot.monotonic_ns),
            clock(CLOCK_REALTIME, unix_ns),
        ];
        self.packets.write(TracePacket {
            clock_snapshot: Some(ClockSnapshot { clocks }),
            ..TracePacket::default()
        })
    }

    fn draw(
        &mut self,
        time: i64,
        (track_uuid, stroke): (u64, Stroke),
        mark: &Mark<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let mut event = TrackEvent {
            r#type: match stroke {
                Stroke::Begin => SLICE_BEGIN,
                Stroke::End => SLICE_END,
                Stroke::Instant | Stroke::Message => INSTANT,
            },
            track_uuid,
            flow_ids: flow(mark.arrow),
            ..TrackEvent::default()
        };
        if stroke != Stroke::End {
            event.category_iids = vec![self.packets.category(mark.category)];
        }
        match stroke {
            Stroke::Begin | Stroke::Instant => event.name_iid = Some(self.packets.name(mark.name)),
            // Messages hardly come twice: they get no number.
            Stroke::Message => event.name = Some(mark.name.to_owned()),
            Stroke::End => {}
        }
        event.debug_annotations = self.arguments(mark.arguments, picture);
        self.event(time, event)
    }

    fn value(&mut self, time: i64, name: &str, value: i64) -> Result<(), ExportError> {
        let is_bytes = name.ends_with("bytes");
        let event = TrackEvent {
            r#type: COUNTER,
            track_uuid: self.rows.counter(name, is_bytes, &mut self.packets)?,
            counter_value: Some(value),
            ..TrackEvent::default()
        };
        self.event(time, event)
    }

    // As `PerfSample`. The newer `StackSample` (2026) would say the same of a sample: it names a process and a thread, and
    // not yet an async task, and has its stack written out in each sample, as its stacks cannot be interned yet. The trace
    // processor that our tests have, of release 52, does not read it.
    fn sample(
        &mut self,
        time: i64,
        thread: ThreadId,
        stack: Stack,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        self.items += 1;
        let sample = PerfSample {
            pid: PID as u32,
            // The old format does not have the thread. The main one stands for the process.
            tid: u32::try_from(thread.0).unwrap_or(PID as u32),
            callstack_iid: Some(self.packets.callstack(stack, picture.names())),
        };
        self.packets.write(TracePacket {
            timestamp: Some(self.stamp(time)),
            perf_sample: Some(sample),
            ..TracePacket::default()
        })
    }
}

fn flow(arrow: Arrow) -> Vec<u64> {
    match arrow {
        Arrow::None => Vec::new(),
        Arrow::From(wake) | Arrow::FromNowhere(wake) | Arrow::Via(wake) | Arrow::To(wake) => {
            vec![wake]
        }
    }
}
