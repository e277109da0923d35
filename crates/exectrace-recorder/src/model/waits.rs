//! Where async tasks wait, and why.
//!
//! A stack that was taken where a task waits says where, and mostly why. If it does not, or there is none,
//! whoever wakes the task says why, as far as that can be seen ahead; and where it cannot, whoever ended
//! the earlier waits there.

use exectrace_format::conventions::{
    UNKNOWN_FILE, UNKNOWN_WAIT, WOKEN_BY_BLOCKING, WOKEN_BY_DRIVER, WOKEN_BY_SOURCE, WOKEN_BY_TASK,
    WOKEN_BY_THREAD, WOKEN_BY_TIMER, YIELD,
};
use rustc_hash::FxHashMap;

use super::Model;
use super::lookahead::WakerKind;
use super::names::{ChainId, FrameId, Leaf, NameId, Names};
use super::threads::ThreadIndex;
use crate::input::{AsyncKey, WakerKey};
use crate::resolve::{JOIN, Resolver};

/// Most stacks of waiting tasks that are kept, some 200 bytes each; a wait at another has none.
const MAX_WAIT_PLACES: usize = 1 << 16;

/// A place where tasks wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitPlace {
    pub(super) leaf: Leaf,
    reason: Option<NameId>,
    /// Waiting here means to yield: the task could run on.
    pub(super) yields: bool,
    /// The task waits for the end of a task, or of a closure on the blocking pool.
    joins: bool,
}

/// What was learned of waits.
#[derive(Debug)]
pub(super) struct Waits {
    /// By the hash of the stack.
    places: FxHashMap<u64, WaitPlace>,
    /// Who ended all waits so far of tasks of this root at this stack; `None` once they differed.
    wakers: FxHashMap<(ChainId, FrameId), Option<WakerKind>>,
    resolver: Resolver,
    by_driver: NameId,
    by_timer: NameId,
    by_source: NameId,
    by_task: NameId,
    by_thread: NameId,
    by_blocking: NameId,
    unknown: NameId,
}

impl Waits {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            places: FxHashMap::default(),
            wakers: FxHashMap::default(),
            resolver: Resolver::new(),
            by_driver: names.intern_static(WOKEN_BY_DRIVER),
            by_timer: names.intern_static(WOKEN_BY_TIMER),
            by_source: names.intern_static(WOKEN_BY_SOURCE),
            by_task: names.intern_static(WOKEN_BY_TASK),
            by_thread: names.intern_static(WOKEN_BY_THREAD),
            by_blocking: names.intern_static(WOKEN_BY_BLOCKING),
            unknown: names.intern_static(UNKNOWN_WAIT),
        }
    }

    /// What finds names for addresses.
    pub(super) fn resolver(&mut self) -> &mut Resolver {
        &mut self.resolver
    }

    pub(super) fn place(&self, stack: u64) -> Option<WaitPlace> {
        self.places.get(&stack).copied()
    }

    /// Why a task waits that will be woken so, as far as it follows from that.
    fn reason_of(&self, kind: WakerKind) -> NameId {
        match kind {
            WakerKind::Driver => self.by_driver,
            WakerKind::Timer => self.by_timer,
            WakerKind::Source => self.by_source,
            WakerKind::Blocking => self.by_blocking,
            WakerKind::Task => self.by_task,
            WakerKind::Outside => self.by_thread,
            WakerKind::BetweenPolls => self.unknown,
        }
    }

    /// Keeps who ended a wait at this stack, for waits there whose wake cannot be seen ahead.
    pub(super) fn learn(&mut self, stack: ChainId, root: FrameId, kind: WakerKind) {
        let known = self.wakers.entry((stack, root)).or_insert(Some(kind));
        if *known != Some(kind) {
            *known = None;
        }
    }
}

impl Model {
    /// Why the task that runs on the thread is about to wait.
    pub(super) fn wait_reason(
        &self,
        thread: ThreadIndex,
        key: AsyncKey,
        waker: Option<WakerKey>,
        leaf: Leaf,
        place: Option<WaitPlace>,
    ) -> NameId {
        let seen = place.and_then(|place| place.reason);
        let joins = place.is_some_and(|place| place.joins);
        if let Some(reason) = seen.filter(|_| !joins) {
            return reason;
        }
        let now = self.machine.emitter.now_ns();
        let known = [waker, self.polls.wakers.span_of(key.task)];
        let next = self.polls.lookahead.next_wake(key.task, known, now);
        if let Some(reason) = seen {
            // A stack does not say on which pool runs what it joins; who wakes does.
            let blocking = next == Some(WakerKind::Blocking);
            return if blocking {
                self.polls.waits.by_blocking
            } else {
                reason
            };
        }
        let root = self.machine.current(thread).map(|flow| flow.root);
        let kind = next.or_else(|| match (leaf, root) {
            (Leaf::Chain(stack), Some(root)) => *self.polls.waits.wakers.get(&(stack, root))?,
            _ => None,
        });
        kind.map_or(self.polls.waits.unknown, |kind| {
            self.polls.waits.reason_of(kind)
        })
    }

    /// A stack at which tasks wait became known.
    pub(super) fn stack_is(&mut self, hash: u64, addresses: &[u64]) {
        let waits = &mut self.polls.waits;
        if waits.places.contains_key(&hash) || waits.places.len() >= MAX_WAIT_PLACES {
            return;
        }
        let stack = waits.resolver.await_stack(addresses);
        let names = &mut self.machine.names;
        let frames: Vec<_> = stack
            .frames
            .iter()
            .map(|frame| names.frame_of(&frame.function, UNKNOWN_FILE, 1))
            .collect();
        let leaf = match frames[..] {
            [] => Leaf::None,
            _ => Leaf::Chain(names.chain_of(&frames)),
        };
        let place = WaitPlace {
            leaf,
            reason: stack.reason.map(|reason| names.intern_static(reason)),
            yields: stack.reason == Some(YIELD),
            joins: stack.reason == Some(JOIN),
        };
        waits.places.insert(hash, place);
    }
}
