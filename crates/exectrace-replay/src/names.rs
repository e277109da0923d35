//! Texts, places and stacks of the whole trace, each once.
//!
//! The reader's ids hold for one generation. Here each text and each stack has an id that holds for the
//! trace. Two arrays, emptied at each generation, lead from the one to the other, so that a text is hashed
//! once a generation and never for an event.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use exectrace_format::{StackId, StringId, Tables};
use rustc_hash::FxHashMap;

/// A text of the trace. The default is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(u32);

/// A stack of the trace. The default is no stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stack(u32);

impl Text {
    /// The empty text.
    pub const EMPTY: Self = Self(0);

    /// Counts the texts of a trace from 0, the empty one, so that a caller can keep an array of them.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Stack {
    /// No stack.
    pub const NONE: Self = Self(0);

    /// Counts the stacks of a trace from 0, the empty one, so that a caller can keep an array of them.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place in the program: one entry of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The number that stands for the place in this trace.
    pub pc: u64,
    /// The function.
    pub function: Text,
    /// The source file.
    pub file: Text,
    /// The line.
    pub line: u64,
}

/// All texts and stacks of a trace so far.
///
/// Memory: the different names, places and stacks of the trace. Messages of logs are not kept.
#[derive(Clone, Debug)]
pub struct Names {
    texts: Vec<Arc<str>>,
    text_ids: FxHashMap<Arc<str>, Text>,
    locations: Vec<Location>,
    location_ids: FxHashMap<Location, u32>,
    stacks: Vec<Arc<[u32]>>,
    stack_ids: FxHashMap<Arc<[u32]>, Stack>,
    /// By stack: the function of its innermost place.
    leaf_functions: Vec<Text>,
    /// By stack: that of its innermost place alone, plus one; 0 where that was not asked for yet.
    leaf_stacks: Vec<u32>,
    text_of_string: GenerationIds,
    stack_of_id: GenerationIds,
}

