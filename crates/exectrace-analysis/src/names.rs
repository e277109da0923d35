//! Texts, frames and stacks of the whole trace, each once.
//!
//! The reader's ids hold for one generation. Here each text and each stack gets an id that holds
//! for the trace; a pair of maps, emptied with each generation, leads from the one to the other,
//! so that a text or a stack is looked at once in a generation.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use exectrace_format::{CONCURRENT_SPAN, StackId, StringId, Tables};
use rustc_hash::FxHashMap;
use serde::Serialize;

/// A text of the trace. 0 is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(pub(crate) u32);

/// A stack of the trace. 0 is no stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stack(pub(crate) u32);

/// A place in the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The function.
    pub function: String,
    /// The source file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The number that stands for the place in this trace. Other traces have other numbers.
    pub pc: u64,
}

/// What functions are called that Go programs wait in, and that tell nothing of the program.
const GO_WAITS: [&str; 4] = ["runtime.", "internal/", "sync.", "time.Sleep"];

impl Place {
    /// The place of a stack (leaf first) that says most of the program: the first outside Go's
    /// runtime and locks; the leaf if all are inside. `None` for an empty stack.
    ///
    /// ```
    /// use exectrace_analysis::Place;
    ///
    /// let stack = ["runtime.chanrecv1", "main.serve", "main.main"].map(|function| Place {
    ///     function: function.to_owned(),
    ///     ..Place::default()
    /// });
    /// assert_eq!(Place::of_program(&stack), Some(&stack[1]));
    /// assert_eq!(Place::of_program(&stack[..1]), Some(&stack[0]));
    /// ```
    pub fn of_program(stack: &[Self]) -> Option<&Self> {
        let mut stack = stack.iter();
        let leaf = stack.clone().next();
        stack.find(|place| !is_go_wait(&place.function)).or(leaf)
    }
}

fn is_go_wait(function: &str) -> bool {
    GO_WAITS.iter().any(|begin| function.starts_with(begin))
}

/// How the functions of a Tokio program begin in which it waits, and that are not its own.
const TOKIO_WAITS: [&str; 5] = ["tokio::", "std::", "core::", "alloc::", "futures_"];

/// Whether a function of a Rust program is neither Tokio's nor the standard library's.
pub(crate) fn is_of_program(function: &str) -> bool {
    let function = function.trim_start_matches('<');
    !TOKIO_WAITS.iter().any(|begin| function.starts_with(begin))
}

/// The goroutines of Go's runtime that run the program's own code: finalizers (`runfinq` up to Go
/// 1.24) and cleanups.
const GO_RUNS_PROGRAM: [&str; 3] = [
    "runtime.runFinalizers",
    "runtime.runfinq",
    "runtime.runCleanups",
];

/// Whether tasks of this name belong to Go itself: the collector's, the scavenger, timers.
pub(crate) fn is_of_go_runtime(name: &str) -> bool {
    name.starts_with("runtime.") && !GO_RUNS_PROGRAM.contains(&name)
}

/// One frame: its number and texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) pc: u64,
    pub(crate) function: Text,
    pub(crate) file: Text,
    pub(crate) line: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Arc<str>>,
    text_ids: FxHashMap<Arc<str>, Text>,
    frames: Vec<Frame>,
    frame_ids: FxHashMap<Frame, u32>,
    stacks: Vec<Arc<[u32]>>,
    stack_ids: FxHashMap<Arc<[u32]>, Stack>,
    text_of_string: IdMap,
    stack_of_id: IdMap,
}

impl Names {
    pub(crate) fn new() -> Self {
        let mut names = Self::default();
        names.intern("");
        names.stacks.push(Arc::new([]));
        names.stack_ids.insert(Arc::new([]), Stack(0));
        names
    }

    /// Forgets the ids of the reader's last generation.
    pub(crate) fn next_generation(&mut self) {
        self.text_of_string.0.clear();
        self.stack_of_id.0.clear();
    }

    /// The text's id in this trace.
    pub(crate) fn intern(&mut self, text: &str) -> Text {
        if let Some(&id) = self.text_ids.get(text) {
            return id;
        }
        let id = Text(u32::try_from(self.texts.len()).unwrap_or(0));
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.text_ids.insert(text, id);
        id
    }

