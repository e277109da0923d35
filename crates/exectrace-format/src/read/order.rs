//! The third layer of reading: the rules. A state machine over goroutines, procs and threads.
//!
//! [`Order::advance`] is asked whether an event can happen now. It happens, and is written as the
//! user sees it; or it waits for a goroutine, a proc or a collection to reach a certain state, which
//! [`Wait`] names; or it contradicts what is known. What an event changes is noted in `changes`, so
//! that the merge retries exactly those who wait for it. The rules themselves are in the files
//! below, by what they are about.

mod alive;
mod annotations;
mod goroutines;
mod names;
mod procs;
mod ranges;
mod state;
mod turn;
mod waits;

use std::collections::VecDeque;

use crate::event::EventKind;
use crate::ids::{GoId, ProcId, StackId, ThreadId};

use super::decode::WireEvent;
use super::event::CompactEvent;
use super::hindrance::Hindrance;
use super::id_map::IdMap;
use super::id_slab::IdSlab;
use super::kind::{CompactKind, Metric};
use super::order_error::OrderError;
use super::tables::Tables;
use super::time::TraceTime;

use names::KeptNames;
use ranges::Collector;
use state::{KnownGo, KnownProc, KnownThread, OpenTask, Seq, go_status, proc_status};
pub(super) use waits::{Change, Wait};

use turn::Need::{self, May, Must, MustNot};
use turn::{Context, Turn, go_change, proc_change, status_of_proc};

/// Most bytes of state that may be open at once across generations, unless
/// [`Reader::with_max_state_bytes`](super::Reader::with_max_state_bytes) sets another limit: goroutines, procs,
/// threads, user tasks, regions. Some three million goroutines; Go's own reader has no limit.
pub const MAX_STATE_BYTES: u64 = 512 << 20;

/// What one entry of a table costs at most: a goroutine's 88 bytes, its place in the map (17 bytes in a table
/// that is at least 7/16 full) and up to eight places in the table of likely slots (32 bytes).
const ENTRY_BYTES: u64 = 160;
/// What an open region or range costs, without its name.
const ITEM_BYTES: u64 = 96;

/// No thread, proc or goroutine.
pub(super) const NONE: u64 = u64::MAX;

/// Whether an event happened.
type Outcome = Result<(), Hindrance>;

/// The state of the traced program.
#[derive(Clone, Debug)]
pub(super) struct Order {
    generation: u64,
    /// The number of the first generation with an event; 0 before that.
    initial: u64,
    goroutines: IdSlab<KnownGo>,
    procs: IdSlab<KnownProc>,
    threads: Vec<KnownThread>,
    thread_index: IdMap<usize>,
    tasks: IdMap<OpenTask>,
    names: KeptNames,
    collector: Collector,
    state_bytes: u64,
    pub(super) max_state_bytes: u64,
    /// The time of the event that was shown last.
    last_ns: i64,
    /// What the last event consists of besides: some are shown as several. Their time is that in
    /// the file.
    pub(super) more: VecDeque<CompactEvent>,
    /// What the last event that must wait waits for.
    pub(super) waits_for: Wait,
    /// Whether changes are noted.
    pub(super) watched: bool,
    pub(super) changes: Vec<Change>,
}

impl Order {
    pub(super) fn new() -> Self {
        Self {
            generation: 0,
            initial: 0,
            goroutines: IdSlab::default(),
            procs: IdSlab::default(),
            threads: Vec::new(),
            thread_index: IdMap::default(),
            tasks: IdMap::default(),
            names: KeptNames::default(),
            collector: Collector::default(),
            state_bytes: 0,
            max_state_bytes: MAX_STATE_BYTES,
            last_ns: 0,
            more: VecDeque::new(),
            waits_for: Wait::Gc { seq: 0 },
            watched: false,
            changes: Vec::new(),
        }
    }

    pub(super) fn begin_generation(&mut self, number: u64) {
        self.generation = number;
        self.names.begin_generation();
    }

    /// The time at which an event is shown: its own, but later than the last in any case.
    #[inline]
    pub(super) fn show_at(&mut self, time_ns: i64) -> TraceTime {
        self.last_ns = time_ns.max(self.last_ns.saturating_add(1));
        TraceTime(self.last_ns)
    }

    /// The time of the event that was shown last.
    pub(super) fn last_time(&self) -> TraceTime {
        TraceTime(self.last_ns)
    }

    /// Tries the next event of a thread. If it happens, it is written to `out`.
    #[inline]
    pub(super) fn advance(
        &mut self,
        thread: usize,
        event: &WireEvent,
        time_ns: i64,
        tables: &mut Tables,
        out: &mut CompactEvent,
    ) -> Outcome {
        if self.initial == 0 {
            self.initial = self.generation;
        }
        let state = &mut self.threads[thread];
        state.known |= state.id != NONE;
        let context = Context {
            thread: state.id,
            proc: state.proc,
            go: state.go,
        };
        let mut turn = Turn {
            event,
            time_ns,
            context,
            after_proc: context.proc,
            after_go: context.go,
            tables,
            out,
        };
        self.dispatch(&mut turn)?;
        if context.thread != NONE {
            let (proc, go) = (turn.after_proc, turn.after_go);
            if proc != context.proc {
                self.bind(thread, proc);
            }
            self.threads[thread].go = go;
        }
        if self.state_bytes > self.max_state_bytes {
            return Err(OrderError::StateTooLarge(self.max_state_bytes).into());
        }
        Ok(())
    }

