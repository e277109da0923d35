//! Names and places: each text and each frame once, for the life of the model.

use std::panic::Location;

use exectrace_format::{StringId, WireFrame, Writer};
use rustc_hash::FxHashMap;

use super::files;

/// A text that the model keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(u32);

/// A place in the program: function, file and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FrameId(pub(super) u32);

/// What stands above the root frame of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// Nothing.
    #[default]
    None,
    /// One place.
    Place(FrameId),
    /// Some places, leaf first.
    Chain(ChainId),
}

/// A sequence of frames that was interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ChainId(u32);

#[derive(Debug)]
struct Name {
    text: Box<str>,
    /// Its id in the generation `stamp`.
    id: StringId,
    stamp: u64,
}

#[derive(Debug, PartialEq, Eq, Hash, Clone, Copy)]
struct FramePlace {
    function: NameId,
    file: NameId,
    line: u32,
}

/// The tables of names and frames. They grow with the program's call sites and thread names, not
/// with what it records.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<Name>,
    by_text: FxHashMap<Box<str>, NameId>,
    /// Static texts by address and length, so that most are found without reading them.
    by_address: FxHashMap<(usize, usize), NameId>,
    places: Vec<FramePlace>,
    by_place: FxHashMap<FramePlace, FrameId>,
    by_location: FxHashMap<usize, FrameId>,
    chains: Vec<Box<[FrameId]>>,
    by_chain: FxHashMap<Box<[FrameId]>, ChainId>,
}

/// Distance between the made-up program counters of two frames. Readers know a frame by its counter
/// alone, so each place has its own for good; the distance only makes them look like addresses.
const COUNTER_STEP: u64 = 16;

impl Names {
    pub(crate) fn intern(&mut self, text: &str) -> NameId {
        if let Some(&name) = self.by_text.get(text) {
            return name;
        }
        let name = NameId(self.names.len() as u32);
        self.names.push(Name {
            text: text.into(),
            id: StringId::EMPTY,
            stamp: 0,
        });
        self.by_text.insert(text.into(), name);
        name
    }

    /// As [`intern`](Self::intern), cheaper after the first time.
    #[inline]
    pub(crate) fn intern_static(&mut self, text: &'static str) -> NameId {
        let key = (text.as_ptr() as usize, text.len());
        if let Some(&name) = self.by_address.get(&key) {
            return name;
        }
        let name = self.intern(text);
        self.by_address.insert(key, name);
        name
    }

    pub(crate) fn text(&self, name: NameId) -> &str {
        &self.names[name.0 as usize].text
    }

    /// The frame of a place. `line` 0 is unknown.
    pub(crate) fn frame_of(&mut self, function: &str, file: &str, line: u32) -> FrameId {
        let place = FramePlace {
            function: self.intern(function),
            file: self.intern(files::shown(file)),
            line: line.max(1),
        };
        let next = FrameId(self.places.len() as u32);
        let frame = *self.by_place.entry(place).or_insert(next);
        if frame == next {
            self.places.push(place);
        }
        frame
    }

    /// The frame of a caller's location; its function's name is not known, so the place stands for it.
    #[inline]
    pub(crate) fn frame_of_location(&mut self, location: &'static Location<'static>) -> FrameId {
        let address = std::ptr::from_ref(location) as usize;
        if let Some(&frame) = self.by_location.get(&address) {
            return frame;
        }
        let (file, line) = (files::shown(location.file()), location.line());
        let frame = self.frame_of(&format!("{file}:{line}"), file, line);
        self.by_location.insert(address, frame);
        frame
    }

    /// Interns a sequence of frames, leaf first.
    pub(crate) fn chain_of(&mut self, frames: &[FrameId]) -> ChainId {
        if let Some(&chain) = self.by_chain.get(frames) {
            return chain;
        }
        let chain = ChainId(self.chains.len() as u32);
        self.chains.push(frames.into());
        self.by_chain.insert(frames.into(), chain);
        chain
    }

    /// The frames of a leaf, innermost first.
    pub(crate) fn frames_of(&self, leaf: &Leaf) -> Vec<FrameId> {
        match *leaf {
            Leaf::None => Vec::new(),
            Leaf::Place(frame) => vec![frame],
            Leaf::Chain(chain) => self.chains[chain.0 as usize].to_vec(),
        }
    }

    /// The id of a name in the writer's generation.
    #[inline]
    pub(crate) fn string_id(
        &mut self,
        name: NameId,
        generation: u64,
        writer: &mut Writer,
    ) -> StringId {
        let name = &mut self.names[name.0 as usize];
        if name.stamp != generation {
            name.id = writer.string(&name.text);
            name.stamp = generation;
        }
        name.id
    }

    /// A frame, with the ids of the writer's generation.
    pub(crate) fn frame(
        &mut self,
        frame: FrameId,
        generation: u64,
        writer: &mut Writer,
    ) -> WireFrame {
        let place = self.places[frame.0 as usize];
        WireFrame {
            pc: Self::counter(frame),
            function: self.string_id(place.function, generation, writer),
            file: self.string_id(place.file, generation, writer),
            line: u64::from(place.line),
        }
    }

    /// A frame for another writer than the model's own, whose ids are not remembered.
    pub(crate) fn frame_elsewhere(&self, frame: FrameId, writer: &mut Writer) -> WireFrame {
        let place = self.places[frame.0 as usize];
        WireFrame {
            pc: Self::counter(frame),
            function: writer.string(self.text(place.function)),
            file: writer.string(self.text(place.file)),
            line: u64::from(place.line),
        }
    }

    fn counter(frame: FrameId) -> u64 {
        (u64::from(frame.0) + 1) * COUNTER_STEP
    }
}
