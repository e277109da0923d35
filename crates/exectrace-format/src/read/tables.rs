//! Names and stacks of one generation, numbered anew from 1, without gaps.
//!
//! The ids of a file may be any numbers. What they stand for is looked up once for each event that
//! names one, which also shows whether it exists; from there on a table is a plain array.

use std::ops::Range;

use crate::ids::{StackId, StringId};

use super::error::TableError;
use super::id_map::{IdIndex, IdMap};

/// The names and stacks that the events of one generation have.
///
/// Ids count from 1 without gaps; 0 is the empty text and the empty stack. So a user who keeps
/// more than numbers can have an array from these ids to its own, emptied at each
/// [`CompactKind::Sync`](crate::CompactKind::Sync). All look-ups are array accesses.
#[derive(Debug)]
pub struct Tables {
    /// All texts, one behind the other.
    texts: String,
    strings: Vec<TextSpan>,
    string_ids: IdIndex,
    /// The true bytes of those strings that are no text.
    invalid: IdMap<Box<[u8]>>,
    stacks: Vec<Range<u32>>,
    stack_ids: IdIndex,
    /// For each stack, leaf first, indices of `frames`.
    stack_frames: Vec<u32>,
    frames: Vec<TableFrame>,
    by_pc: IdMap<u32>,
}

/// A part of `Tables::texts`.
#[derive(Clone, Copy, Debug)]
struct TextSpan {
    start: usize,
    length: u32,
}

#[derive(Clone, Copy, Debug)]
struct TableFrame {
    pc: u64,
    line: u64,
    /// Ids in the file until all strings are known, then those of these tables.
    function: u64,
    file: u64,
    /// The stack in the file that defined it, for error messages.
    stack: u64,
}

/// One entry of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FrameRef<'a> {
    /// The number that stands for the place, across the whole trace.
    pub pc: u64,
    /// The function's name.
    pub function: &'a str,
    /// The source file.
    pub file: &'a str,
    /// The line.
    pub line: u64,
    /// The id of the function's name.
    pub function_id: StringId,
    /// The id of the source file's name.
    pub file_id: StringId,
}

impl Default for Tables {
    fn default() -> Self {
        let mut tables = Self {
            texts: String::new(),
            strings: Vec::new(),
            string_ids: IdIndex::default(),
            invalid: IdMap::default(),
            stacks: Vec::new(),
            stack_ids: IdIndex::default(),
            stack_frames: Vec::new(),
            frames: Vec::new(),
            by_pc: IdMap::default(),
        };
        tables.clear();
        tables
    }
}