    fn dispatch(&mut self, turn: &mut Turn<'_>) -> Outcome {
        use EventKind as K;
        match turn.event.kind {
            K::ProcsChange => self.metric(turn, Must, Metric::Gomaxprocs),
            K::ProcStart => self.proc_start(turn),
            K::ProcStop => self.proc_stop(turn),
            K::ProcSteal => self.proc_steal(turn),
            K::ProcStatus => self.proc_status(turn),
            K::GoCreate => self.go_create(turn, go_status::RUNNABLE),
            K::GoCreateBlocked => self.go_create(turn, go_status::WAITING),
            K::GoCreateSyscall => self.go_create_syscall(turn),
            K::GoStart => self.go_start(turn),
            K::GoStop => self.go_leave(turn, go_status::RUNNABLE),
            K::GoBlock => self.go_leave(turn, go_status::WAITING),
            K::GoDestroy => self.go_destroy(turn),
            K::GoDestroySyscall => self.go_destroy_syscall(turn),
            K::GoUnblock => self.go_unblock(turn),
            K::GoSwitch => self.go_switch(turn, Some(go_status::WAITING)),
            K::GoSwitchDestroy => self.go_switch(turn, None),
            K::GoSyscallBegin => self.go_syscall_begin(turn),
            K::GoSyscallEnd => self.go_syscall_end(turn),
            K::GoSyscallEndBlocked => self.go_syscall_end_blocked(turn),
            K::GoStatus | K::GoStatusStack => self.go_status(turn),
            K::StwBegin => self.stw_begin(turn),
            K::StwEnd => self.stw_end(turn),
            K::GcActive => self.gc_active(turn),
            K::GcBegin => self.gc_begin(turn),
            K::GcEnd => self.gc_end(turn),
            K::GcSweepActive => self.sweep_active(turn),
            K::GcSweepBegin => self.sweep_begin(turn),
            K::GcSweepEnd => self.sweep_end(turn),
            K::GcMarkAssistActive => self.assist_active(turn),
            K::GcMarkAssistBegin => self.assist_begin(turn),
            K::GcMarkAssistEnd => self.assist_end(turn),
            K::HeapAlloc => self.metric(turn, May, Metric::HeapAlloc),
            K::HeapGoal => self.metric(turn, May, Metric::HeapGoal),
            K::GoLabel => self.label(turn),
            K::UserLog => self.log(turn),
            K::UserTaskBegin => self.task_begin(turn),
            K::UserTaskEnd => self.task_end(turn),
            K::UserRegionBegin => self.region_begin(turn),
            K::UserRegionEnd => self.region_end(turn),
            K::Span
            | K::SpanAlloc
            | K::SpanFree
            | K::HeapObject
            | K::HeapObjectAlloc
            | K::HeapObjectFree
            | K::GoroutineStack
            | K::GoroutineStackAlloc
            | K::GoroutineStackFree => self.experimental(turn),
        }
    }

    fn metric(&mut self, turn: &mut Turn<'_>, go: Need, metric: Metric) -> Outcome {
        turn.needs(Must, go)?;
        let value = turn.argument(0);
        // Only one of them has a stack.
        let stack = match metric {
            Metric::Gomaxprocs => turn.stack(1)?,
            _ => StackId::NONE,
        };
        self.emit(turn, stack, CompactKind::Metric { metric, value })
    }

    fn experimental(&mut self, turn: &mut Turn<'_>) -> Outcome {
        turn.needs(May, May)?;
        let (kind, arguments) = (turn.event.kind, turn.event.arguments);
        let kind = CompactKind::Experimental { kind, arguments };
        self.emit(turn, StackId::NONE, kind)
    }

    /// The event of this turn happens.
    #[inline(always)]
    fn emit(&mut self, turn: &mut Turn<'_>, stack: StackId, kind: CompactKind) -> Outcome {
        // Field by field: nothing is made elsewhere and copied.
        let time = self.show_at(turn.time_ns);
        turn.out.time = time;
        turn.out.thread = ThreadId(turn.context.thread);
        turn.out.proc = ProcId(turn.context.proc);
        turn.out.go = GoId(turn.context.go);
        turn.out.stack = stack;
        turn.out.kind = kind;
        Ok(())
    }

    /// After [`emit`](Self::emit): the event is also this one.
    fn emit_more(&mut self, turn: &Turn<'_>, context: Context, kind: CompactKind) {
        self.more.push_back(CompactEvent {
            time: TraceTime(turn.time_ns),
            thread: ThreadId(context.thread),
            proc: ProcId(context.proc),
            go: GoId(context.go),
            stack: StackId::NONE,
            kind,
        });
    }

    fn is_initial(&self) -> bool {
        self.initial == self.generation
    }

    fn fresh_seq(&self) -> Seq {
        Seq {
            generation: self.generation,
            number: 0,
        }
    }
}
