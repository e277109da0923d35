//! A flow (G): its state and its stack of open regions. `stays` has the spans that it entered.

use exectrace_format::{Event, GoId, StackId, StreamId, TaskId};

use super::emitter::Emitter;
use super::names::{FrameId, Leaf, NameId, Names};
use super::spans::SpanSlot;
use super::stays::{Stay, Stays};
use super::threads::ThreadIndex;

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
    /// It is in a call on this thread, which runs nothing else meanwhile.
    InCall(ThreadIndex),
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
    /// A span, or a part of it.
    Span(SpanSlot),
}

/// A region between its begin and its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRegion {
    pub(crate) key: RegionKey,
    /// The span's source; `None` for the annotation API.
    pub(crate) source: Option<u16>,
    pub(crate) task: TaskId,
    pub(crate) name: NameId,
    pub(crate) place: Leaf,
    /// Records were lost since it was opened: its end may never come.
    pub(crate) suspect: bool,
    /// The generation in which it was begun.
    pub(crate) generation: u64,
    /// Whether the flow is in the span.
    pub(crate) stay: Stay,
    /// Its end has come, and is written when it is innermost and its flow runs.
    pub(crate) over: bool,
    /// It was ended for another's sake and begun again, so it is in pieces.
    pub(crate) split: bool,
    /// Async tasks that are spawned in it have it as well.
    pub(crate) with_spawned: bool,
}

/// What an async task has of a region in which it was spawned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PassedOn {
    pub(crate) task: TaskId,
    pub(crate) name: NameId,
    pub(crate) place: Leaf,
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

/// A flow: a thread's own, an async task's, or the tracer's.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) go: GoId,
    /// The frame that names it: the root of each of its stacks.
    pub(crate) root: FrameId,
    pub(crate) state: FlowState,
    /// The last generation that has its state.
    announced: u64,
    /// Its last sequence number in that generation.
    seq: u64,
    /// The number of its present or last poll, if it is an async task's.
    pub(crate) poll: u64,
    /// It is a closure in the blocking pool.
    pub(crate) blocking: bool,
    /// The spans that it entered and that are alive.
    pub(crate) stays: Stays,
    /// Why and where it waited last.
    pub(crate) wait: (NameId, Leaf),
    /// Open regions, outermost first.
    pub(crate) regions: Vec<OpenRegion>,
    /// The region that it has from who spawned it, until its first poll opens it.
    pub(crate) passed_on: Option<PassedOn>,
}

impl Flow {
    /// A flow whose state the generation `announced` has, or will have.
    pub(crate) fn new(
        go: GoId,
        root: FrameId,
        state: FlowState,
        wait: NameId,
        announced: u64,
    ) -> Self {
        Self {
            go,
            root,
            state,
            announced,
            seq: 0,
            poll: 0,
            blocking: false,
            stays: Stays::default(),
            wait: (wait, Leaf::None),
            regions: Vec::new(),
            passed_on: None,
        }
    }

    /// What async tasks have that it spawns now.
    pub(crate) fn passes_on(&self) -> Option<PassedOn> {
        let mut inside = self.regions.iter().rev();
        let region = inside.find(|region| region.with_spawned && !region.over)?;
        Some(PassedOn {
            task: region.task,
            name: region.name,
            place: region.place,
        })
    }

    /// The next sequence number.
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Marks its state as written in this generation. Returns `false` if it was already.
    #[inline]
    pub(crate) fn mark_announced(&mut self, generation: u64) -> bool {
        if self.announced == generation {
            return false;
        }
        self.announced = generation;
        self.seq = 0;
        true
    }

    /// Whether it is an async task's or a closure's, which a scheduler polls.
    pub(crate) fn is_polled(&self) -> bool {
        self.poll > 0
    }

    /// The position of a region whose end has not come, innermost first.
    #[inline]
    pub(crate) fn find(&self, key: RegionKey) -> Option<usize> {
        let mut regions = self.regions.iter();
        regions.rposition(|region| region.key == key && !region.over)
    }

