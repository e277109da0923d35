//! The time that a flow spent in one state, and how much of it counts.

use std::ops::Deref;

use crate::kernel_wait::RunPart;
use exectrace_replay::{Clip, GoroutineState, StateSpan, between};

/// The time that a flow spent in one state, and how much of it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeSpan<'a> {
    span: &'a StateSpan<'a>,
    /// The state as far as it was seen: unknown for a thread's own code.
    pub(crate) state: GoroutineState,
    /// How many nanoseconds of it lie in the part of the trace that counts.
    pub(crate) inside: u64,
    /// The poll that ends with it.
    pub(crate) poll: Option<Poll>,
    /// Of a run: what is known of its thread meanwhile.
    pub(crate) run: Option<RunPart>,
}

/// A poll of an async task, with the calls that it made; of a goroutine of Go, a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll {
    pub(crate) begin: i64,
    pub(crate) duration: u64,
    /// How much of it lies in the part of the trace that counts.
    pub(crate) inside: u64,
    /// For how long the kernel had taken the thread's processor away; `None` where it did not report all of it.
    pub(crate) preempted: Option<u64>,
}

impl<'a> TimeSpan<'a> {
    #[inline]
    pub(super) fn new(span: &'a StateSpan<'a>, clip: Clip) -> Self {
        Self {
            span,
            state: span.seen_state(),
            inside: clip.between(span.begin, span.end),
            poll: None,
            run: None,
        }
    }

    /// A poll ends with it that began then.
    #[inline]
    pub(super) fn ends_poll(&mut self, begin: i64, preempted: Option<u64>, clip: Clip) {
        self.poll = Some(Poll {
            begin,
            duration: between(begin, self.span.end),
            inside: clip.between(begin, self.span.end),
            preempted,
        });
    }

    /// The span of time itself, which can be kept.
    #[inline]
    pub(crate) fn whole(&self) -> &'a StateSpan<'a> {
        self.span
    }
}

impl<'a> Deref for TimeSpan<'a> {
    type Target = StateSpan<'a>;

    #[inline]
    fn deref(&self) -> &StateSpan<'a> {
        self.span
    }
}
