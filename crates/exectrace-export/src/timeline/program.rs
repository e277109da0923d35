//! What concerns the program as a whole: garbage collection, counters, samples, what the tracer says.

use exectrace_format::{GoId, ProcId, RangeScope, SideRecord, ThreadId};
use exectrace_replay::{End, Range, Stack};

use super::{Argument, Canvas, Mark, Stroke, Timeline, Track, Value};
use crate::error::ExportError;
use crate::tracks::Picture;

impl<C: Canvas> Timeline<'_, C> {
    pub(super) fn begin_range(
        &mut self,
        range: Range,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let mark = Mark {
            category: "gc",
            name: picture.text(range.name),
            ..Mark::default()
        };
        self.begin(range.begin, Track::Ranges(range.scope), &mark, picture)
    }

    pub(super) fn end_range(
        &mut self,
        time: i64,
        scope: RangeScope,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        self.end(time, (Track::Ranges(scope), end), &Mark::default(), picture)
    }

    pub(super) fn sample(
        &mut self,
        time: i64,
        (task, worker, thread): (GoId, ProcId, ThreadId),
        stack: Stack,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if C::HAS_SAMPLES {
            return self.canvas.sample(time, thread, stack, picture);
        }
        let row = self.row_of_actor(task, worker, thread, picture)?;
        let mark = Mark {
            category: "sample",
            name: "CPU sample",
            arguments: &[("stack", Value::Stack(stack))],
            ..Mark::default()
        };
        self.canvas
            .draw(time, (row, Stroke::Instant), &mark, picture)
    }

    pub(super) fn side(
        &mut self,
        record: &SideRecord,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        match record {
            SideRecord::Counter {
                name,
                time_ns,
                value,
            } => self.canvas.value(at(*time_ns), name, *value),
            SideRecord::OffProcessor {
                time_ns,
                thread,
                duration_ns,
                is_preempted,
            } => {
                let span = (at(*time_ns), at(time_ns.saturating_add(*duration_ns)));
                self.off_processor(*thread, span, *is_preempted, picture)
            }
            SideRecord::Lost {
                time_ns,
                thread,
                records,
            } => {
                let arguments = [
                    ("thread", Value::Number(thread.0)),
                    ("records", Value::Number(*records)),
                ];
                self.say(at(*time_ns), "records lost", &arguments, picture)
            }
            SideRecord::Link { time_ns, from, to } => {
                let to = picture.user_task(*to);
                let place = match to.filter(|_| self.options.user_tasks) {
                    Some(user_task) => Track::UserTask(user_task),
                    None => Track::Program,
                };
                let row = self.canvas.row(place, picture)?;
                let mark = Mark {
                    category: "user task",
                    name: "follows from",
                    arguments: &[("user task", Value::Number(from.0))],
                    ..Mark::default()
                };
                self.canvas
                    .draw(at(*time_ns), (row, Stroke::Instant), &mark, picture)
            }
            SideRecord::Capabilities { pairs } => {
                for (key, value) in pairs {
                    self.say(
                        picture.now(),
                        key,
                        &[("value", Value::Text(value))],
                        picture,
                    )?;
                }
                Ok(())
            }
            SideRecord::GeneratedBy { name, version } => {
                let arguments = [("version", Value::Text(version))];
                self.say(picture.now(), name, &arguments, picture)
            }
            _ => Ok(()),
        }
    }

    /// On a row of its own: a thread may lose its processor in one run and get it in another.
    fn off_processor(
        &mut self,
        thread: ThreadId,
        (begin, end): (i64, i64),
        is_preempted: bool,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.threads {
            return Ok(());
        }
        let mark = Mark {
            category: "processor",
            name: match is_preempted {
                true => "preempted",
                false => "asleep",
            },
            ..Mark::default()
        };
        let place = Track::Processor(thread);
        self.begin(begin, place, &mark, picture)?;
        self.end(end, (place, End::Seen), &mark, picture)
    }

    /// Draws what is said of the trace itself.
    fn say(
        &mut self,
        time: i64,
        name: &str,
        arguments: &[Argument<'_>],
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let row = self.canvas.row(Track::Program, picture)?;
        let mark = Mark {
            category: "trace",
            name,
            arguments,
            ..Mark::default()
        };
        self.canvas
            .draw(time, (row, Stroke::Instant), &mark, picture)
    }
}
