//! User tasks, regions, and the ranges of garbage collection.

use exectrace_format::{
    CONCURRENT_SPAN, CompactEvent, CompactKind, GoId, PART_OF_SPAN, RangeName, RangeScope,
    StringId, Tables, TaskId,
};

use crate::error::ExportError;

use super::Sink;
use super::book::{Frame, Text};
use super::fact::{End, Fact, Region, Span, UserTask};
use super::teller::Teller;

impl Teller {
    pub(super) fn annotation(
        &mut self,
        event: &CompactEvent,
        tables: &Tables,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        match event.kind {
            CompactKind::TaskBegin { task, parent, name } => {
                let told = self.user_task(event, (task, parent), name, tables);
                self.begin_user_task(told, sink)
            }
            CompactKind::TaskEnd { task, parent, name } => {
                let told = self.user_task(event, (task, parent), name, tables);
                self.end_user_task(told, sink)
            }
            CompactKind::RegionBegin { task, name } => {
                let region = Region {
                    name: self.scene.book.text_of(name, tables),
                    user_task: task,
                    begin: self.scene.now,
                    begin_told: true,
                    stack: self.scene.book.stack_of(event.stack, tables),
                    is_part: false,
                };
                self.begin_region(event.go, region, sink)
            }
            CompactKind::RegionEnd { task, name } => {
                let name = self.scene.book.text_of(name, tables);
                let stack = self.scene.book.stack_of(event.stack, tables);
                let is_part = self.is_of(self.scene.book.frames(stack).next(), PART_OF_SPAN);
                self.end_region(event.go, (task, name), is_part, sink)
            }
            CompactKind::RangeBegin { range, scope } => {
                let name = self.range_name(range, tables);
                self.begin_range(scope, name, self.scene.now, sink)
            }
            CompactKind::RangeActive { range, scope } => {
                let name = self.range_name(range, tables);
                self.begin_range(scope, name, self.scene.generation_begin, sink)
            }
            CompactKind::RangeEnd { range, scope, .. } => {
                let name = self.range_name(range, tables);
                self.end_range(scope, name, End::Told, sink)
            }
            _ => Ok(()),
        }
    }

    /// Whether the frame is of this function.
    fn is_of(&self, frame: Option<Frame>, function: &str) -> bool {
        frame.is_some_and(|frame| self.scene.book.text(frame.function) == function)
    }

    /// Tells of spans that have closed by now; of all when the trace ends.
    pub(super) fn close_spans(
        &mut self,
        all: bool,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        while let Some(entry) = self.spans.first_entry() {
            let end_ns = i64::try_from(entry.key().0).unwrap_or(i64::MAX);
            if end_ns > self.scene.now && !all {
                break;
            }
            let record = entry.remove();
            let span = Span {
                record: &record,
                is_in_stretches: !record.carried && self.threads.contains(&record.flow),
            };
            self.say(sink, Fact::Span(span))?;
        }
        Ok(())
    }

    /// A user task as an event tells it, which would begin there.
    fn user_task(
        &mut self,
        event: &CompactEvent,
        (id, parent): (TaskId, TaskId),
        name: StringId,
        tables: &Tables,
    ) -> UserTask {
        let stack = self.scene.book.stack_of(event.stack, tables);
        let root = self.scene.book.root(stack);
        UserTask {
            carries: self.is_of(root, CONCURRENT_SPAN),
            id,
            parent,
            name: self.scene.book.text_of(name, tables),
            begin: self.scene.now,
            begin_told: true,
            task: event.go,
        }
    }

    fn begin_user_task(
        &mut self,
        mut told: UserTask,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        if let Some(before) = self.scene.began_before.remove(&told.id) {
            told.begin = before;
        }
        self.scene.user_tasks.insert(told.id, told);
        self.say(sink, Fact::UserTaskBegan(told))
    }

    fn end_user_task(&mut self, told: UserTask, sink: &mut impl Sink) -> Result<(), ExportError> {
        let user_task = match self.scene.user_tasks.remove(&told.id) {
            Some(open) => open,
            None => {
                let older = UserTask {
                    begin: self.scene.begin,
                    begin_told: false,
                    ..told
                };
                self.say(sink, Fact::UserTaskBegan(older))?;
                older
            }
        };
        let end = End::Told;
        self.say(sink, Fact::UserTaskEnded { user_task, end })
    }

