//! What the program says of itself: regions, user tasks, logs.

use super::{Canvas, Mark, Place, Stroke, Timeline, Value, user_task_number};
use crate::error::ExportError;
use crate::story::{End, Log, Region, Scene, Span, Task, UserTask};

impl<C: Canvas> Timeline<'_, C> {
    pub(super) fn begin_region(
        &mut self,
        task: &Task,
        region: Region,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.tasks {
            return Ok(());
        }
        let mark = Mark {
            category: "region",
            name: scene.book.text(region.name),
            arguments: &[
                ("user task", user_task_number(region.user_task)),
                ("stack", Value::Stack(region.stack)),
            ],
            ..Mark::default()
        };
        self.begin(region.begin, Place::Regions(task), &mark, scene)
    }

    pub(super) fn end_region(
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
        self.end(time, (Place::Regions(task), end), &Mark::default(), scene)
    }

    /// On a row of its own, as regions nest and spans need not.
    pub(super) fn span(&mut self, span: Span<'_>, scene: &Scene) -> Result<(), ExportError> {
        if !span.is_in_stretches || !self.options.user_tasks {
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
        self.begin(at(record.first_ns), Place::Span(record), &mark, scene)?;
        let end = Mark {
            category: "span",
            name: &record.name,
            ..Mark::default()
        };
        let place = (Place::Span(record), End::Told);
        self.end(at(record.end_ns), place, &end, scene)?;
        self.canvas.span_gone(record.first_ns);
        Ok(())
    }

    pub(super) fn begin_user_task(
        &mut self,
        user_task: UserTask,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let mark = Mark {
            category: category_of(user_task),
            name: scene.book.text(user_task.name),
            arguments: &[
                ("user task", Value::Number(user_task.id.0)),
                ("parent", user_task_number(user_task.parent)),
                ("began in task", Value::Number(user_task.task.0)),
            ],
            ..Mark::default()
        };
        self.begin(user_task.begin, Place::UserTask(&user_task), &mark, scene)
    }

    pub(super) fn end_user_task(
        &mut self,
        time: i64,
        user_task: UserTask,
        end: End,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        if !self.options.user_tasks {
            return Ok(());
        }
        let mark = Mark {
            category: category_of(user_task),
            name: scene.book.text(user_task.name),
            ..Mark::default()
        };
        self.end(time, (Place::UserTask(&user_task), end), &mark, scene)?;
        self.canvas.user_task_gone(user_task.id);
        Ok(())
    }

    /// Onto its user task, else to where it was written.
    pub(super) fn log(
        &mut self,
        time: i64,
        log: Log<'_>,
        scene: &Scene,
    ) -> Result<(), ExportError> {
        let user_task = scene.user_tasks.get(&log.user_task);
        let task = scene.tasks.get(&log.task);
        let row = match (user_task, task) {
            (Some(user_task), _) if self.options.user_tasks => {
                self.canvas.row(Place::UserTask(user_task), scene)?
            }
            (_, Some(task)) if self.options.tasks => {
                self.canvas.row(Place::Regions(task), scene)?
            }
            _ => self.row_of_actor(log.task, log.worker, log.thread, scene)?,
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
        self.canvas.draw(time, (row, Stroke::Message), &mark, scene)
    }
}

fn category_of(user_task: UserTask) -> &'static str {
    match user_task.carries {
        true => "span",
        false => "user task",
    }
}
