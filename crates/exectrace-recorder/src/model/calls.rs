//! Calls of the C library: what their records mean.
//!
//! A call's record comes when the call has ended, and carries the ticks of its begin. So its end lies ahead when it
//! is applied, and is kept until the model comes to it. Of a call that lasts longer than records are held, the
//! flush thread gives the begin, and the record that comes later has only the end.
//!
//! Calls that a runtime makes on its own account, as a worker between two polls or to sleep, are nobody's:
//! they are counted, and waits for the driver have a record of side data.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use exectrace_format::conventions::{SLEEP, SYNC, UNKNOWN_FILE};
use exectrace_format::{SideRecord, TaskId, ThreadId};

use super::Model;
use super::names::{FrameId, Leaf, NameId, Names};
use super::threads::ThreadIndex;
use crate::budget::Source;
use crate::calls::{Call, CallClass, CallResult};
use crate::input::Called;

/// A call as long as this gives its thread's lane up, unless the thread is a worker of a runtime: then nobody else
/// runs there meanwhile. Go's scheduler begins to look for processors in calls after this time
/// (`runtime/proc.go`, `sysmon`).
const LONG_NS: u64 = 20_000;

/// Begins and ends of calls that lie ahead.
#[derive(Debug)]
pub(super) struct Calls {
    /// By their times. An end stands before a begin of the same time, and is due with what happens at that time; a
    /// begin is due after it.
    ahead: BinaryHeap<Reverse<(u64, Change, ThreadIndex)>>,
    /// The frame of each call, by its number.
    frames: Vec<FrameId>,
    sleep: NameId,
    sync: NameId,
}

/// What lies ahead of a thread: a call, which the ticks of its begin name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    End { began: u64 },
    Begin { began: u64, number: u8 },
}

impl Calls {
    pub(super) fn new(names: &mut Names) -> Self {
        let mut frame = |call: &Call| names.frame_of(call.name(), UNKNOWN_FILE, 1);
        Self {
            ahead: BinaryHeap::new(),
            frames: Call::ALL.iter().map(&mut frame).collect(),
            sleep: names.intern_static(SLEEP),
            sync: names.intern_static(SYNC),
        }
    }

    /// When the next change is due, in comparison with what happens at a time: up to `until_ns`.
    #[inline]
    pub(super) fn next_due(&self, until_ns: u64) -> Option<u64> {
        let Reverse((time_ns, change, _)) = *self.ahead.peek()?;
        let is_due = match change {
            Change::End { .. } => time_ns <= until_ns,
            Change::Begin { .. } => time_ns < until_ns,
        };
        is_due.then_some(time_ns)
    }
}

/// How long a call takes, as far as that is known when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Known(u64),
    /// Longer than records are held.
    Open,
}

impl Model {
    /// The thread is in a call that began at `time_ns`, and has no record yet. To be said before anything that
    /// happened later is applied.
    pub(crate) fn call_is_open(
        &mut self,
        time_ns: u64,
        thread: ThreadIndex,
        call: Call,
        began: u64,
    ) {
        let number = call as u8;
        let begin = Change::Begin { began, number };
        self.calls.ahead.push(Reverse((time_ns, begin, thread)));
    }

    /// A call that was said to be open is over by `time_ns`, whether it has a record or not.
    pub(crate) fn call_is_over(&mut self, time_ns: u64, thread: ThreadIndex, began: u64) {
        let end = Change::End { began };
        self.calls.ahead.push(Reverse((time_ns, end, thread)));
    }

    /// A call has ended, or will have when the model comes to that time.
    pub(super) fn call(&mut self, thread: ThreadIndex, called: Called) {
        let Some(call) = called.call else { return };
        self.spend(Source::Calls, 1);
        let began_ns = self.machine.emitter.now_ns();
        if self.machine.has_left_call(thread, called.began) {
            // A handler's record came in it, which ended it for the trace.
            return;
        }
        if self.machine.call_of(thread) != Some(called.began) {
            self.machine.leave_call(thread);
            if !self.begin_call(thread, call, &called, Length::Known(called.took_ns)) {
                return self.call_of_nobody(thread, call, &called);
            }
        } else if self.polls.waits.place(called.stack).is_some() {
            // It was begun while it was open, when this was not known.
            let leaf = self.leaf_of_call(thread, call, called.stack);
            self.machine.call_was_made_at(thread, leaf);
        }
        let ended_ns = began_ns + called.took_ns;
        if let CallResult::Failed(errno) = called.result {
            self.machine.call_failed(thread, u64::from(errno));
        }
        let end = Change::End {
            began: called.began,
        };
        self.calls.ahead.push(Reverse((ended_ns, end, thread)));
    }

