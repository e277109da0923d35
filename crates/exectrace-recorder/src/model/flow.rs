//! A flow (G): its state and its stack of open regions.

use exectrace_format::{Event, GoId, StackId, Stream, TaskId};

use super::names::{FrameId, Leaf, NameId, Names};
use super::output::Output;
use super::spans::SpanSlot;
use super::threads::ThreadIndex;
use crate::input::SpanKey;

/// Most regions that may be open in one flow; what is opened beyond is counted and left out.
pub(crate) const MAX_OPEN_REGIONS: usize = 1 << 14;

/// A flow among those that live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlowId(u32);

/// What a flow does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowState {
    /// It runs on this thread.
    Running(ThreadIndex),
    /// It could run.
    Runnable,
    /// It waits.
    Waiting,
}

/// What opened a region, and so what will close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RegionKey {
    /// A region of the annotation API, by the ticks of its begin.
    Annotation(u64),
    /// A stretch in a span.
    Span(SpanKey),
}

/// A region between its begin and its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRegion {
    pub(crate) key: RegionKey,
    /// Where the span is kept, if it was known when it was entered.
    pub(crate) slot: Option<SpanSlot>,
    pub(crate) task: TaskId,
    pub(crate) name: NameId,
    pub(crate) place: Leaf,
    /// How often the span was entered again inside itself.
    pub(crate) depth: u32,
    /// Records were lost since it was opened: its end may never come.
    pub(crate) suspect: bool,
    /// The generation in which it was begun.
    pub(crate) generation: u64,
    /// How an async task stands to the span, if one opened it.
    pub(crate) awaits: Await,
}

impl OpenRegion {
    /// The stack of its begin, as leaf and root, in a flow of this root.
    ///
    /// Its place alone where that is known: `go tool trace` groups regions by name and *root* frame,
    /// and a region is the same on whichever flow it runs.
    pub(crate) fn stack(&self, root: FrameId) -> (Leaf, FrameId) {
        match self.place {
            Leaf::Place(place) => (Leaf::None, place),
            leaf => (leaf, root),
        }
    }
}

/// Whether a span in an async task is inside, or left until the task is polled again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Await {
    /// It was left in the poll of this number, and may be entered again in a later one.
    pub(crate) left_in: Option<u64>,
    /// In how many polls it was entered.
    pub(crate) polls: u32,
    /// It was left, and entered again with nothing between: its future is being dropped.
    pub(crate) dropping: bool,
    /// Its span has ended while the flow could not say so.
    pub(crate) over: bool,
}

/// A flow: a thread's own, an async task's, or the tracer's.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) go: GoId,
    /// The frame that names it: the root of each of its stacks.
    pub(crate) root: FrameId,
    pub(crate) state: FlowState,
    /// The generation in which its state was told last.
    told: u64,
    /// Its last sequence number in that generation.
    seq: u64,
    /// The number of its present or last poll, if it is an async task's.
    pub(crate) poll: u64,
    /// It is a closure in the blocking pool.
    pub(crate) blocking: bool,
    /// The span that it left last, if it has done nothing since.
    pub(crate) just_left: Option<SpanKey>,
    /// Why and where it waited last.
    pub(crate) wait: (NameId, Leaf),
    /// Open regions, outermost first.
    pub(crate) regions: Vec<OpenRegion>,
}

impl Flow {
    /// A flow whose making the generation knows, or will be told.
    pub(crate) fn new(go: GoId, root: FrameId, state: FlowState, wait: NameId, told: u64) -> Self {
        Self {
            go,
            root,
            state,
            told,
            seq: 0,
            poll: 0,
            blocking: false,
            just_left: None,
            wait: (wait, Leaf::None),
            regions: Vec::new(),
        }
    }

    /// The next sequence number.
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Marks its state as told in this generation. Returns `false` if it was already.
    #[inline]
    pub(crate) fn mark_told(&mut self, generation: u64) -> bool {
        if self.told == generation {
            return false;
        }
        self.told = generation;
        self.seq = 0;
        true
    }

    /// The task of the innermost region that was not left.
    pub(crate) fn task(&self) -> Option<TaskId> {
        let mut inside = self.regions.iter().rev();
        let innermost = inside.find(|region| region.awaits.left_in.is_none())?;
        Some(innermost.task)
    }

    /// The position of a region, innermost first.
    #[inline]
    pub(crate) fn find(&self, key: RegionKey) -> Option<usize> {
        self.regions.iter().rposition(|region| region.key == key)
    }

    /// Opens a region. Returns `false` if there are too many.
    #[inline]
    pub(crate) fn open(
        &mut self,
        region: OpenRegion,
        stream: Stream,
        names: &mut Names,
        output: &mut Output,
    ) -> bool {
        if self.regions.len() == MAX_OPEN_REGIONS {
            return false;
        }
        self.tell_begin(&region, stream, names, output);
        self.regions.push(region);
        true
    }

    fn tell_begin(
        &self,
        region: &OpenRegion,
        stream: Stream,
        names: &mut Names,
        output: &mut Output,
    ) {
        let name = output.name(names, region.name);
        let (leaf, root) = region.stack(self.root);
        let stack = output.stack(names, leaf, root);
        let task = region.task;
        output.event(stream, Event::UserRegionBegin { task, name, stack });
    }

    fn tell_end(region: &OpenRegion, stream: Stream, names: &mut Names, output: &mut Output) {
        let name = output.name(names, region.name);
        let task = region.task;
        let stack = StackId::NONE;
        output.event(stream, Event::UserRegionEnd { task, name, stack });
    }

    /// Closes the region at `position`. The flow must be running on the thread of `stream`.
    ///
    /// The format wants regions nested. Those above are closed with it and opened again, except
    /// those whose own end was probably lost: they stay closed.
    #[inline]
    pub(crate) fn close(
        &mut self,
        position: usize,
        stream: Stream,
        names: &mut Names,
        output: &mut Output,
    ) {
        if position + 1 == self.regions.len() {
            if let Some(region) = self.regions.pop() {
                Self::tell_end(&region, stream, names, output);
            }
        } else {
            self.close_below_the_top(position, stream, names, output);
        }
    }

    #[cold]
    fn close_below_the_top(
        &mut self,
        position: usize,
        stream: Stream,
        names: &mut Names,
        output: &mut Output,
    ) {
        let mut above = self.regions.split_off(position);
        for region in above.iter().rev() {
            Self::tell_end(region, stream, names, output);
        }
        above.remove(0);
        for region in above {
            if !region.suspect {
                self.tell_begin(&region, stream, names, output);
                self.regions.push(region);
            }
        }
    }
}

/// The flows that live.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    flows: Vec<Option<Flow>>,
    free: Vec<u32>,
}

impl Flows {
    pub(crate) fn insert(&mut self, flow: Flow) -> FlowId {
        match self.free.pop() {
            Some(index) => {
                self.flows[index as usize] = Some(flow);
                FlowId(index)
            }
            None => {
                self.flows.push(Some(flow));
                FlowId(self.flows.len() as u32 - 1)
            }
        }
    }

    pub(crate) fn remove(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.flows.get_mut(id.0 as usize)?.take()?;
        self.free.push(id.0);
        Some(flow)
    }

    #[inline]
    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0 as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.flows.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FlowId, &Flow)> {
        let numbered = self.flows.iter().zip(0..);
        numbered.filter_map(|(flow, index)| Some((FlowId(index), flow.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.flows.iter_mut().flatten()
    }
}
