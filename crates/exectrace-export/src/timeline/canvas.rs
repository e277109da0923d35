//! What a format must be able to draw for a [`Timeline`](super::Timeline), and what is drawn.

use exectrace_format::{RangeScope, SpanRecord, SyncClock, TaskId, ThreadId};
use exectrace_replay::{Stack, UserTask};

use crate::error::ExportError;
use crate::tracks::{Lane, Picture, Task};

/// Where something is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Track<'a> {
    Lane(Lane),
    /// When a thread had no processor.
    Processor(ThreadId),
    /// The states of an async task.
    States(Task<'a>),
    /// The regions of an async task, and its logs.
    Regions(Task<'a>),
    UserTask(&'a UserTask),
    /// A span that nothing else shows whole.
    Span(&'a SpanRecord),
    /// The ranges of garbage collection that concern somebody.
    Ranges(RangeScope),
    /// What concerns no worker, thread or task.
    Program,
}

/// The value of an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Number(u64),
    /// One that comes often.
    Name(&'a str),
    /// One that hardly comes twice.
    Text(&'a str),
    Stack(Stack),
}

impl Value<'_> {
    /// Whether there is something: an id, a text or a stack may be none.
    pub(crate) fn is_some(&self) -> bool {
        match self {
            Value::Stack(stack) => *stack != Stack::NONE,
            Value::Name(text) | Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != u64::MAX,
        }
    }
}

pub(crate) type Argument<'a> = (&'static str, Value<'a>);

/// What a mark has to do with a wake, by the number of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Arrow {
    #[default]
    None,
    /// The wake itself, in the run of the waker.
    From(u64),
    /// The wake itself, by somebody who runs nothing.
    FromNowhere(u64),
    /// The state that the woken task is in then.
    Via(u64),
    /// The run that it led to.
    To(u64),
}

/// A slice or an instant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark<'a> {
    pub(crate) category: &'static str,
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a [Argument<'a>],
    pub(crate) arrow: Arrow,
}

/// How a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// A slice begins.
    Begin,
    /// The slice of the row that began last ends. The mark has its name where that is known.
    End,
    Instant,
    /// An instant whose name is a log's message.
    Message,
}

/// A format whose pictures have rows. Times are in nanoseconds on the clock of the trace.
pub(crate) trait Canvas {
    /// A row, by its name in the format.
    type Row: Copy;

    /// Whether the format has CPU samples, besides slices and instants.
    const HAS_SAMPLES: bool;

    /// A change follows, with all that is drawn for it.
    fn begin_change(&mut self, _picture: &Picture<'_>) {}

    /// The row for a place; a new one gets its title.
    fn row(&mut self, place: Track<'_>, picture: &Picture<'_>) -> Result<Self::Row, ExportError>;

    /// The name or label of a task has become known, for formats whose rows are renamed.
    fn task_named(&mut self, _task: Task<'_>, _picture: &Picture<'_>) -> Result<(), ExportError> {
        Ok(())
    }

    /// A task has ended: nothing will be drawn on its rows any more.
    fn task_gone(&mut self, task: Task<'_>, picture: &Picture<'_>) -> Result<(), ExportError>;

    /// The trace has ended, and all that was open with it.
    fn the_end(&mut self, _picture: &Picture<'_>) -> Result<(), ExportError> {
        Ok(())
    }

    /// A user task is over: nothing will be drawn on its row any more.
    fn user_task_gone(&mut self, _id: TaskId) {}

    /// A span is over, by its first entry: nothing will be drawn on its row any more.
    fn span_gone(&mut self, _first_ns: u64) {}

    /// The clocks of the machine at an instant.
    fn clock(&mut self, _clock: SyncClock) -> Result<(), ExportError> {
        Ok(())
    }

    /// Draws a mark.
    fn draw(
        &mut self,
        time: i64,
        on: (Self::Row, Stroke),
        mark: &Mark<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError>;

    /// A counter has a new value.
    fn value(&mut self, time: i64, name: &str, value: i64) -> Result<(), ExportError>;

    /// A CPU sample, of formats that have them.
    fn sample(
        &mut self,
        _time: i64,
        _thread: ThreadId,
        _stack: Stack,
        _picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        Ok(())
    }
}