    /// Whether the end of some region has come that could not be written.
    #[inline]
    pub(crate) fn has_regions_that_are_over(&self) -> bool {
        self.regions.iter().any(|region| region.over)
    }

    /// Opens a region. Returns `false` if there are too many.
    #[inline]
    pub(crate) fn open(
        &mut self,
        region: OpenRegion,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) -> bool {
        if self.regions.len() == MAX_OPEN_REGIONS {
            return false;
        }
        self.write_begin(&region, stream, names, emitter);
        self.regions.push(region);
        true
    }

    fn write_begin(
        &self,
        region: &OpenRegion,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) {
        let name = emitter.name(names, region.name);
        let (leaf, root) = region.stack(self.root);
        let stack = emitter.stack(names, leaf, root);
        let task = region.task;
        emitter.event(stream, Event::UserRegionBegin { task, name, stack });
    }

    /// `is_span` says that the region is all of a span.
    fn write_end(
        region: &OpenRegion,
        is_span: bool,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) {
        let name = emitter.name(names, region.name);
        let task = region.task;
        let stack = match region.key {
            RegionKey::Span(_) if !is_span => emitter.part_of_span(names),
            _ => StackId::NONE,
        };
        emitter.event(stream, Event::UserRegionEnd { task, name, stack });
    }

    /// Closes the region at `position`. The flow must be running on the thread of `stream`.
    ///
    /// The format wants regions nested. In a flow that is polled, a span's region lasts until those
    /// above it have ended: its record has the truth. Else those above are closed with it and opened
    /// again, except those whose own end was probably lost: they stay closed.
    ///
    /// `is_span` says that the region is all of its span. Returns whether its end says so.
    #[inline]
    pub(crate) fn close(
        &mut self,
        position: usize,
        is_span: bool,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) -> bool {
        let is_polled = self.is_polled();
        let is_innermost = position + 1 == self.regions.len();
        let region = &mut self.regions[position];
        let is_span = is_span && !region.split;
        if is_innermost {
            if let Some(region) = self.regions.pop() {
                Self::write_end(&region, is_span, stream, names, emitter);
            }
        } else if is_polled && matches!(region.key, RegionKey::Span(_)) {
            region.over = true;
            return false;
        } else {
            self.close_below_the_top(position, is_span, stream, names, emitter);
        }
        self.close_ended(stream, names, emitter);
        is_span
    }

    /// Closes the regions whose end came while they could not end. After a loss, others may be split for
    /// them: else those below a region that never ends would be kept for ever.
    pub(crate) fn close_over(
        &mut self,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) {
        self.close_ended(stream, names, emitter);
        let is_lost = |region: &OpenRegion| region.over && region.suspect;
        while let Some(position) = self.regions.iter().rposition(is_lost) {
            self.close_below_the_top(position, false, stream, names, emitter);
            self.close_ended(stream, names, emitter);
        }
    }

    /// Closes the innermost regions whose end has come.
    #[inline]
    pub(crate) fn close_ended(
        &mut self,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) {
        while let Some(region) = self.regions.pop_if(|region| region.over) {
            Self::write_end(&region, false, stream, names, emitter);
        }
    }

    #[cold]
    fn close_below_the_top(
        &mut self,
        position: usize,
        is_span: bool,
        stream: StreamId,
        names: &mut Names,
        emitter: &mut Emitter,
    ) {
        let mut above = self.regions.split_off(position + 1);
        for region in above.iter_mut().rev() {
            region.split = true;
            Self::write_end(region, false, stream, names, emitter);
        }
        if let Some(region) = self.regions.pop() {
            Self::write_end(&region, is_span, stream, names, emitter);
        }
        for region in above {
            if !region.suspect && !region.over {
                self.write_begin(&region, stream, names, emitter);
                self.regions.push(region);
            } else if let RegionKey::Span(slot) = region.key {
                self.stays.settle(slot, region.stay);
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
