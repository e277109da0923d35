//! The ids that texts and stacks have in the trace that is written.

use exectrace_format::{StackFrame, StackId, StringId, Tables, WireFrame, Writer};
use exectrace_replay::{Location, Names, Stack, State, Text};
use rustc_hash::FxHashMap;

use super::symbolizer::Symbolizer;

/// The ids of the generation that is written, by the ids that the replay gave for the whole trace; and what
/// frames were replaced by.
#[derive(Debug)]
pub(super) struct WrittenNames<'a, S> {
    symbolizer: &'a mut S,
    /// The frames of a stack, if some were replaced.
    symbolized: FxHashMap<Stack, Option<Box<[StackFrame]>>>,
    texts: WrittenIds<StringId>,
    stacks: WrittenIds<StackId>,
}

impl<'a, S: Symbolizer> WrittenNames<'a, S> {
    pub(super) fn new(symbolizer: &'a mut S) -> Self {
        Self {
            symbolizer,
            symbolized: FxHashMap::default(),
            texts: WrittenIds::default(),
            stacks: WrittenIds::default(),
        }
    }

    /// The ids of the trace that is written start again.
    pub(super) fn begin_generation(&mut self) {
        self.texts.0.clear();
        self.stacks.0.clear();
    }

    /// The id of a text.
    pub(super) fn text(&mut self, text: Text, names: &Names, writer: &mut Writer) -> StringId {
        self.texts
            .get_or_insert(text.index(), || writer.string(names.get(text)))
    }

    /// The id of a stack.
    pub(super) fn stack(&mut self, stack: Stack, names: &Names, writer: &mut Writer) -> StackId {
        if let Some(known) = self.stacks.get(stack.index()) {
            return known;
        }
        let id = self.new_stack(stack, names, writer);
        self.stacks.insert(stack.index(), id);
        id
    }

    fn new_stack(&mut self, stack: Stack, names: &Names, writer: &mut Writer) -> StackId {
        let symbolizer = &mut *self.symbolizer;
        let symbolized = self.symbolized.entry(stack);
        let symbolized = symbolized.or_insert_with(|| symbolize(stack, names, symbolizer));
        let frames: Vec<WireFrame> = match symbolized {
            Some(frames) => frames
                .iter()
                .map(|frame| WireFrame {
                    pc: frame.pc,
                    function: writer.string(&frame.function),
                    file: writer.string(&frame.file),
                    line: frame.line,
                })
                .collect(),
            None => names
                .locations(stack)
                .map(|location| WireFrame {
                    pc: location.pc,
                    function: self.text(location.function, names, writer),
                    file: self.text(location.file, names, writer),
                    line: location.line,
                })
                .collect(),
        };
        writer.stack(&frames)
    }
}

/// The frames of a stack, if one of them is replaced.
fn symbolize<S: Symbolizer>(
    stack: Stack,
    names: &Names,
    symbolizer: &mut S,
) -> Option<Box<[StackFrame]>> {
    let replaced: Vec<_> = names
        .locations(stack)
        .map(|location| symbolizer.symbolize(location, names))
        .collect();
    if replaced.iter().all(Option::is_none) {
        return None;
    }
    let kept = |it: &Location| {
        let (function, file) = (names.get(it.function), names.get(it.file));
        StackFrame::new(it.pc, function, file, it.line)
    };
    let frames = names.locations(stack).zip(replaced);
    let frames = frames.flat_map(|(location, new)| new.unwrap_or_else(|| vec![kept(location)]));
    Some(frames.collect())
}

/// What an event is encoded with: the state before it, its names, and the ids that these have in the trace
/// that is written.
pub(super) struct Context<'c, 'a, S> {
    pub(super) state: &'c mut State,
    pub(super) tables: &'c Tables,
    pub(super) written: &'c mut WrittenNames<'a, S>,
}

impl<S: Symbolizer> Context<'_, '_, S> {
    pub(super) fn text(&mut self, id: StringId, writer: &mut Writer) -> StringId {
        let text = self.state.names_mut().text(self.tables, id);
        self.written.text(text, self.state.names(), writer)
    }

    pub(super) fn stack(&mut self, id: StackId, writer: &mut Writer) -> StackId {
        let stack = self.state.names_mut().stack(self.tables, id);
        self.written.stack(stack, self.state.names(), writer)
    }
}

/// Ids by an index that counts from 0.
#[derive(Debug)]
struct WrittenIds<T>(Vec<Option<T>>);

impl<T> Default for WrittenIds<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> WrittenIds<T> {
    fn get(&self, index: usize) -> Option<T> {
        *self.0.get(index)?
    }

    fn get_or_insert(&mut self, index: usize, new: impl FnOnce() -> T) -> T {
        self.get(index).unwrap_or_else(|| {
            let id = new();
            self.insert(index, id);
            id
        })
    }

    fn insert(&mut self, index: usize, id: T) {
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some(id);
    }
}
