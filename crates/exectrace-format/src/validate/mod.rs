//! What makes a trace valid, beyond what makes it readable.
//!
//! [`Reader`] refuses what contradicts itself. A trace that it reads may still say what no program
//! does: clocks that go back from one generation to the next, two goroutines at once on a thread. Go's
//! own tests hold each trace against such rules, and a [`Validator`] does the same.

mod machine;
mod violation;

use std::collections::HashMap;
use std::io::Read;

use crate::ids::{StackId, TaskId};
use crate::read::{
    CompactEvent, CompactKind, GoState, RangeName, RangeScope, Reader, StateChange, SyncClock,
    Tables, TraceTime,
};
use crate::wire::Version;

use machine::{GoroutineRules, ProcRules, Scheduled, StateMachine, TransitionContext};
pub use violation::{Clock, Rule, Violation};

/// Checks that a trace is valid: that it keeps the rules of the validator of Go's own tests, and one
/// more, that the numbers of generations rise.
///
/// What is checked, event by event:
///
/// - each is later than the one before;
/// - from header 25 on the wall clock, the monotonic clock and the trace's clock of each generation
///   are not 0, and are later than those of the generation before (Go's tests leave this out on
///   Windows, whose clocks may be too coarse);
/// - frames of stacks, other than the leaf, have function, file, line and program counter;
/// - goroutines and procs leave the states they were in, are new in the first generation only, have a
///   thread when they run and do not share it with another;
/// - ranges begin and end once, and have ended when what they concern ends;
/// - user tasks have ids that may be used, and end under the names with which they began;
/// - labels are not empty.
///
/// Rules of Go's that no trace can break that [`Reader`] accepts are left out: that syncs are counted
/// from 1, that quantities have a name with a unit, that labels belong to a goroutine that exists.
///
/// Memory: some tens of bytes for each goroutine, proc and thread that exists and, in the first generation,
/// for each that did; the names of open user tasks and ranges. Time: some hash look-ups an event.
///
/// ```
/// use exectrace_format::{
///     ClockSnapshot, CompactEvent, Reader, Validator, Version, Writer, validate::{Clock, Rule},
/// };
///
/// let mut file = Writer::header(Version::Go125).to_vec();
/// for (generation, unix_seconds) in [(1, 1_700_000_000), (2, 1_699_999_999)] {
///     let clock = ClockSnapshot { monotonic_ns: 5 + generation, unix_seconds, unix_nanoseconds: 0 };
///     Writer::sync_batch(Version::Go125, generation, 1_000 * generation, clock, &mut file);
/// }
///
/// let mut reader = Reader::new(file.as_slice())?;
/// let mut validator = Validator::default();
/// let mut event = CompactEvent::default();
/// let mut violations = Vec::new();
/// while reader.next_into(&mut event)? {
///     validator.check(&event, &reader, |violation| violations.push(violation));
/// }
/// assert_eq!(violations.len(), 1);
/// assert!(matches!(violations[0].rule, Rule::ClockOrder { sync: 2, clock: Clock::Wall, .. }));
/// # Ok::<(), exectrace_format::ReadError>(())
/// ```
#[derive(Debug, Default)]
pub struct Validator {
    last_time: Option<TraceTime>,
    /// How many syncs there were.
    syncs: u64,
    last_generation: u64,
    last_clock: Option<SyncClock>,
    goroutines: StateMachine<GoroutineRules>,
    procs: StateMachine<ProcRules>,
    ranges: HashMap<RangeScope, Vec<OpenRange>>,
    /// The names of open user tasks.
    tasks: HashMap<TaskId, Box<str>>,
    /// Of the stacks of this generation, by id: whether all their frames are known to be good.
    good_stacks: Vec<bool>,
}

/// A range that is open.
type OpenRange = RangeName<Box<str>>;

fn open_range(range: RangeName, tables: &Tables) -> OpenRange {
    range.map(|reason| tables.text(reason).into())
}

impl Validator {
    /// Checks the next event of `reader`, and calls `report` with each rule that it breaks.
    ///
    /// It must see all events of the trace, in their order. After a violation it goes on as Go's does:
    /// as if the event were right.
    pub fn check<R: Read>(
        &mut self,
        event: &CompactEvent,
        reader: &Reader<R>,
        mut report: impl FnMut(Violation),
    ) {
        if matches!(
            event.kind,
            CompactKind::SideData(()) | CompactKind::UnreadableSideData(_)
        ) {
            return;
        }
        let generation = reader.generation();
        let report = &mut |rule| {
            report(Violation {
                time: event.time,
                generation,
                thread: event.thread,
                rule,
            });
        };
        match self.last_time {
            // It stays at the greatest.
            Some(last) if event.time <= last => report(Rule::TimeOrder { last }),
            _ => self.last_time = Some(event.time),
        }
        if let CompactKind::Sync { clock, .. } = event.kind {
            self.sync(clock, reader.version(), generation, report);
            return;
        }
        let tables = reader.tables();
        self.stack(event.stack, tables, report);
        match event.kind {
            CompactKind::StateTransition { change, stack, .. } => {
                self.stack(stack, tables, report);
                self.transition(event, (change, stack), reader.version(), report);
            }
            CompactKind::Label { label, .. } if tables.text(label).is_empty() => {
                report(Rule::EmptyLabel);
            }
            CompactKind::RangeBegin { range, scope } => {
                let range = open_range(range, tables);
                let open = self.ranges.entry(scope).or_default();
                if open.contains(&range) {
                    report(Rule::RangeOpen(range.to_string()));
                }
                open.push(range);
            }
            CompactKind::RangeActive { range, scope } => {
                let range = open_range(range, tables);
                let open = self.ranges.entry(scope).or_default();
                if !open.contains(&range) {
                    open.push(range);
                }
            }
            CompactKind::RangeEnd { range, scope, .. } => {
                self.range_end(&open_range(range, tables), scope, report);
            }
            CompactKind::TaskBegin { task, name, .. } => {
                let name = tables.text(name);
                if matches!(task, TaskId::NONE | TaskId::BACKGROUND) {
                    let name = name.to_owned();
                    report(Rule::TaskId { task, name });
                }
                self.tasks.insert(task, name.into());
            }
            CompactKind::TaskEnd { task, name, .. } => {
                self.task_end(task, tables.text(name), report);
            }
            _ => {}
        }
    }