/// The names of an empty trace.
impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl Names {
    pub(crate) fn new() -> Self {
        let mut names = Self {
            texts: Vec::new(),
            text_ids: FxHashMap::default(),
            locations: Vec::new(),
            location_ids: FxHashMap::default(),
            stacks: Vec::new(),
            stack_ids: FxHashMap::default(),
            leaf_functions: Vec::new(),
            leaf_stacks: Vec::new(),
            text_of_string: GenerationIds::default(),
            stack_of_id: GenerationIds::default(),
        };
        names.intern("");
        names.intern_stack(&[]);
        names
    }

    /// Forgets the ids of the reader's last generation.
    pub(crate) fn begin_generation(&mut self) {
        self.text_of_string.0.clear();
        self.stack_of_id.0.clear();
    }

    /// The id of a text, which is added if the trace has not had it yet.
    pub fn intern(&mut self, text: &str) -> Text {
        if let Some(&id) = self.text_ids.get(text) {
            return id;
        }
        // Each takes bytes of the file, so there are fewer than 2^32.
        let id = Text(u32::try_from(self.texts.len()).unwrap_or(0));
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.text_ids.insert(text, id);
        id
    }

    /// The text that the reader knows by this id in its current generation.
    #[inline]
    pub fn text(&mut self, tables: &Tables, id: StringId) -> Text {
        if id == StringId::EMPTY {
            return Text::EMPTY;
        }
        match self.text_of_string.get(id.0) {
            Some(known) => Text(known),
            None => self.new_text(tables, id),
        }
    }

    fn new_text(&mut self, tables: &Tables, id: StringId) -> Text {
        let text = self.intern(tables.text(id));
        let len = tables.strings_len();
        self.text_of_string.insert(len, id.0, text.0);
        text
    }

    /// The stack that the reader knows by this id in its current generation.
    #[inline]
    pub fn stack(&mut self, tables: &Tables, id: StackId) -> Stack {
        if id == StackId::NONE {
            return Stack::NONE;
        }
        match self.stack_of_id.get(id.0) {
            Some(known) => Stack(known),
            None => self.new_stack(tables, id),
        }
    }

    /// The stack that the reader knows by this id in its current generation, if an event or a record of side data
    /// that was replayed has it.
    pub fn known_stack(&self, id: StackId) -> Option<Stack> {
        self.stack_of_id.get(id.0).map(Stack)
    }

    fn new_stack(&mut self, tables: &Tables, id: StackId) -> Stack {
        let mut entries = Vec::new();
        for frame in tables.frames(id) {
            let location = Location {
                pc: frame.pc,
                function: self.text(tables, frame.function_id),
                file: self.text(tables, frame.file_id),
                line: frame.line,
            };
            entries.push(match self.location_ids.entry(location) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    self.locations.push(location);
                    *new.insert(u32::try_from(self.locations.len() - 1).unwrap_or(0))
                }
            });
        }
        let stack = self.intern_stack(&entries);
        let len = tables.stacks_len();
        self.stack_of_id.insert(len, id.0, stack.0);
        stack
    }

    fn intern_stack(&mut self, entries: &[u32]) -> Stack {
        if let Some(&known) = self.stack_ids.get(entries) {
            return known;
        }
        let stack = Stack(u32::try_from(self.stacks.len()).unwrap_or(0));
        let leaf = entries.first();
        let leaf = leaf.and_then(|&leaf| self.locations.get(leaf as usize));
        let function = leaf.map_or(Text::EMPTY, |leaf| leaf.function);
        self.leaf_functions.push(function);
        let entries: Arc<[u32]> = entries.into();
        self.stacks.push(entries.clone());
        self.stack_ids.insert(entries, stack);
        stack
    }

    /// The stack of the innermost place alone.
    pub(crate) fn leaf_alone(&mut self, stack: Stack) -> Stack {
        match self.leaf_stacks.get(stack.index()) {
            Some(&known) if known > 0 => Stack(known - 1),
            _ => self.new_leaf_alone(stack),
        }
    }

    #[cold]
    fn new_leaf_alone(&mut self, stack: Stack) -> Stack {
        let alone = match self.entries(stack) {
            &[leaf, _, ..] => self.intern_stack(&[leaf]),
            _ => stack,
        };
        if self.leaf_stacks.len() <= stack.index() {
            self.leaf_stacks.resize(stack.index() + 1, 0);
        }
        self.leaf_stacks[stack.index()] = alone.0 + 1;
        alone
    }

    /// All texts so far, by their [`index`](Text::index).
    pub fn texts(&self) -> impl Iterator<Item = Text> + use<> {
        (0..self.texts.len() as u32).map(Text)
    }

    /// The stack that has this [`index`](Stack::index).
    pub fn stack_at(&self, index: usize) -> Option<Stack> {
        let index = u32::try_from(index).ok()?;
        ((index as usize) < self.stacks.len()).then_some(Stack(index))
    }

    /// A text, by its id.
    pub fn get(&self, text: Text) -> &str {
        self.texts.get(text.index()).map_or("", |text| text)
    }

    fn entries(&self, stack: Stack) -> &[u32] {
        self.stacks
            .get(stack.index())
            .map_or(&[], |entries| entries)
    }

    /// The places of a stack, the innermost first.
    pub fn locations(
        &self,
        stack: Stack,
    ) -> impl DoubleEndedIterator<Item = &Location> + ExactSizeIterator {
        let entries = self.entries(stack).iter();
        // An entry is the index of a place.
        entries.map(|&entry| &self.locations[entry as usize])
    }

    /// The innermost place of a stack.
    pub fn leaf(&self, stack: Stack) -> Option<&Location> {
        self.locations(stack).next()
    }

    /// The outermost place of a stack, which names the goroutine whose stack it is.
    pub fn root(&self, stack: Stack) -> Option<&Location> {
        self.locations(stack).next_back()
    }

    /// The function of the innermost place; empty where there is none.
    #[inline]
    pub(crate) fn leaf_function(&self, stack: Stack) -> Text {
        let function = self.leaf_functions.get(stack.index());
        function.copied().unwrap_or(Text::EMPTY)
    }

    /// Whether the innermost place of the stack is this function. Compares texts.
    pub fn has_leaf(&self, stack: Stack, function: &str) -> bool {
        let leaf = self.leaf(stack);
        leaf.is_some_and(|leaf| self.get(leaf.function) == function)
    }
}

/// From the ids of one generation, which are small and without gaps, to those of the trace.
#[derive(Clone, Debug, Default)]
struct GenerationIds(
    /// The id plus one; 0 where there is none yet.
    Vec<u32>,
);

impl GenerationIds {
    #[inline]
    fn get(&self, id: u64) -> Option<u32> {
        self.0.get(id as usize)?.checked_sub(1)
    }

    /// `len` is one more than the greatest id there is.
    fn insert(&mut self, len: usize, id: u64, value: u32) {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        if let Some(entry) = self.0.get_mut(id as usize) {
            *entry = value.saturating_add(1);
        }
    }
}
