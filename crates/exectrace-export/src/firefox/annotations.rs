//! What the program says of itself: regions, user tasks, logs.

use exectrace_format::TaskId;
use exectrace_replay::{End, UserTask};
use fxprof_processed_profile::MarkerTiming;

use super::markers::{InRegion, InUserTask, Said};
use super::profile::{Firefox, Row, stamp, timing};
use crate::tracks::{LogLine, Picture, RegionSlice, Span, Task};

impl Firefox<'_> {
    pub(super) fn region(
        &mut self,
        time: i64,
        task: Task<'_>,
        region: RegionSlice,
        end: End,
        picture: &Picture<'_>,
    ) {
        let Some(thread) = self.task_row(task, region.begin, picture) else {
            return;
        };
        let state = match end {
            End::Seen => "",
            End::WithGoroutine => "with its async task",
            End::WithTrace => "open at the end of the trace",
        };
        let title = picture.title(task);
        let timing = timing(region.begin, time, end, picture);
        let name = picture.text(region.name);
        let category = self.categories.annotation;
        let number = region.user_task.0 as f64;
        let texts = [title.as_str(), state];
        let marker = self.mark::<InRegion>(thread, timing, name, category, texts, number);
        let stack = self.stack(thread, &[], region.stack, category, picture);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    /// A span that nothing else shows whole. Markers may overlap.
    pub(super) fn span(&mut self, time: i64, span: Span<'_>, picture: &Picture<'_>) {
        let record = span.record;
        if !span.is_in_parts || !self.options.user_tasks {
            return;
        }
        let thread = self.row(Row::UserTasks, picture, || "User tasks".to_owned());
        let at = |ns: u64| i64::try_from(ns).unwrap_or(time);
        let (first, end) = (at(record.first_ns), at(record.end_ns));
        let timing = timing(first, end, End::Seen, picture);
        let title = picture.task_title(record.flow);
        let entries = format!("entered {} times", record.entries);
        let category = self.categories.annotation;
        let (texts, task) = ([title.as_str(), &entries], record.task.0 as f64);
        self.mark::<InRegion>(thread, timing, &record.name, category, texts, task);
    }

    pub(super) fn user_task(
        &mut self,
        time: i64,
        user_task: UserTask,
        end: End,
        picture: &Picture<'_>,
    ) {
        if !self.options.user_tasks {
            return;
        }
        let thread = self.row(Row::UserTasks, picture, || "User tasks".to_owned());
        let parent = match user_task.parent {
            TaskId::NONE | TaskId::BACKGROUND => String::new(),
            parent => format!("T{}", parent.0),
        };
        let timing = timing(user_task.begin, time, end, picture);
        let name = picture.text(user_task.name);
        let texts = [&*format!("T{}", user_task.id.0), &parent];
        let category = self.categories.annotation;
        self.mark::<InUserTask>(
            thread,
            timing,
            name,
            category,
            texts,
            user_task.goroutine.0 as f64,
        );
    }

    pub(super) fn log(&mut self, time: i64, log: LogLine<'_>, picture: &Picture<'_>) {
        let thread = match picture.task(log.task) {
            Some(task) => self.task_row(task, time, picture),
            None => None,
        };
        let title = picture.task_title(log.task);
        let thread =
            thread.unwrap_or_else(|| self.row(Row::UserTasks, picture, || "User tasks".to_owned()));
        let name = if log.category.is_empty() {
            "log"
        } else {
            log.category
        };
        let timing = MarkerTiming::Instant(stamp(time, picture));
        let category = self.categories.annotation;
        let texts = [log.message, &title];
        self.mark::<Said>(
            thread,
            timing,
            name,
            category,
            texts,
            log.user_task.0 as f64,
        );
    }
}
