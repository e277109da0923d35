//! Where the model's events go: the writer, with a time for each event.

use exectrace_format::conventions::{PART_OF_SPAN, UNKNOWN_FILE};
use exectrace_format::{
    Event, GoId, ProcId, SideRecord, StackId, StreamId, StringId, ThreadId, Writer,
};
use rustc_hash::FxHashMap;

use super::names::{FrameId, Leaf, NameId, Names};

/// Encodes events in the order in which they are given, each later than all before it.
///
/// With strictly growing times over all threads, a reader that merges the threads by time plays
/// exactly the order in which the model decided.
#[derive(Debug)]
pub(crate) struct Emitter {
    writer: Writer,
    /// Time of the record that is being processed.
    now_ns: u64,
    /// Time of the last event.
    last_ns: u64,
    generation: u64,
    /// There are more lanes than the trace says.
    lanes_grew: bool,
    /// The frame that marks the end of a region that is a part of a span.
    part_of_span: FrameId,
    /// The stream of events that belong to no thread.
    no_thread: StreamId,
    /// Stacks of this generation by their leaf and root.
    stacks: FxHashMap<(Leaf, FrameId), StackId>,
    /// The stack that each frame was asked for last as a leaf, or alone as a root: most events of a
    /// place are of flows of one name.
    recent: Vec<[RecentStack; 2]>,
}

/// A stack that was asked for, if it is of this generation.
#[derive(Clone, Copy, Debug)]
struct RecentStack {
    generation: u64,
    root: FrameId,
    stack: StackId,
}

impl RecentStack {
    const NONE: Self = Self {
        generation: 0,
        root: FrameId(0),
        stack: StackId::NONE,
    };
}

impl Emitter {
    pub(crate) fn new(names: &mut Names) -> Self {
        let mut writer = Writer::new();
        let no_thread = writer.stream(ThreadId::NONE);
        Self {
            writer,
            no_thread,
            part_of_span: names.frame_of(PART_OF_SPAN, UNKNOWN_FILE, 1),
            lanes_grew: false,
            now_ns: 1,
            last_ns: 0,
            generation: 0,
            stacks: FxHashMap::default(),
            recent: Vec::new(),
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

    /// The time of the record that is being processed.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The time that the next event will have.
    #[inline]
    pub(crate) fn time_ns(&self) -> u64 {
        self.now_ns.max(self.last_ns + 1)
    }

    /// Writes an event of a thread.
    ///
    /// Inlined to where the kind of the event is known: see the writer.
    #[inline(always)]
    pub(crate) fn event(&mut self, stream: StreamId, event: Event) {
        let time_ns = self.time_ns();
        self.last_ns = time_ns;
        self.writer.event(stream, time_ns, event);
    }

    /// Writes an event that belongs to no thread.
    pub(crate) fn event_of_no_thread(&mut self, event: Event) {
        self.event(self.no_thread, event);
    }

    /// Remembers that the number of lanes is to be written.
    pub(crate) fn lanes_grew(&mut self) {
        self.lanes_grew = true;
    }

    /// Whether the number of lanes is to be written; asked once.
    pub(crate) fn take_lanes_grew(&mut self) -> bool {
        std::mem::take(&mut self.lanes_grew)
    }

    /// Writes a CPU sample of a thread, with the lane it holds and the flow it runs. `frames` are the stack's,
    /// leaf first.
    ///
    /// As an event it is later than all before it, so readers find it where it belongs among the events.
    pub(crate) fn cpu_sample(
        &mut self,
        names: &mut Names,
        (thread, proc, go): (ThreadId, ProcId, GoId),
        frames: impl Iterator<Item = FrameId>,
    ) {
        let frames: Vec<_> = frames.collect();
        let stack = self.stack_of(names, &frames);
        let time_ns = self.time_ns();
        self.last_ns = time_ns;
        self.writer.cpu_sample(time_ns, thread, proc, go, stack);
    }

    /// The stack of these frames, leaf first, in this generation. They are not kept.
    pub(crate) fn stack_of(&mut self, names: &mut Names, frames: &[FrameId]) -> StackId {
        let generation = self.generation;
        let frames: Vec<_> = frames
            .iter()
            .map(|&frame| names.frame(frame, generation, &mut self.writer))
            .collect();
        self.writer.stack(&frames)
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

    /// The stack of a place in a flow: the leaf, then the frame that names the flow.
    #[inline]
    pub(crate) fn stack(&mut self, names: &mut Names, leaf: Leaf, root: FrameId) -> StackId {
        let (FrameId(place), asked) = match leaf {
            Leaf::None => (root, 0),
            Leaf::Place(place) => (place, 1),
            Leaf::Chain(_) => return self.find_stack(names, leaf, root),
        };
        match self.recent.get(place as usize) {
            Some(recent)
                if recent[asked].generation == self.generation && recent[asked].root == root =>
            {
                recent[asked].stack
            }
            _ => {
                let stack = self.find_stack(names, leaf, root);
                let length = self.recent.len().max(place as usize + 1);
                self.recent.resize(length, [RecentStack::NONE; 2]);
                self.recent[place as usize][asked] = RecentStack {
                    generation: self.generation,
                    root,
                    stack,
                };
                stack
            }
        }
    }

    /// The stack that marks the end of a region that is a part of a span.
    #[inline]
    pub(crate) fn part_of_span(&mut self, names: &mut Names) -> StackId {
        self.stack(names, Leaf::None, self.part_of_span)
    }

    #[inline(never)]
    fn find_stack(&mut self, names: &mut Names, leaf: Leaf, root: FrameId) -> StackId {
        match self.stacks.get(&(leaf, root)) {
            Some(&stack) => stack,
            None => self.new_stack(names, leaf, root),
        }
    }

    fn new_stack(&mut self, names: &mut Names, leaf: Leaf, root: FrameId) -> StackId {
        let generation = self.generation;
        let frames: Vec<_> = names
            .frames_of(&leaf)
            .into_iter()
            .chain([root])
            .map(|frame| names.frame(frame, generation, &mut self.writer))
            .collect();
        let stack = self.writer.stack(&frames);
        self.stacks.insert((leaf, root), stack);
        stack
    }
}
