//! The texts and stacks of a whole trace, under numbers that hold for all of it.
//!
//! The reader numbers them anew in each generation. Here each is kept once, however many
//! generations tell it, and found by its generation's number in an array. Memory: the distinct
//! names and stacks of the trace; messages of logs are not kept.

use std::collections::hash_map::Entry;

use exectrace_format::{StackId, StringId, Tables};
use rustc_hash::FxHashMap;

/// A text of the [`Book`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Text(pub(crate) u32);

impl Text {
    /// The empty text.
    pub(crate) const EMPTY: Self = Self(0);
}

/// A stack of the [`Book`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stack(pub(crate) u32);

impl Stack {
    /// No stack.
    pub(crate) const NONE: Self = Self(0);
}

/// One entry of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    pub(crate) pc: u64,
    pub(crate) function: Text,
    pub(crate) file: Text,
    pub(crate) line: u64,
}

/// All texts and stacks so far.
#[derive(Debug)]
pub(crate) struct Book {
    texts: Vec<Box<str>>,
    text_numbers: FxHashMap<Box<str>, Text>,
    frames: Vec<Frame>,
    frame_numbers: FxHashMap<Frame, u32>,
    stacks: Vec<Box<[u32]>>,
    stack_numbers: FxHashMap<Box<[u32]>, Stack>,
    /// By the number in the current generation; `None` where not looked up yet.
    generation_texts: Vec<Option<Text>>,
    generation_stacks: Vec<Option<Stack>>,
    scratch: Vec<u32>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self {
            texts: vec!["".into()],
            text_numbers: FxHashMap::from_iter([("".into(), Text::EMPTY)]),
            frames: Vec::new(),
            frame_numbers: FxHashMap::default(),
            stacks: vec![Box::new([])],
            stack_numbers: FxHashMap::from_iter([(Box::default(), Stack::NONE)]),
            generation_texts: Vec::new(),
            generation_stacks: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The numbers of the generation before mean nothing any more.
    pub(crate) fn begin_generation(&mut self) {
        self.generation_texts.clear();
        self.generation_stacks.clear();
    }

    pub(crate) fn text(&self, text: Text) -> &str {
        self.texts.get(text.0 as usize).map_or("", |text| text)
    }

    /// The frames of a stack, leaf first.
    pub(crate) fn frames(
        &self,
        stack: Stack,
    ) -> impl DoubleEndedIterator<Item = Frame> + ExactSizeIterator + '_ {
        let frames: &[u32] = self
            .stacks
            .get(stack.0 as usize)
            .map_or(&[], |frames| frames);
        frames.iter().map(|&frame| self.frames[frame as usize])
    }

    /// A line for each frame, leaf first: `function (file:line)`.
    pub(crate) fn stack_text(&self, stack: Stack) -> String {
        let mut text = String::new();
        for frame in self.frames(stack) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(self.text(frame.function));
            let file = self.text(frame.file);
            if !file.is_empty() {
                text.push_str(&format!(" ({file}:{})", frame.line));
            }
        }
        text
    }

    /// The outermost frame of a stack, which names an async task.
    pub(crate) fn root(&self, stack: Stack) -> Option<Frame> {
        self.frames(stack).next_back()
    }

    pub(crate) fn intern(&mut self, text: &str) -> Text {
        if let Some(&known) = self.text_numbers.get(text) {
            return known;
        }
        // Each takes bytes of the file: there are fewer than 2^32 of them.
        let number = Text(self.texts.len() as u32);
        self.texts.push(text.into());
        self.text_numbers.insert(text.into(), number);
        number
    }

    /// The text with this number in the current generation.
    pub(crate) fn text_of(&mut self, id: StringId, tables: &Tables) -> Text {
        let index = id.0 as usize;
        match self.generation_texts.get(index) {
            Some(&Some(known)) => known,
            _ => {
                let text = self.intern(tables.text(id));
                remember(
                    &mut self.generation_texts,
                    index,
                    tables.strings_len(),
                    text,
                );
                text
            }
        }
    }

    /// The stack with this number in the current generation.
    pub(crate) fn stack_of(&mut self, id: StackId, tables: &Tables) -> Stack {
        let index = id.0 as usize;
        match self.generation_stacks.get(index) {
            Some(&Some(known)) => known,
            _ => {
                let stack = self.intern_stack(id, tables);
                remember(
                    &mut self.generation_stacks,
                    index,
                    tables.stacks_len(),
                    stack,
                );
                stack
            }
        }
    }

    fn intern_stack(&mut self, id: StackId, tables: &Tables) -> Stack {
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        for frame in tables.frames(id) {
            let frame = Frame {
                pc: frame.pc,
                function: self.text_of(frame.function_id, tables),
                file: self.text_of(frame.file_id, tables),
                line: frame.line,
            };
            frames.push(self.intern_frame(frame));
        }
        let stack = match self.stack_numbers.get(frames.as_slice()) {
            Some(&known) => known,
            None => {
                let number = Stack(self.stacks.len() as u32);
                self.stacks.push(frames.as_slice().into());
                self.stack_numbers.insert(frames.as_slice().into(), number);
                number
            }
        };
        self.scratch = frames;
        stack
    }

    fn intern_frame(&mut self, frame: Frame) -> u32 {
        match self.frame_numbers.entry(frame) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.frames.push(frame);
                *new.insert(self.frames.len() as u32 - 1)
            }
        }
    }
}

/// Sets one entry of a table that grows to what the generation has.
fn remember<T: Copy>(table: &mut Vec<Option<T>>, index: usize, length: usize, value: T) {
    if table.len() < length {
        table.resize(length, None);
    }
    // An id that is in no table, the reader's empty ones apart, is not remembered.
    if let Some(entry) = table.get_mut(index) {
        *entry = Some(value);
    }
}
