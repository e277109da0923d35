//! Regions of a flow: open ones, and what is known of one that has ended.

use exectrace_format::GoId;

use crate::breakdown::{Sums, add};
use crate::names::{Stack, Text};
use crate::options::Clip;
use crate::sight::FlowKind;

use super::flow::Flow;
use super::player::{Player, World};
use super::stretch::State;

/// A region that has not ended yet.
#[derive(Clone, Debug)]
pub(crate) struct OpenRegion {
    pub(crate) name: Text,
    pub(crate) task: u64,
    pub(crate) stack: Stack,
    pub(crate) begin: i64,
    /// What the flow's times were at its begin. The waiting times are in the flow, from here on.
    running: u64,
    runnable: u64,
    syscall: u64,
    syscall_blocked: u64,
    own_code: u64,
    wakes_seen: u64,
    wakes_concluded: u64,
    first_wait: usize,
    /// How long regions directly inside it took, those that have ended.
    inner: u64,
}

/// A region with its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedRegion<'a> {
    pub(crate) name: Text,
    pub(crate) task: u64,
    pub(crate) stack: Stack,
    /// `None` if it began before the trace.
    pub(crate) begin: Option<i64>,
    /// `None` if it is open at the end of the trace.
    pub(crate) end: Option<i64>,
    /// It is no span by itself.
    pub(crate) is_part: bool,
    /// How long no other region of its flow was inside it.
    pub(crate) own: u64,
    pub(crate) sums: &'a Sums,
}

impl OpenRegion {
    /// How long no region was inside it, of the time that `sums` gives for it.
    pub(super) fn own(&self, sums: &Sums) -> u64 {
        sums.total.saturating_sub(self.inner)
    }
}

impl Flow {
    /// Puts the flow's times up to `now` into `sums`, whose total counts from `begin` on.
    pub(super) fn sums_until(&self, now: i64, begin: i64, clip: Clip, sums: &mut Sums) {
        sums.running = self.sums.running;
        sums.runnable = self.sums.runnable;
        sums.syscall = self.sums.syscall;
        sums.syscall_blocked = self.sums.syscall_blocked;
        sums.own_code = self.sums.own_code;
        sums.wakes_seen = self.sums.wakes_seen;
        sums.wakes_concluded = self.sums.wakes_concluded;
        sums.waiting.clone_from(&self.sums.waiting);
        sums.ranges.clear();
        let open = clip.between(self.since, now);
        match self.state {
            _ if self.has_thread() => sums.own_code += open,
            State::Running => sums.running += open,
            State::Runnable => sums.runnable += open,
            State::Waiting if self.waits_forever() => {}
            State::Waiting => add(&mut sums.waiting, self.reason, open),
            State::Syscall => {
                let blocked = self.lane_lost.unwrap_or(now);
                sums.syscall += clip.between(self.since, blocked);
                sums.syscall_blocked += clip.between(blocked, now);
            }
            State::Unknown => {}
        }
        sums.close(clip.between(begin, now));
    }

    /// Opens a region. Its flow runs, or is in a system call.
    pub(super) fn open_region(
        &mut self,
        (name, task, stack): (Text, u64, Stack),
        now: i64,
        clip: Clip,
    ) {
        let open = clip.between(self.since, now);
        let of = |state| match self.state == state && !self.has_thread() {
            true => open,
            false => 0,
        };
        let region = OpenRegion {
            name,
            task,
            stack,
            begin: now,
            running: self.sums.running + of(State::Running),
            runnable: self.sums.runnable,
            syscall: self.sums.syscall + of(State::Syscall),
            syscall_blocked: self.sums.syscall_blocked,
            own_code: self.sums.own_code + if self.has_thread() { open } else { 0 },
            wakes_seen: self.sums.wakes_seen,
            wakes_concluded: self.sums.wakes_concluded,
            first_wait: self.region_waits.len(),
            inner: 0,
        };
        self.region_waits.extend_from_slice(&self.sums.waiting);
        self.regions.push(region);
    }

    /// Closes the innermost region at `now`, and puts where its time went into `sums`.
    pub(super) fn close_region(
        &mut self,
        now: i64,
        clip: Clip,
        sums: &mut Sums,
    ) -> Option<OpenRegion> {
        let region = self.regions.pop()?;
        self.sums_until(now, region.begin, clip, sums);
        sums.running = sums.running.saturating_sub(region.running);
        sums.runnable = sums.runnable.saturating_sub(region.runnable);
        sums.syscall = sums.syscall.saturating_sub(region.syscall);
        sums.syscall_blocked = sums.syscall_blocked.saturating_sub(region.syscall_blocked);
        sums.own_code = sums.own_code.saturating_sub(region.own_code);
        sums.wakes_seen -= region.wakes_seen.min(sums.wakes_seen);
        sums.wakes_concluded -= region.wakes_concluded.min(sums.wakes_concluded);
        // Reasons keep their places, so those of the begin are the first ones of now.
        let before = self.region_waits.get(region.first_wait..).unwrap_or(&[]);
        for (now, before) in sums.waiting.iter_mut().zip(before) {
            now.1 = now.1.saturating_sub(before.1);
        }
        self.region_waits.truncate(region.first_wait);
        sums.close(clip.between(region.begin, now));
        if let Some(outer) = self.regions.last_mut() {
            outer.inner += sums.total;
        }
        Some(region)
    }
}

/// A region of a thread's own code may be held by an async task that nobody follows. That the thread polls
/// other tasks meanwhile, or sleeps, is no reason why that task waits.
pub(super) fn forget_polling(flow: &Flow, world: &World, sums: &mut Sums) {
    if flow.kind == FlowKind::Thread {
        sums.forget_waits(world.polling_tasks);
    }
}

impl Player {
    /// The flow's innermost region ends; `task` and `name` are told of one that began before the
    /// trace.
    pub(super) fn region_ends(&mut self, go: GoId, (task, name): (u64, Text), is_part: bool) {
        let (now, begin, clip) = (self.world.now, self.world.begin, self.world.clip);
        let Some(flow) = self.flows.get_mut(go) else {
            return;
        };
        let mut sums = std::mem::take(&mut self.scratch);
        let open = flow.close_region(now, clip, &mut sums);
        if open.is_none() {
            flow.sums_until(now, begin, clip, &mut sums);
        }
        forget_polling(flow, &self.world, &mut sums);
        let region = match open {
            Some(open) => EndedRegion {
                name: open.name,
                task: open.task,
                stack: open.stack,
                begin: Some(open.begin),
                end: Some(now),
                is_part,
                own: open.own(&sums),
                sums: &sums,
            },
            // It began before the trace.
            None => {
                EndedRegion {
                    name,
                    task,
                    stack: Stack::default(),
                    begin: None,
                    end: Some(now),
                    is_part,
                    // What was inside it was not seen.
                    own: 0,
                    sums: &sums,
                }
            }
        };
        self.passes.region_ends(&self.world, flow, &region);
        self.scratch = sums;
    }
}