impl Tables {
    /// The text with this id; empty for [`StringId::EMPTY`] and for ids that do not exist.
    ///
    /// What is not UTF-8 in the file is replaced by U+FFFD.
    #[inline]
    pub fn text(&self, id: StringId) -> &str {
        let place = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.strings.get(index));
        place.map_or("", |place| {
            &self.texts[place.start..place.start + place.length as usize]
        })
    }

    /// The frames of a stack, leaf first; none for [`StackId::NONE`] and for ids that do not exist.
    pub fn frames(
        &self,
        id: StackId,
    ) -> impl DoubleEndedIterator<Item = FrameRef<'_>> + ExactSizeIterator {
        let place = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.stacks.get(index))
            .cloned()
            .unwrap_or(0..0);
        let indices = &self.stack_frames[place.start as usize..place.end as usize];
        indices.iter().map(|&index| {
            let frame = self.frames[index as usize];
            let (function_id, file_id) = (StringId(frame.function), StringId(frame.file));
            FrameRef {
                pc: frame.pc,
                function: self.text(function_id),
                file: self.text(file_id),
                line: frame.line,
                function_id,
                file_id,
            }
        })
    }

    /// One more than the greatest id of a string. Grows within a generation when a user task ends
    /// that began in an earlier one.
    pub fn strings_len(&self) -> usize {
        self.strings.len()
    }

    /// One more than the greatest id of a stack.
    pub fn stacks_len(&self) -> usize {
        self.stacks.len()
    }

    /// Empties the tables for the next generation, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.strings.clear();
        self.string_ids.clear();
        self.invalid.clear();
        self.stacks.clear();
        self.stack_ids.clear();
        self.stack_frames.clear();
        self.frames.clear();
        self.by_pc.clear();
        self.strings.push(TextSpan {
            start: 0,
            length: 0,
        });
        self.stacks.push(0..0);
    }

    /// Adds a string that no id of the file stands for.
    pub(crate) fn push_string(&mut self, bytes: &[u8]) -> StringId {
        let start = self.texts.len();
        match std::str::from_utf8(bytes) {
            Ok(text) => self.texts.push_str(text),
            Err(_) => {
                self.texts.push_str(&String::from_utf8_lossy(bytes));
                self.invalid.insert(self.strings.len() as u64, bytes.into());
            }
        }
        // A string has some kilobytes at most.
        let length = (self.texts.len() - start) as u32;
        self.strings.push(TextSpan { start, length });
        StringId(self.strings.len() as u64 - 1)
    }

    /// Adds a string by its id in the file.
    pub(crate) fn add_string(&mut self, id: u64, bytes: &[u8]) -> Result<(), TableError> {
        let index = self.strings.len() as u32;
        if id == 0 || !self.string_ids.insert(id, index) {
            return Err(TableError::DuplicateString(StringId(id)));
        }
        self.push_string(bytes);
        Ok(())
    }

    /// Adds a frame to the stack that is being made. A pc that is known already keeps its first
    /// meaning.
    pub(crate) fn push_frame(&mut self, stack: u64, pc: u64, function: u64, file: u64, line: u64) {
        let frames = &mut self.frames;
        let index = *self.by_pc.entry(pc).or_insert_with(|| {
            frames.push(TableFrame {
                pc,
                line,
                function,
                file,
                stack,
            });
            frames.len() as u32 - 1
        });
        self.stack_frames.push(index);
    }

    /// Whether the meaning of a pc is known already.
    pub(crate) fn knows_pc(&self, pc: u64) -> bool {
        self.by_pc.contains_key(&pc)
    }

    /// Makes a stack of the frames pushed since the last one, by its id in the file.
    pub(crate) fn add_stack(&mut self, id: u64) -> Result<(), TableError> {
        let first = self.stacks.last().map_or(0, |last| last.end);
        let index = self.stacks.len() as u32;
        if id == 0 || !self.stack_ids.insert(id, index) {
            return Err(TableError::DuplicateStack(StackId(id)));
        }
        self.stacks.push(first..self.stack_frames.len() as u32);
        Ok(())
    }

    /// Turns the ids in frames into those of these tables, when all strings are there.
    pub(crate) fn resolve_frames(&mut self) -> Result<(), TableError> {
        for frame in &mut self.frames {
            for (what, id) in [("func", &mut frame.function), ("file", &mut frame.file)] {
                match resolve(&self.string_ids, *id) {
                    Some(index) => *id = u64::from(index),
                    None => {
                        return Err(TableError::FrameString {
                            what,
                            string: StringId(*id),
                            stack: StackId(frame.stack),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The id of a string by its id in the file.
    #[inline]
    pub(crate) fn string_id(&self, id: u64) -> Option<StringId> {
        resolve(&self.string_ids, id).map(|index| StringId(u64::from(index)))
    }

    /// The id of a stack by its id in the file.
    #[inline]
    pub(crate) fn stack_id(&self, id: u64) -> Option<StackId> {
        resolve(&self.stack_ids, id).map(|index| StackId(u64::from(index)))
    }

    /// The string as it stands in the file.
    pub(crate) fn bytes(&self, id: StringId) -> &[u8] {
        match self.invalid.get(&id.0) {
            Some(bytes) => bytes,
            None => self.text(id).as_bytes(),
        }
    }
}

/// 0 stands for itself.
#[inline]
fn resolve(ids: &IdIndex, id: u64) -> Option<u32> {
    if id == 0 { Some(0) } else { ids.get(id) }
}
