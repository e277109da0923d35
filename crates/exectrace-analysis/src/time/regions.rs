//! Where the time of regions went.

use exectrace_replay::{
    Clip, End, EndedRegion, GoroutineKind, GoroutineState, Region, Stack, Text,
};

use crate::breakdown::{Sums, add};
use crate::kernel_wait::KernelSums;

use super::flow::Flow;

/// What the sums of a flow were when one of its regions began. The waiting times are in the flow, from
/// `first_wait` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionBegin {
    running: u64,
    runnable: u64,
    syscall: u64,
    syscall_blocked: u64,
    own_code: u64,
    kernel: KernelSums,
    wakes_seen: u64,
    wakes_concluded: u64,
    first_wait: usize,
    /// How long regions directly inside it took, those that have ended.
    inner: u64,
}

/// A region that has ended, and where its time went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegionTime<'a> {
    pub(crate) name: Text,
    pub(crate) task: u64,
    pub(crate) stack: Stack,
    /// `None` if it began before the trace.
    pub(crate) begin: Option<i64>,
    /// `None` if it is open at the end of the trace.
    pub(crate) end: Option<i64>,
    /// It is no span by itself.
    pub(crate) is_part: bool,
    /// How long no other region of its flow was inside it; 0 if it began before the trace, as what was
    /// inside it was not seen.
    pub(crate) own: u64,
    pub(crate) sums: &'a Sums,
}

impl<'a> RegionTime<'a> {
    pub(super) fn new(region: &EndedRegion, now: i64, own: u64, sums: &'a Sums) -> Self {
        Self {
            name: region.name,
            task: region.user_task.0,
            stack: region.stack,
            begin: region.begin,
            end: (region.end != End::WithTrace).then_some(now),
            is_part: region.is_part_of_span,
            own,
            sums,
        }
    }
}

impl Flow<'_> {
    /// Puts the flow's times up to `now` into `sums`, whose total counts from `begin` on.
    fn sums_until(&self, now: i64, begin: i64, clip: Clip, sums: &mut Sums) {
        let (goroutine, known) = (self.goroutine, &self.time.sums);
        sums.running = known.running;
        sums.runnable = known.runnable;
        sums.syscall = known.syscall;
        sums.syscall_blocked = known.syscall_blocked;
        sums.own_code = known.own_code;
        sums.kernel = known.kernel;
        sums.wakes_seen = known.wakes_seen;
        sums.wakes_concluded = known.wakes_concluded;
        sums.waiting.clone_from(&known.waiting);
        sums.ranges.clear();
        let since = goroutine.since;
        let open = clip.between(since, now);
        match goroutine.state {
            _ if self.time.is_cut => {}
            _ if goroutine.is_own_code() => sums.own_code += open,
            GoroutineState::Running => sums.running += open,
            GoroutineState::Runnable => sums.runnable += open,
            GoroutineState::Waiting if goroutine.waits_forever() => {}
            GoroutineState::Waiting => add(&mut sums.waiting, goroutine.reason, open),
            GoroutineState::Syscall => {
                let blocked = goroutine.proc_lost.unwrap_or(now);
                sums.syscall += clip.between(since, blocked);
                sums.syscall_blocked += clip.between(blocked, now);
            }
            GoroutineState::Unknown => {}
        }
        sums.close(clip.between(begin, now));
    }

    /// A region begins. Its flow runs, or is in a system call.
    pub(super) fn region_begins(&mut self, now: i64, clip: Clip) {
        let goroutine = self.goroutine;
        let open = clip.between(goroutine.since, now);
        let is_own_code = goroutine.is_own_code();
        let of = |state| match goroutine.state == state && !is_own_code {
            true => open,
            false => 0,
        };
        let time = &mut *self.time;
        // What is waited in the region has bounds of its own.
        time.sums.kernel.begin_parts();
        let begin = RegionBegin {
            running: time.sums.running + of(GoroutineState::Running),
            runnable: time.sums.runnable,
            syscall: time.sums.syscall + of(GoroutineState::Syscall),
            syscall_blocked: time.sums.syscall_blocked,
            own_code: time.sums.own_code + if is_own_code { open } else { 0 },
            kernel: time.sums.kernel,
            wakes_seen: time.sums.wakes_seen,
            wakes_concluded: time.sums.wakes_concluded,
            first_wait: time.region_waits.len(),
            inner: 0,
        };
        time.region_waits.extend_from_slice(&time.sums.waiting);
        time.regions.push(begin);
    }

    /// The region has ended. Puts where its time went into `sums`, and returns how long no region was
    /// inside it.
    pub(super) fn region_ends(
        &mut self,
        region: &EndedRegion,
        (now, trace_begin): (i64, i64),
        clip: Clip,
        sums: &mut Sums,
    ) -> u64 {
        let Some(began) = region.begin else {
            self.sums_until(now, trace_begin, clip, sums);
            return 0;
        };
        self.sums_until(now, began, clip, sums);
        let time = &mut *self.time;
        let Some(begin) = time.regions.pop() else {
            return 0;
        };
        sums.running = sums.running.saturating_sub(begin.running);
        sums.runnable = sums.runnable.saturating_sub(begin.runnable);
        sums.syscall = sums.syscall.saturating_sub(begin.syscall);
        sums.syscall_blocked = sums.syscall_blocked.saturating_sub(begin.syscall_blocked);
        sums.own_code = sums.own_code.saturating_sub(begin.own_code);
        sums.kernel.subtract(&begin.kernel);
        sums.wakes_seen -= begin.wakes_seen.min(sums.wakes_seen);
        sums.wakes_concluded -= begin.wakes_concluded.min(sums.wakes_concluded);
        // Reasons keep their places, so those of the begin are the first ones of now.
        let before = time.region_waits.get(begin.first_wait..).unwrap_or(&[]);
        for (now, before) in sums.waiting.iter_mut().zip(before) {
            now.1 = now.1.saturating_sub(before.1);
        }
        time.region_waits.truncate(begin.first_wait);
        sums.close(clip.between(began, now));
        if let Some(outer) = time.regions.last_mut() {
            outer.inner += sums.total;
        }
        sums.total.saturating_sub(begin.inner)
    }

    /// A region of a thread's own code may be held by an async task that nobody follows. That the thread
    /// polls other tasks meanwhile, or sleeps, is no reason why that task waits.
    pub(super) fn forget_polling(&self, polling_tasks: Text, sums: &mut Sums) {
        if self.goroutine.kind == GoroutineKind::Thread {
            sums.forget_waits(polling_tasks);
        }
    }

    /// The regions that were open before the innermost one began.
    pub(super) fn outer_regions(&self) -> &[Region] {
        let regions = &self.goroutine.regions;
        &regions[..regions.len().saturating_sub(1)]
    }
}
