//! Events of what the timeline draws.

use std::io::Write;
use std::rc::Rc;

use exectrace_replay::Stack;
use rustc_hash::{FxHashMap, FxHashSet};

use super::json::{self, Event, Events};
use super::rows::{Row, Rows};
use crate::error::ExportError;
use crate::options::Options;
use crate::timeline::{Argument, Arrow, Canvas, Mark, Stroke, Track, Value};
use crate::tracks::{Picture, Task};

pub(super) struct Chrome<W> {
    events: Events<W>,
    rows: Rows,
    /// What is added to all times.
    shift: i64,
    /// Whether arrows have slices to lead to.
    has_workers: bool,
    /// Wakes that have begun an arrow which has not arrived.
    arrows: FxHashSet<u64>,
    /// Stacks as text; most stacks come often.
    stacks: FxHashMap<Stack, Rc<str>>,
}

impl<W: Write> Chrome<W> {
    pub(super) fn begin(out: W, options: &Options) -> Result<Self, ExportError> {
        Ok(Self {
            events: Events::begin(out)?,
            rows: Rows::new(&options.process_name),
            shift: 0,
            has_workers: options.workers,
            arrows: FxHashSet::default(),
            stacks: FxHashMap::default(),
        })
    }

    /// Completes the output, and counts its events.
    pub(super) fn finish(self) -> Result<u64, ExportError> {
        let written = self.events.written;
        self.events.finish()?;
        Ok(written)
    }

    fn put(&mut self, time: i64, row: Row, event: &Event<'_>) -> Result<(), ExportError> {
        self.rows.name_kind(row, &mut self.events)?;
        let time = time.saturating_add(self.shift);
        self.events.write(Some(time), row, event)
    }

    fn stack(&mut self, stack: Stack, picture: &Picture<'_>) -> Rc<str> {
        let text = self.stacks.entry(stack);
        Rc::clone(text.or_insert_with(|| picture.stack_text(stack).into()))
    }

    /// One end of an arrow. It begins at a slice: a waker that runs nothing has none.
    fn arrow(&mut self, time: i64, row: Row, arrow: Arrow) -> Result<(), ExportError> {
        let (phase, wake) = match arrow {
            Arrow::From(wake) if self.has_workers => {
                self.arrows.insert(wake);
                ("s", wake)
            }
            Arrow::To(wake) if self.arrows.remove(&wake) => ("f", wake),
            _ => return Ok(()),
        };
        let event = Event {
            phase,
            category: "wake",
            name: "wake",
            id: Some(wake),
            arguments: &[],
        };
        self.put(time, row, &event)
    }
}

fn plain<'a>(
    (key, value): Argument<'a>,
    stack: Option<&'a str>,
) -> (&'static str, json::Value<'a>) {
    let value = match value {
        Value::Number(number) => json::Value::Number(number),
        Value::Name(text) | Value::Text(text) => json::Value::Text(text),
        Value::Stack(_) => json::Value::Text(stack.unwrap_or_default()),
    };
    (key, value)
}

impl<W: Write> Canvas for Chrome<W> {
    type Row = Row;

    const HAS_SAMPLES: bool = false;

    fn begin_change(&mut self, picture: &Picture<'_>) {
        self.shift = picture.shift();
    }

    fn row(&mut self, place: Track<'_>, picture: &Picture<'_>) -> Result<Row, ExportError> {
        self.rows.row(place, picture, &mut self.events)
    }

    fn task_named(&mut self, task: Task<'_>, picture: &Picture<'_>) -> Result<(), ExportError> {
        self.rows.rename_task(task, picture, &mut self.events)
    }

    fn task_gone(&mut self, task: Task<'_>, _picture: &Picture<'_>) -> Result<(), ExportError> {
        self.rows.forget_task(task.id);
        Ok(())
    }

    fn draw(
        &mut self,
        time: i64,
        (row, stroke): (Row, Stroke),
        mark: &Mark<'_>,
        picture: &Picture<'_>,
    ) -> Result<(), ExportError> {
        let stack = mark.arguments.iter().find_map(|(_, value)| match value {
            Value::Stack(stack) => Some(self.stack(*stack, picture)),
            _ => None,
        });
        let arguments: Vec<_> = mark
            .arguments
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|&argument| plain(argument, stack.as_deref()))
            .collect();
        // Asynchronous events belong together by their category and number.
        let is_asynchronous = row.user_task.is_some();
        let event = Event {
            phase: match stroke {
                Stroke::Begin if is_asynchronous => "b",
                Stroke::Begin => "B",
                Stroke::End if is_asynchronous => "e",
                Stroke::End => "E",
                Stroke::Instant | Stroke::Message if is_asynchronous => "n",
                Stroke::Instant | Stroke::Message => "i",
            },
            category: if is_asynchronous {
                "user task"
            } else {
                mark.category
            },
            name: mark.name,
            id: row.user_task.map(|id| id.0),
            arguments: &arguments,
        };
        self.put(time, row, &event)?;
        self.arrow(time, row, mark.arrow)
    }

    fn value(&mut self, time: i64, name: &str, value: i64) -> Result<(), ExportError> {
        let event = Event {
            phase: "C",
            name,
            arguments: &[("value", json::Value::Signed(value))],
            ..Event::default()
        };
        self.put(time, Row::PROGRAM, &event)
    }
}