    #[inline]
    pub(crate) fn text(&mut self, tables: &Tables, id: StringId) -> Text {
        if id == StringId::EMPTY {
            return Text(0);
        }
        match self.text_of_string.get(id.0) {
            Some(known) => Text(known),
            None => self.new_text(tables, id),
        }
    }

    fn new_text(&mut self, tables: &Tables, id: StringId) -> Text {
        let text = self.intern(tables.text(id));
        self.text_of_string
            .insert(tables.strings_len(), id.0, text.0);
        text
    }

    #[inline]
    pub(crate) fn stack(&mut self, tables: &Tables, id: StackId) -> Stack {
        if id == StackId::NONE {
            return Stack(0);
        }
        match self.stack_of_id.get(id.0) {
            Some(known) => Stack(known),
            None => self.new_stack(tables, id),
        }
    }

    fn new_stack(&mut self, tables: &Tables, id: StackId) -> Stack {
        let mut frames = Vec::new();
        for frame in tables.frames(id) {
            let frame = Frame {
                pc: frame.pc,
                function: self.intern(frame.function),
                file: self.intern(frame.file),
                line: frame.line,
            };
            frames.push(match self.frame_ids.entry(frame) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    self.frames.push(frame);
                    *new.insert(u32::try_from(self.frames.len() - 1).unwrap_or(0))
                }
            });
        }
        let stack = self.stack_of(&frames);
        self.stack_of_id.insert(tables.stacks_len(), id.0, stack.0);
        stack
    }

    fn stack_of(&mut self, frames: &[u32]) -> Stack {
        if let Some(&known) = self.stack_ids.get(frames) {
            return known;
        }
        let stack = Stack(u32::try_from(self.stacks.len()).unwrap_or(0));
        let frames: Arc<[u32]> = frames.into();
        self.stacks.push(frames.clone());
        self.stack_ids.insert(frames, stack);
        stack
    }

    /// The stack of the innermost frame alone.
    pub(crate) fn leaf(&mut self, stack: Stack) -> Stack {
        match self.stacks.get(stack.0 as usize).map(|frames| &frames[..]) {
            Some(&[leaf, _, ..]) => self.stack_of(&[leaf]),
            _ => stack,
        }
    }

    pub(crate) fn get(&self, text: Text) -> &str {
        self.texts.get(text.0 as usize).map_or("", |text| text)
    }

    pub(crate) fn owned(&self, text: Text) -> String {
        self.get(text).to_owned()
    }

    /// The frames of a stack, leaf first.
    pub(crate) fn frames(&self, stack: Stack) -> impl DoubleEndedIterator<Item = &Frame> {
        let frames: &[u32] = self
            .stacks
            .get(stack.0 as usize)
            .map_or(&[], |frames| frames);
        frames
            .iter()
            .filter_map(|&frame| self.frames.get(frame as usize))
    }

    pub(crate) fn place(&self, frame: &Frame) -> Place {
        Place {
            function: self.owned(frame.function),
            file: self.owned(frame.file),
            line: frame.line,
            pc: frame.pc,
        }
    }

    /// The places of a stack, leaf first.
    pub(crate) fn places(&self, stack: Stack) -> Vec<Place> {
        self.frames(stack).map(|frame| self.place(frame)).collect()
    }

    /// As [`Place::of_program`].
    pub(crate) fn place_of_program(&self, stack: Stack) -> Option<Place> {
        Place::of_program(&self.places(stack)).cloned()
    }

    /// Where a span begins: the outermost frame of a stack that is a place of the program.
    pub(crate) fn span_place(&self, stack: Stack) -> Option<&Frame> {
        let mut frames = self.frames(stack).rev();
        frames.find(|frame| self.get(frame.function) != CONCURRENT_SPAN)
    }

    /// The last frame of a stack: where its flow began.
    pub(crate) fn root(&self, stack: Stack) -> Option<&Frame> {
        self.frames(stack).next_back()
    }
}

/// From the ids of one generation, which are small and without gaps, to those of the trace.
#[derive(Debug, Default)]
struct IdMap(
    /// The id plus one; 0 where there is none yet.
    Vec<u32>,
);

impl IdMap {
    #[inline]
    fn get(&self, id: u64) -> Option<u32> {
        self.0.get(id as usize)?.checked_sub(1)
    }

    /// `len` is one more than the greatest id there is.
    fn insert(&mut self, len: usize, id: u64, value: u32) {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        if let Some(place) = self.0.get_mut(id as usize) {
            *place = value.saturating_add(1);
        }
    }
}
