//! A flow (G) and its stack of open regions.

use exectrace_format::{Event, GoId, Stream, TaskId};

use super::names::{FrameId, NameId, Names};
use super::output::Output;
use super::spans::SpanSlot;
use crate::input::SpanKey;

/// Most regions that may be open in one flow; what is opened beyond is counted and left out.
pub(crate) const MAX_OPEN_REGIONS: usize = 1 << 14;

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
    pub(crate) place: Option<FrameId>,
    /// How often the span was entered again inside itself.
    pub(crate) depth: u32,
    /// Records were lost since it was opened: its end may never come.
    pub(crate) suspect: bool,
    /// The generation in which it was begun.
    pub(crate) generation: u64,
}

/// A flow: a thread's own, or the tracer's.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) go: GoId,
    /// The frame that names it: the root of each of its stacks.
    pub(crate) root: FrameId,
    /// The generation in which its state was told last.
    pub(crate) told: u64,
    /// Its last sequence number in that generation.
    pub(crate) seq: u64,
    /// Open regions, outermost first.
    pub(crate) regions: Vec<OpenRegion>,
}

impl Flow {
    pub(crate) fn new(go: GoId, root: FrameId) -> Self {
        Self {
            go,
            root,
            told: 0,
            seq: 0,
            regions: Vec::new(),
        }
    }

    /// The next sequence number.
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The task of the innermost region.
    pub(crate) fn task(&self) -> Option<TaskId> {
        self.regions.last().map(|region| region.task)
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
        let stack = output.stack(names, region.place, self.root);
        let task = region.task;
        output.event(stream, Event::UserRegionBegin { task, name, stack });
    }

    fn tell_end(region: &OpenRegion, stream: Stream, names: &mut Names, output: &mut Output) {
        let name = output.name(names, region.name);
        let task = region.task;
        let stack = exectrace_format::StackId::NONE;
        output.event(stream, Event::UserRegionEnd { task, name, stack });
    }

    /// Closes the region at `position`.
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
