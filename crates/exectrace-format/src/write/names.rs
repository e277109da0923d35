//! Texts and stacks: each is written once in a generation, and events name it by its number.

use crate::ids::{StackId, StringId};
use crate::side::cut;
use crate::wire::{self, MAX_STACK_FRAMES, MAX_STRING_BYTES, put_uvarint};

use super::Writer;

/// [`Writer::message`] remembers texts up to this length: a debug event of a library that names its
/// addresses and identifiers is some 100 bytes long.
const MESSAGE_INTERN_BYTES: usize = 256;
/// [`Writer::message`] remembers at most this many texts of a generation.
const MESSAGE_INTERN_COUNT: usize = 16_384;

/// One entry of a stack.
///
/// Readers know a frame by its `pc` alone, across the whole trace: every (function, file, line)
/// needs a pc of its own, not 0, that never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireFrame {
    /// A number that stands for the place, real or made up.
    pub pc: u64,
    /// The function's name.
    pub function: StringId,
    /// The source file.
    pub file: StringId,
    /// The line, from 1.
    pub line: u64,
}

impl Writer {
    /// The id of `text` in this generation, the same for the same text.
    ///
    /// Texts longer than 1 024 bytes are cut at a character boundary. Each different text is
    /// remembered until the generation ends: see [`message`](Self::message) for free text.
    pub fn string(&mut self, text: &str) -> StringId {
        if text.is_empty() {
            return StringId::EMPTY;
        }
        let text = cut(text, MAX_STRING_BYTES);
        match self.strings.find(text.as_bytes()) {
            Ok(id) => StringId(u64::from(id)),
            Err(vacant) => {
                let id = self.put_string(text);
                self.strings.insert(vacant, text.as_bytes(), id);
                StringId(u64::from(id))
            }
        }
    }

    /// An id of `text` in this generation, not always the same for the same text.
    ///
    /// Only texts up to 256 bytes are remembered, and 16,384 of them in a generation, so that
    /// the memory for it stays under 5 MB whatever a program says. Otherwise as [`string`](Self::string).
    pub fn message(&mut self, text: &str) -> StringId {
        if text.is_empty() {
            return StringId::EMPTY;
        }
        if text.len() <= MESSAGE_INTERN_BYTES {
            match self.strings.find(text.as_bytes()) {
                Ok(id) => return StringId(u64::from(id)),
                Err(vacant) if self.messages < MESSAGE_INTERN_COUNT => {
                    self.messages += 1;
                    let id = self.put_string(text);
                    self.strings.insert(vacant, text.as_bytes(), id);
                    return StringId(u64::from(id));
                }
                Err(_) => {}
            }
        }
        StringId(u64::from(self.put_string(cut(text, MAX_STRING_BYTES))))
    }

    fn put_string(&mut self, text: &str) -> u32 {
        let id = self.next_string;
        self.next_string += 1;
        let item = self
            .string_table
            .item(text.len() + 2 * wire::MAX_UVARINT_BYTES + 1);
        item.push(wire::STRING);
        put_uvarint(item, u64::from(id));
        put_uvarint(item, text.len() as u64);
        item.extend_from_slice(text.as_bytes());
        id
    }

    /// The id of this stack in this generation; frames go from leaf to root.
    ///
    /// Of more than 128 frames the leaf's 127 and the root, which names the goroutine, are kept.
    pub fn stack(&mut self, frames: &[WireFrame]) -> StackId {
        let Some((root, most)) = frames.split_last() else {
            return StackId::NONE;
        };
        let leaves = &most[..most.len().min(MAX_STACK_FRAMES - 1)];
        let mut key = core::mem::take(&mut self.scratch);
        key.clear();
        put_uvarint(&mut key, leaves.len() as u64 + 1);
        for frame in leaves.iter().chain([root]) {
            for value in [frame.pc, frame.function.0, frame.file.0, frame.line] {
                put_uvarint(&mut key, value);
            }
        }
        let id = match self.stacks.find(&key) {
            Ok(id) => id,
            Err(vacant) => {
                let id = self.next_stack;
                self.next_stack += 1;
                let item = self
                    .stack_table
                    .item(key.len() + wire::MAX_UVARINT_BYTES + 1);
                item.push(wire::STACK);
                put_uvarint(item, u64::from(id));
                item.extend_from_slice(&key);
                self.stacks.insert(vacant, &key, id);
                id
            }
        };
        self.scratch = key;
        StackId(u64::from(id))
    }
}
