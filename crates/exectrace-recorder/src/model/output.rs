//! Where the model's events go: the writer, with a time for each event.

use exectrace_format::{Event, SideRecord, StackId, Stream, StringId, Writer};
use rustc_hash::FxHashMap;

use super::names::{FrameId, NameId, Names};

/// Encodes events in the order in which they are given, each later than all before it.
///
/// With strictly growing times over all threads, a reader that merges the threads by time plays
/// exactly the order in which the model decided.
#[derive(Debug)]
pub(crate) struct Output {
    writer: Writer,
    /// Time of the record that is being processed.
    now_ns: u64,
    /// Time of the last event.
    last_ns: u64,
    generation: u64,
    /// Stacks of this generation by their leaf and root.
    stacks: FxHashMap<(Option<FrameId>, FrameId), StackId>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            writer: Writer::new(),
            now_ns: 1,
            last_ns: 0,
            generation: 0,
            stacks: FxHashMap::default(),
        }
    }

    pub(crate) fn begin_generation(&mut self, number: u64, time_ns: u64) {
        self.advance(time_ns);
        // A late record must not stand before its generation.
        self.last_ns = self.last_ns.max(time_ns.saturating_sub(1));
        self.generation = number;
        self.stacks.clear();
        self.writer.begin_generation(number, time_ns);
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Says that what comes next happened at `time_ns`, or as soon after as order allows.
    #[inline]
    pub(crate) fn advance(&mut self, time_ns: u64) {
        self.now_ns = time_ns;
    }

    /// The time that the next event will have.
    #[inline]
    pub(crate) fn time_ns(&self) -> u64 {
        self.now_ns.max(self.last_ns + 1)
    }

    #[inline]
    pub(crate) fn event(&mut self, stream: Stream, event: Event) {
        let time_ns = self.time_ns();
        self.last_ns = time_ns;
        self.writer.event(stream, time_ns, event);
    }

    pub(crate) fn side(&mut self, record: &SideRecord) {
        self.writer.side_record(record);
    }

    pub(crate) fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// The id of a name in this generation.
    #[inline]
    pub(crate) fn name(&mut self, names: &mut Names, name: NameId) -> StringId {
        names.string_id(name, self.generation, &mut self.writer)
    }

    /// The stack of a place in a flow: the place, then the frame that names the flow.
    #[inline]
    pub(crate) fn stack(
        &mut self,
        names: &mut Names,
        leaf: Option<FrameId>,
        root: FrameId,
    ) -> StackId {
        if let Some(&stack) = self.stacks.get(&(leaf, root)) {
            return stack;
        }
        let generation = self.generation;
        let root_frame = names.frame(root, generation, &mut self.writer);
        let stack = match leaf {
            Some(leaf) => {
                let leaf_frame = names.frame(leaf, generation, &mut self.writer);
                self.writer.stack(&[leaf_frame, root_frame])
            }
            None => self.writer.stack(&[root_frame]),
        };
        self.stacks.insert((leaf, root), stack);
        stack
    }
}
