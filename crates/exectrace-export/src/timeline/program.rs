//! What concerns the program as a whole: garbage collection, counters, samples, what the tracer says.

use exectrace_format::{GoId, ProcId, RangeScope, SideRecord, ThreadId};

use super::{Argument, Canvas, Mark, Place, Stroke, Timeline, Value};
use crate::error::ExportError;
use crate::story::{End, Scene, Stack, Text};

impl<C: Canvas> Timeline<'_, C> {
    pub(super) fn begin_range(
        &mut self,
        begin: i64,
        scope: RangeScope,
        name: Text,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let mark = Mark {
            category: "gc",
            name: scene.book.text(name),
            ..Mark::default()
        };
        self.begin(begin, Place::Ranges(scope), &mark, scene)
    }

    pub(super) fn end_range(
        &mut self,
        time: i64,
        scope: RangeScope,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        self.end(time, (Place::Ranges(scope), end), &Mark::default(), scene)
    }

    pub(super) fn sample(
        &mut self,
        time: i64,
        (task, worker, thread): (GoId, ProcId, ThreadId),
        stack: Stack,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if C::HAS_SAMPLES {
            return self.canvas.sample(time, thread, stack, scene);
        }
        let row = self.row_of_actor(task, worker, thread, scene)?;
        let mark = Mark {
            category: "sample",
            name: "CPU sample",
            arguments: &[("stack", Value::Stack(stack))],
            ..Mark::default()
        };
        self.canvas.draw(time, (row, Stroke::Instant), &mark, scene)
    }

    pub(super) fn side(&mut self, record: &SideRecord, scene: &Scene) -> Result<(), ExportError> {
        let at = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        match record {
            SideRecord::Counter {
                name,
                time_ns,
                value,
            } => self.canvas.value(at(*time_ns), name, *value),
            SideRecord::Lost {
                time_ns,
                thread,
                records,
            } => {
                let arguments = [
                    ("thread", Value::Number(thread.0)),
                    ("records", Value::Number(*records)),
                ];
                self.say(at(*time_ns), "records lost", &arguments, scene)
            }
            SideRecord::Link { time_ns, from, to } => {
                let to = scene.user_tasks.get(to);
                let place = match to.filter(|_| self.options.user_tasks) {
                    Some(user_task) => Place::UserTask(user_task),
                    None => Place::Program,
                };
                let row = self.canvas.row(place, scene)?;
                let mark = Mark {
                    category: "user task",
                    name: "follows from",
                    arguments: &[("user task", Value::Number(from.0))],
                    ..Mark::default()
                };
                self.canvas
                    .draw(at(*time_ns), (row, Stroke::Instant), &mark, scene)
            }
            SideRecord::Capabilities { pairs } => {
                for (key, value) in pairs {
                    self.say(scene.now, key, &[("value", Value::Text(value))], scene)?;
                }
                Ok(())
            }
            SideRecord::GeneratedBy { name, version } => {
                let arguments = [("version", Value::Text(version))];
                self.say(scene.now, name, &arguments, scene)
            }
            _ => Ok(()),
        }
    }

    /// Draws what is said of the trace itself.
    fn say(
        &mut self,
        time: i64,
        name: &str,
        arguments: &[Argument<'_>],
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let row = self.canvas.row(Place::Program, scene)?;
        let mark = Mark {
            category: "trace",
            name,
            arguments,
            ..Mark::default()
        };
        self.canvas.draw(time, (row, Stroke::Instant), &mark, scene)
    }
}