    /// Whoever runs on the thread is in a call from now on. `false` if it is a runtime's own.
    fn begin_call(
        &mut self,
        thread: ThreadIndex,
        call: Call,
        called: &Called,
        length: Length,
    ) -> bool {
        if self.machine.is_between_polls(thread) {
            return false;
        }
        self.run(thread);
        let leaf = self.leaf_of_call(thread, call, called.stack);
        let began = called.began;
        match call.class() {
            CallClass::Sleep => {
                self.machine
                    .begin_wait(thread, began, self.calls.sleep, leaf);
            }
            CallClass::Futex => self
                .machine
                .begin_wait(thread, began, self.calls.sync, leaf),
            CallClass::Syscall | CallClass::Socket | CallClass::Driver => {
                let is_long = match length {
                    Length::Known(took_ns) => took_ns >= LONG_NS,
                    Length::Open => true,
                };
                self.machine.begin_syscall(thread, began, is_long, leaf);
            }
        }
        true
    }

    /// Where a call was made: the call, then where that is known the functions that led there, or else the innermost
    /// region.
    fn leaf_of_call(&mut self, thread: ThreadIndex, call: Call, stack: u64) -> Leaf {
        let frame = self.calls.frames[call as usize];
        let region = self
            .machine
            .current(thread)
            .and_then(|flow| flow.regions.last());
        let inside = match self.polls.waits.place(stack) {
            Some(place) => place.leaf,
            None => region.map_or(Leaf::None, |region| region.place),
        };
        let names = &mut self.machine.names;
        let mut frames = vec![frame];
        frames.extend(names.frames_of(&inside));
        match frames[..] {
            [frame] => Leaf::Place(frame),
            _ => Leaf::Chain(names.chain_of(&frames)),
        }
    }

    /// A call that a runtime made on its own account.
    fn call_of_nobody(&mut self, thread: ThreadIndex, call: Call, called: &Called) {
        let time_ns = self.machine.emitter.now_ns();
        let Some(id) = self.machine.thread(thread).map(|thread| thread.id) else {
            return;
        };
        if call.class() == CallClass::Driver {
            let ready = called.result.driver().ready;
            self.machine.emitter.side(&SideRecord::DriverWait {
                time_ns,
                thread: id,
                duration_ns: called.took_ns,
                ready,
            });
        }
        self.write_counts(
            time_ns,
            id,
            (0, TaskId::BACKGROUND),
            call,
            (1, called.took_ns),
        );
    }

    /// Calls of one kind that a thread has counted, and that belong to what it does now.
    pub(super) fn call_sum(&mut self, thread: ThreadIndex, call: u16, calls: u64, total_ns: u64) {
        let Some(call) = Call::of_number(u64::from(call)) else {
            return;
        };
        if let Some(id) = self.machine.thread(thread).map(|thread| thread.id) {
            self.calls_counted(Some((thread, id)), call, calls, total_ns);
        }
    }

    /// Calls that were counted and have no record, of a thread or of none that is known.
    pub(crate) fn calls_counted(
        &mut self,
        thread: Option<(ThreadIndex, ThreadId)>,
        call: Call,
        calls: u64,
        total_ns: u64,
    ) {
        let time_ns = self.machine.emitter.time_ns();
        let (id, whose) = match thread {
            Some((thread, id)) => (id, self.who_runs(thread)),
            None => (ThreadId::NONE, (0, TaskId::BACKGROUND)),
        };
        self.write_counts(time_ns, id, whose, call, (calls, total_ns));
    }

    /// What runs on a thread, and the user task of its innermost region.
    pub(super) fn who_runs(&self, thread: ThreadIndex) -> (u64, TaskId) {
        let Some(flow) = self.machine.current(thread) else {
            return (0, TaskId::BACKGROUND);
        };
        let region = flow.regions.iter().rfind(|region| !region.over);
        (
            flow.go.0,
            region.map_or(TaskId::BACKGROUND, |region| region.task),
        )
    }

    fn write_counts(
        &mut self,
        time_ns: u64,
        thread: ThreadId,
        (go, task): (u64, TaskId),
        call: Call,
        (calls, total_ns): (u64, u64),
    ) {
        self.machine.emitter.side(&SideRecord::CallCounts {
            time_ns,
            thread,
            go: exectrace_format::GoId(go),
            task,
            call: call.name().into(),
            calls,
            total_ns,
        });
    }

    /// Makes the next change, which is due.
    #[inline(never)]
    pub(super) fn change_call(&mut self) {
        let Some(Reverse((time_ns, change, thread))) = self.calls.ahead.pop() else {
            return;
        };
        self.machine.emitter.advance(time_ns);
        match change {
            Change::End { began } => {
                if self.machine.call_of(thread) == Some(began) {
                    self.machine.leave_call(thread);
                    self.close_regions_that_are_over(thread);
                }
            }
            Change::Begin { began, number } => {
                let call = Call::of_number(u64::from(number));
                if let (Some(call), None) = (call, self.machine.call_of(thread)) {
                    let called = Called {
                        call: Some(call),
                        began,
                        took_ns: 0,
                        result: CallResult::Done(0),
                        stack: 0,
                    };
                    self.begin_call(thread, call, &called, Length::Open);
                }
            }
        }
    }
}