    pub(super) fn end_user_tasks(&mut self, sink: &mut impl Sink) -> Result<(), ExportError> {
        let mut open: Vec<_> = std::mem::take(&mut self.scene.user_tasks)
            .into_values()
            .collect();
        // Children have the greater numbers.
        open.sort_unstable_by_key(|user_task| std::cmp::Reverse(user_task.id));
        for user_task in open {
            self.say(
                sink,
                Fact::UserTaskEnded {
                    user_task,
                    end: End::WithTrace,
                },
            )?;
        }
        Ok(())
    }

    fn begin_region(
        &mut self,
        id: GoId,
        region: Region,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        match self.scene.tasks.get_mut(&id) {
            Some(task) => task.regions.push(region),
            None => return Ok(()),
        }
        match self.scene.tasks.get(&id) {
            Some(task) => self.say(sink, Fact::RegionBegan { task, region }),
            None => Ok(()),
        }
    }

    /// Regions of a task nest, or the reader refuses them.
    fn end_region(
        &mut self,
        id: GoId,
        (user_task, name): (TaskId, Text),
        is_part: bool,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let begin = self.scene.begin;
        let Some(task) = self.scene.tasks.get_mut(&id) else {
            return Ok(());
        };
        let open = task.regions.pop().unwrap_or_else(|| {
            // It began before the trace, and so before those of this kind that ended earlier.
            let begin = begin.saturating_sub(task.headless_regions);
            task.headless_regions += 1;
            Region {
                name,
                user_task,
                begin,
                begin_told: false,
                stack: super::Stack::NONE,
                is_part,
            }
        });
        let region = Region { is_part, ..open };
        match self.scene.tasks.get(&id) {
            Some(task) => self.say(
                sink,
                Fact::RegionEnded {
                    task,
                    region,
                    end: End::Told,
                },
            ),
            None => Ok(()),
        }
    }

    /// Ends all regions of a task, the innermost first.
    pub(super) fn end_regions(
        &mut self,
        id: GoId,
        end: End,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        loop {
            let task = self.scene.tasks.get_mut(&id);
            let Some(region) = task.and_then(|task| task.regions.pop()) else {
                return Ok(());
            };
            if let Some(task) = self.scene.tasks.get(&id) {
                self.say(sink, Fact::RegionEnded { task, region, end })?;
            }
        }
    }

    /// As Go shows it; for a stop of the world with its reason.
    fn range_name(&mut self, range: RangeName, tables: &Tables) -> Text {
        match range {
            RangeName::StopTheWorld(reason) => {
                let name = format!("{} ({})", range.name(), tables.text(reason));
                self.scene.book.intern(&name)
            }
            _ => self.scene.book.intern(range.name()),
        }
    }

    fn begin_range(
        &mut self,
        scope: RangeScope,
        name: Text,
        begin: i64,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        if self.scene.ranges.contains_key(&(scope, name)) {
            // Told anew at the begin of a generation.
            return Ok(());
        }
        self.scene.ranges.insert((scope, name), begin);
        self.say(sink, Fact::RangeBegan { scope, name, begin })
    }

    fn end_range(
        &mut self,
        scope: RangeScope,
        name: Text,
        end: End,
        sink: &mut impl Sink,
    ) -> Result<(), ExportError> {
        let begin = match self.scene.ranges.remove(&(scope, name)) {
            Some(begin) => begin,
            None => {
                let begin = self.scene.begin;
                self.say(sink, Fact::RangeBegan { scope, name, begin })?;
                begin
            }
        };
        self.say(
            sink,
            Fact::RangeEnded {
                scope,
                name,
                begin,
                end,
            },
        )
    }

    pub(super) fn end_ranges(&mut self, sink: &mut impl Sink) -> Result<(), ExportError> {
        let mut open: Vec<_> = self.scene.ranges.keys().copied().collect();
        open.sort_unstable_by_key(|&(_, name)| name);
        for (scope, name) in open {
            self.end_range(scope, name, End::WithTrace, sink)?;
        }
        Ok(())
    }
}
