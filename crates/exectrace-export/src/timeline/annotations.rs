//! What the program says of itself: regions, user tasks, logs.

use super::{Canvas, Mark, Stroke, Timeline, Track, Value, user_task_number};
use crate::error::ExportError;
use crate::tracks::{LogLine, Picture, RegionSlice, Span, Task};
use exectrace_replay::{End, UserTask};

impl<C: Canvas> Timeline<'_, C> {
    pub(super) fn begin_region(
        &mut self,
        task: Task<'_>,
        region: RegionSlice,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        let mark = Mark {
            category: "region",
            name: picture.text(region.name),
            arguments: &[
                ("user task", user_task_number(region.user_task)),
                ("stack", Value::Stack(region.stack)),
            ],
            ..Mark::default()
        };
        self.begin(region.begin, Track::Regions(task), &mark, picture)
    }

    pub(super) fn end_region(
        &mut self,
        time: i64,
        task: Task<'_>,
        region: RegionSlice,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        if !region.is_begin_seen {
            self.begin_region(task, region, picture)?;
        }
        self.end(time, (Track::Regions(task), end), &Mark::default(), picture)
    }

    /// On a row of its own, as regions nest and spans need not.
    pub(super) fn span(
        &mut self,
        span: Span<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !span.is_in_parts || !self.options.user_tasks {
            return Ok(());
        }
        let record = span.record;
        let mark = Mark {
            category: "span",
            name: &record.name,
            arguments: &[
                ("user task", user_task_number(record.task)),
                ("busy, ns", Value::Number(record.busy_ns)),
                ("entries", Value::Number(record.entries)),
                ("task", Value::Number(record.flow.0)),
            ],
            ..Mark::default()
        };
        let at = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        self.begin(at(record.first_ns), Track::Span(record), &mark, picture)?;
        let end = Mark {
            category: "span",
            name: &record.name,
            ..Mark::default()
        };
        let place = (Track::Span(record), End::Seen);
        self.end(at(record.end_ns), place, &end, picture)?;
        self.canvas.span_gone(record.first_ns);
        Ok(())
    }

    pub(super) fn begin_user_task(
        &mut self,
        user_task: UserTask,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let mark = Mark {
            category: category_of(user_task),
            name: picture.text(user_task.name),
            arguments: &[
                ("user task", Value::Number(user_task.id.0)),
                ("parent", user_task_number(user_task.parent)),
                ("began in task", Value::Number(user_task.goroutine.0)),
            ],
            ..Mark::default()
        };
        self.begin(user_task.begin, Track::UserTask(&user_task), &mark, picture)
    }

    pub(super) fn end_user_task(
        &mut self,
        time: i64,
        user_task: UserTask,
        end: End,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let trace_id = user_task.trace_id.map(|id| id.to_string());
        let trace_id = trace_id.as_deref().unwrap_or_default();
        let mark = Mark {
            category: category_of(user_task),
            name: picture.text(user_task.name),
            // Not known where it begins.
            arguments: &[("trace id", Value::Text(trace_id))],
            ..Mark::default()
        };
        self.end(time, (Track::UserTask(&user_task), end), &mark, picture)?;
        self.canvas.user_task_gone(user_task.id);
        Ok(())
    }

    /// Onto its user task, else to where it was written.
    pub(super) fn log(
        &mut self,
        time: i64,
        log: LogLine<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let user_task = picture.user_task(log.user_task);
        let task = picture.task(log.task);
        let row = match (user_task, task) {
            (Some(user_task), _) if self.options.user_tasks => {
                self.canvas.row(Track::UserTask(user_task), picture)?
            }
            (_, Some(task)) if self.options.tasks => {
                self.canvas.row(Track::Regions(task), picture)?
            }
            _ => self.row_of_actor(log.task, log.worker, log.thread, picture)?,
        };
        let mark = Mark {
            category: "log",
            name: log.message,
            arguments: &[
                ("category", Value::Name(log.category)),
                ("task", Value::Number(log.task.0)),
                ("user task", user_task_number(log.user_task)),
                ("stack", Value::Stack(log.stack)),
            ],
            ..Mark::default()
        };
        self.canvas
            .draw(time, (row, Stroke::Message), &mark, picture)
    }
}

fn category_of(user_task: UserTask) -> &'static str {
    match user_task.carries_span {
        true => "span",
        false => "user task",
    }
}