    /// A generation begins, or the trace ends.
    fn sync(
        &mut self,
        clock: Option<SyncClock>,
        version: Version,
        generation: u64,
        report: &mut impl FnMut(Rule),
    ) {
        self.syncs += 1;
        self.good_stacks.clear();
        if self.syncs == 2 {
            self.goroutines.end_first_generation();
            self.procs.end_first_generation();
        }
        // The end of the trace belongs to the last generation, or to none, and has no clocks.
        let is_end = clock.is_none() && self.syncs > 1;
        if generation != 0 && !is_end {
            let last = std::mem::replace(&mut self.last_generation, generation);
            if generation <= last {
                let found = generation;
                report(Rule::GenerationOrder { last, found });
            }
        }
        if !version.has_sync_batch() || is_end {
            return;
        }
        let sync = self.syncs;
        let Some(clock) = clock else {
            report(Rule::NoClock { sync });
            return;
        };
        let last = self.last_clock.replace(clock).map(shown_ns);
        for (index, (clock, found_ns)) in shown_ns(clock).into_iter().enumerate() {
            // 1970 is as good as any other year.
            if found_ns == 0 && clock != Clock::Wall {
                report(Rule::ZeroClock { sync, clock });
            }
            if let Some((_, last_ns)) = last.map(|last| last[index])
                && found_ns <= last_ns
            {
                report(Rule::ClockOrder {
                    sync,
                    clock,
                    last_ns,
                    found_ns,
                });
            }
        }
    }

    fn stack(&mut self, stack: StackId, tables: &Tables, report: &mut impl FnMut(Rule)) {
        if self.good_stacks.len() < tables.stacks_len() {
            self.good_stacks.resize(tables.stacks_len(), false);
        }
        let known = usize::try_from(stack.0)
            .ok()
            .and_then(|index| self.good_stacks.get_mut(index));
        let Some(is_known_good) = known.filter(|is_good| !**is_good) else {
            return;
        };
        let mut is_good = true;
        // The leaf may be unknown.
        for (index, frame) in tables.frames(stack).enumerate().skip(1) {
            let (pc, line) = (frame.pc, frame.line);
            if frame.function.is_empty() || frame.file.is_empty() || pc == 0 || line == 0 {
                is_good = false;
                report(Rule::Frame { index, pc, line });
            }
        }
        *is_known_good = is_good;
    }

    fn transition(
        &mut self,
        event: &CompactEvent,
        (change, stack): (StateChange, StackId),
        version: Version,
        report: &mut impl FnMut(Rule),
    ) {
        let mut place = TransitionContext {
            thread: event.thread,
            is_lenient: false,
            is_late: self.syncs > 1,
        };
        match change {
            StateChange::Go { go, from, to } => {
                if to == GoState::NotExist && self.has_range(RangeScope::Go(go)) {
                    report(Rule::GoDiedInRange(go));
                }
                if GoroutineRules::is_executing(from)
                    && !GoroutineRules::is_executing(to)
                    && stack != event.stack
                {
                    report(Rule::StacksDiffer);
                }
                // Traces of Go 1.21 and earlier do not say on which thread a goroutine is in a system call.
                place.is_lenient =
                    version.is_v1() && (from, to) == (GoState::Undetermined, GoState::Syscall);
                self.goroutines.change(go, (from, to), place, report);
            }
            StateChange::Proc { proc, from, to } => {
                self.procs.change(proc, (from, to), place, report);
            }
        }
    }

    fn has_range(&self, scope: RangeScope) -> bool {
        self.ranges.get(&scope).is_some_and(|open| !open.is_empty())
    }

    fn range_end(&mut self, range: &OpenRange, scope: RangeScope, report: &mut impl FnMut(Rule)) {
        let open = self.ranges.get_mut(&scope);
        let place = open.and_then(|open| {
            let index = open.iter().position(|open| open == range)?;
            open.remove(index);
            Some(open.is_empty())
        });
        match place {
            Some(true) => _ = self.ranges.remove(&scope),
            Some(false) => {}
            None => report(Rule::RangeNotOpen(range.to_string())),
        }
    }

    /// The begin may be older than the trace.
    fn task_end(&mut self, task: TaskId, name: &str, report: &mut impl FnMut(Rule)) {
        if let Some(known) = self.tasks.remove(&task)
            && *known != *name
        {
            report(Rule::TaskName {
                task,
                known: known.into(),
                found: name.to_owned(),
            });
        }
    }
}

/// What the clocks show, in nanoseconds since their zeros.
fn shown_ns(clock: SyncClock) -> [(Clock, i128); 3] {
    let snapshot = clock.snapshot;
    let wall_ns = i128::from(snapshot.unix_seconds as i64) * 1_000_000_000
        + i128::from(snapshot.unix_nanoseconds);
    [
        (Clock::Wall, wall_ns),
        (Clock::Monotonic, i128::from(snapshot.monotonic_ns)),
        (Clock::Trace, i128::from(clock.time.0)),
    ]
}
