//! Texts and stacks of the trace that is read, under numbers that hold for longer than one of its
//! generations, and the ids that they have in the trace that is written.

use exectrace_format::{Frame, FrameRef, StackId, StringId, Tables, Writer};
use rustc_hash::FxHashMap;

/// A text, for as long as the rewriting lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Text(u32);

/// A stack, for as long as the rewriting lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Stack(u32);

/// A place in the program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The number that stands for it.
    pub(crate) pc: u64,
    /// The function.
    pub(crate) function: String,
    /// The source file.
    pub(crate) file: String,
    /// The line.
    pub(crate) line: u64,
}

/// Tells what a frame is to be replaced by, leaf first; `None` leaves it as it is.
pub(crate) trait Frames {
    /// Asked once for each frame of each different stack of a generation.
    fn replace(&mut self, frame: FrameRef<'_>) -> Option<Vec<Place>>;
}

/// Leaves all frames as they are.
#[derive(Debug)]
pub(crate) struct AsTheyAre;

impl Frames for AsTheyAre {
    fn replace(&mut self, _frame: FrameRef<'_>) -> Option<Vec<Place>> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    pc: u64,
    function: Text,
    file: Text,
    line: u64,
}

/// The tables. They grow with the different names and stacks of the trace; free text (messages)
/// does not come here.
#[derive(Debug)]
pub(super) struct Texts<F> {
    frames: F,
    texts: Vec<Box<str>>,
    by_text: FxHashMap<Box<str>, Text>,
    stacks: Vec<Box<[Entry]>>,
    by_stack: FxHashMap<Box<[Entry]>, Stack>,
    /// Of the generation that is read: from its ids.
    read_texts: Vec<Option<Text>>,
    read_stacks: Vec<Option<Stack>>,
    /// Of the generation that is written: to its ids.
    written_texts: Vec<Option<StringId>>,
    written_stacks: Vec<Option<StackId>>,
}

impl<F: Frames> Texts<F> {
    pub(super) fn new(frames: F) -> Self {
        let mut texts = Self {
            frames,
            texts: Vec::new(),
            by_text: FxHashMap::default(),
            stacks: Vec::new(),
            by_stack: FxHashMap::default(),
            read_texts: Vec::new(),
            read_stacks: Vec::new(),
            written_texts: Vec::new(),
            written_stacks: Vec::new(),
        };
        // The numbers 0 are the empty text and the empty stack.
        texts.intern("");
        texts.intern_stack(Box::default());
        texts
    }

    /// What replaced the frames.
    pub(super) fn into_frames(self) -> F {
        self.frames
    }

    /// The ids of the trace that is read begin anew.
    pub(super) fn begin_reading(&mut self) {
        self.read_texts.clear();
        self.read_stacks.clear();
    }

    /// The ids of the trace that is written begin anew.
    pub(super) fn begin_writing(&mut self) {
        self.written_texts.clear();
        self.written_stacks.clear();
    }

    fn intern(&mut self, text: &str) -> Text {
        if let Some(&known) = self.by_text.get(text) {
            return known;
        }
        let new = Text(self.texts.len() as u32);
        self.texts.push(text.into());
        self.by_text.insert(text.into(), new);
        new
    }

    fn intern_stack(&mut self, entries: Box<[Entry]>) -> Stack {
        if let Some(&known) = self.by_stack.get(&entries) {
            return known;
        }
        let new = Stack(self.stacks.len() as u32);
        self.stacks.push(entries.clone());
        self.by_stack.insert(entries, new);
        new
    }

    /// A text of the trace that is read.
    pub(super) fn text(&mut self, id: StringId, tables: &Tables) -> Text {
        if let Some(known) = cached(&self.read_texts, id.0) {
            return known;
        }
        let text = self.intern(tables.text(id));
        remember(&mut self.read_texts, id.0, tables.strings_len(), text);
        text
    }

    /// A stack of the trace that is read.
    pub(super) fn stack(&mut self, id: StackId, tables: &Tables) -> Stack {
        if let Some(known) = cached(&self.read_stacks, id.0) {
            return known;
        }
        let mut entries = Vec::new();
        for frame in tables.frames(id) {
            match self.frames.replace(frame) {
                Some(places) => {
                    for place in places {
                        entries.push(self.entry(
                            place.pc,
                            &place.function,
                            &place.file,
                            place.line,
                        ));
                    }
                }
                None => entries.push(self.entry(frame.pc, frame.function, frame.file, frame.line)),
            }
        }
        let stack = self.intern_stack(entries.into());
        remember(&mut self.read_stacks, id.0, tables.stacks_len(), stack);
        stack
    }

    fn entry(&mut self, pc: u64, function: &str, file: &str, line: u64) -> Entry {
        Entry {
            pc,
            function: self.intern(function),
            file: self.intern(file),
            line,
        }
    }

    /// The id of a text in the trace that is written.
    pub(super) fn written_text(&mut self, text: Text, writer: &mut Writer) -> StringId {
        let index = u64::from(text.0);
        if let Some(known) = cached(&self.written_texts, index) {
            return known;
        }
        let id = self
            .texts
            .get(text.0 as usize)
            .map_or(StringId::EMPTY, |text| writer.string(text));
        remember(&mut self.written_texts, index, self.texts.len(), id);
        id
    }

    /// The id of a stack in the trace that is written.
    pub(super) fn written_stack(&mut self, stack: Stack, writer: &mut Writer) -> StackId {
        let index = u64::from(stack.0);
        if let Some(known) = cached(&self.written_stacks, index) {
            return known;
        }
        let entries = self
            .stacks
            .get(stack.0 as usize)
            .cloned()
            .unwrap_or_default();
        let frames: Vec<Frame> = entries
            .iter()
            .map(|entry| Frame {
                pc: entry.pc,
                function: self.written_text(entry.function, writer),
                file: self.written_text(entry.file, writer),
                line: entry.line,
            })
            .collect();
        let id = writer.stack(&frames);
        remember(&mut self.written_stacks, index, self.stacks.len(), id);
        id
    }
}

fn cached<T: Copy>(cache: &[Option<T>], index: u64) -> Option<T> {
    *cache.get(usize::try_from(index).ok()?)?
}

/// Ids are dense, so an array up to the greatest is as small as anything; ids beyond it do not
/// exist, and are not remembered.
fn remember<T: Copy>(cache: &mut Vec<Option<T>>, index: u64, length: usize, value: T) {
    if cache.len() < length {
        cache.resize(length, None);
    }
    let slot = usize::try_from(index)
        .ok()
        .and_then(|index| cache.get_mut(index));
    if let Some(slot) = slot {
        *slot = Some(value);
    }
}
