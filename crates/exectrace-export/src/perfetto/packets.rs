//! Packets to the output, with names and stacks interned.
//!
//! A name stands in the file once, with a number, in the packet that uses it first. Readers keep
//! all numbers in memory, and so do we: after [`INTERNED_MAX`] they are forgotten on both sides.

use std::io::Write;

use exectrace_replay::{Names, Stack};
use rustc_hash::FxHashMap;

use super::schema::{
    Callstack, DebugAnnotation, Frame, InternedData, InternedName, Mapping, NEEDS_STATE,
    STATE_CLEARED, TracePacket,
};
use crate::error::ExportError;
use crate::timeline::Value;
use crate::tracks::stack_text;

/// Most names and stacks that are kept by number at a time.
const INTERNED_MAX: usize = 100_000;
/// All our packets are of one sequence.
const SEQUENCE: u32 = 1;
/// The one mapping that all frames belong to.
const MAPPING: u64 = 1;

/// Numbers of names of one kind.
#[derive(Debug, Default)]
struct Numbers {
    known: FxHashMap<Box<str>, u64>,
}

impl Numbers {
    /// The number, and whether it is new.
    fn of(&mut self, name: &str) -> (u64, bool) {
        if let Some(&number) = self.known.get(name) {
            return (number, false);
        }
        let number = self.known.len() as u64 + 1;
        self.known.insert(name.into(), number);
        (number, true)
    }

    /// The number; a new one is put down in `pending`.
    fn put(&mut self, name: &str, pending: &mut Vec<InternedName>) -> u64 {
        let (iid, is_new) = self.of(name);
        if is_new {
            let name = name.to_owned();
            pending.push(InternedName { iid, name });
        }
        iid
    }
}

/// Everything that has a number in the present state of the sequence.
#[derive(Debug, Default)]
struct Interned {
    names: Numbers,
    categories: Numbers,
    keys: Numbers,
    values: Numbers,
    functions: Numbers,
    frames: FxHashMap<(u64, u64), u64>,
    stack_texts: FxHashMap<Stack, u64>,
    callstacks: FxHashMap<Stack, u64>,
}

impl Interned {
    fn len(&self) -> usize {
        [
            &self.names,
            &self.categories,
            &self.keys,
            &self.values,
            &self.functions,
        ]
        .map(|numbers| numbers.known.len())
        .into_iter()
        .sum::<usize>()
            + self.frames.len()
            + self.stack_texts.len()
            + self.callstacks.len()
    }
}

/// Writes packets.
#[derive(Debug)]
pub(super) struct Packets<W> {
    out: W,
    interned: Interned,
    /// What the next packet has to define.
    pending: InternedData,
    is_cleared: bool,
    buffer: Vec<u8>,
}

impl<W: Write> Packets<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            interned: Interned::default(),
            pending: InternedData::default(),
            is_cleared: true,
            buffer: Vec::new(),
        }
    }

    /// To be called before the names of a packet are asked for, never between.
    pub(super) fn make_room(&mut self) {
        if self.interned.len() > INTERNED_MAX {
            self.interned = Interned::default();
            self.is_cleared = true;
        }
    }

    pub(super) fn name(&mut self, name: &str) -> u64 {
        self.interned.names.put(name, &mut self.pending.event_names)
    }

    pub(super) fn category(&mut self, name: &str) -> u64 {
        let pending = &mut self.pending.event_categories;
        self.interned.categories.put(name, pending)
    }

    pub(super) fn argument(
        &mut self,
        key: &str,
        value: Value<'_>,
        names: &Names,
    ) -> DebugAnnotation {
        let pending = &mut self.pending.debug_annotation_names;
        let mut argument = DebugAnnotation {
            name_iid: Some(self.interned.keys.put(key, pending)),
            ..DebugAnnotation::default()
        };
        match value {
            Value::Number(value) => argument.uint_value = Some(value),
            Value::Text(value) => argument.string_value = Some(value.to_owned()),
            Value::Name(value) => {
                let pending = &mut self.pending.debug_annotation_string_values;
                argument.string_value_iid = Some(self.interned.values.put(value, pending));
            }
            Value::Stack(stack) => argument.string_value_iid = Some(self.stack_text(stack, names)),
        }
        argument
    }

    /// A stack as text, a line for each frame.
    fn stack_text(&mut self, stack: Stack, names: &Names) -> u64 {
        if let Some(&known) = self.interned.stack_texts.get(&stack) {
            return known;
        }
        let text = stack_text(names, stack);
        let pending = &mut self.pending.debug_annotation_string_values;
        let number = self.interned.values.put(&text, pending);
        self.interned.stack_texts.insert(stack, number);
        number
    }

    /// The number of a stack of frames, as samples refer to it.
    pub(super) fn callstack(&mut self, stack: Stack, names: &Names) -> u64 {
        if let Some(&known) = self.interned.callstacks.get(&stack) {
            return known;
        }
        if self.interned.callstacks.is_empty() {
            let path = InternedName {
                iid: MAPPING,
                name: "trace".to_owned(),
            };
            self.pending.mapping_paths.push(path);
            let path_string_ids = vec![MAPPING];
            self.pending.mappings.push(Mapping {
                iid: MAPPING,
                path_string_ids,
            });
        }
        let frames = names.locations(stack).rev();
        let frame_ids = frames
            .map(|frame| {
                let pending = &mut self.pending.function_names;
                let function = self
                    .interned
                    .functions
                    .put(names.get(frame.function), pending);
                let next = self.interned.frames.len() as u64 + 1;
                let key = (function, frame.pc);
                *self.interned.frames.entry(key).or_insert_with(|| {
                    self.pending.frames.push(Frame {
                        iid: next,
                        function_name_id: function,
                        mapping_id: MAPPING,
                        rel_pc: frame.pc,
                    });
                    next
                })
            })
            .collect();
        let iid = self.interned.callstacks.len() as u64 + 1;
        self.pending.callstacks.push(Callstack { iid, frame_ids });
        self.interned.callstacks.insert(stack, iid);
        iid
    }

    /// Writes one packet, with what has been interned for it.
    pub(super) fn write(&mut self, mut packet: TracePacket) -> Result<(), ExportError> {
        packet.trusted_packet_sequence_id = SEQUENCE;
        packet.sequence_flags = NEEDS_STATE;
        if std::mem::take(&mut self.is_cleared) {
            packet.sequence_flags |= STATE_CLEARED;
        }
        if self.pending != InternedData::default() {
            packet.interned_data = Some(std::mem::take(&mut self.pending));
        }
        self.buffer.clear();
        prost::encoding::message::encode(1, &packet, &mut self.buffer);
        Ok(self.out.write_all(&self.buffer)?)
    }

    pub(super) fn flush(&mut self) -> Result<(), ExportError> {
        Ok(self.out.flush()?)
    }
}
