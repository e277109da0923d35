//! What async tasks and workers did.

use exectrace_format::{GoId, ProcId};
use exectrace_replay::{End, Stack};
use fxprof_processed_profile::CpuDelta;

use super::markers::{Ran, Was};
use super::profile::{Firefox, Row, UNIT_NS, stamp, timing};
use crate::tracks::{AfterRun, Lane, Picture, Run, StateSlice, Task, TrackState};

impl Firefox<'_> {
    pub(super) fn state(
        &mut self,
        time: i64,
        task: Task<'_>,
        slice: StateSlice,
        end: End,
        picture: &Picture<'_>,
    ) {
        let Some(thread) = self.task_row(task, slice.begin, picture) else {
            return;
        };
        let category = self.category(slice.state);
        let title = picture.state_title(&slice);
        let waker = match slice.ready {
            Some(ready) if ready.waker != GoId::NONE => picture.task_title(ready.waker),
            _ => String::new(),
        };
        let name = picture.task_name(task.id);
        let labels = [name.as_str(), &title];
        // The stack of a runnable task is its waker's.
        let shown = if slice.state == TrackState::Runnable {
            Stack::NONE
        } else {
            slice.stack
        };
        let stack = self.stack(thread, &labels, shown, category, picture);
        let length_ns = time.abs_diff(slice.begin);
        let cpu = match slice.state {
            TrackState::Running => CpuDelta::from_nanos(length_ns),
            _ => CpuDelta::ZERO,
        };
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        self.profile
            .add_sample(thread, stamp(slice.begin, picture), stack, cpu, weight);
        let task_title = picture.title(task);
        let texts = [task_title.as_str(), &waker];
        let timing = timing(slice.begin, time, end, picture);
        let worker = if slice.worker == ProcId::NONE {
            -1.0
        } else {
            slice.worker.0 as f64
        };
        let marker = self.mark::<Was>(thread, timing, &title, category, texts, worker);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    pub(super) fn run(
        &mut self,
        time: i64,
        worker: ProcId,
        run: Run,
        next: AfterRun,
        end: End,
        picture: &Picture<'_>,
    ) {
        if !self.options.workers {
            return;
        }
        let lane = Lane::Worker(worker);
        let thread = self.row(Row::Lane(lane), picture, || picture.lane_title(lane));
        let name = picture.task_name(run.task);
        // Whether a thread's own code used the CPU is not in the trace.
        let task = picture.task(run.task);
        let is_own_code = task.is_some_and(|task| task.is_thread());
        let category = self.category(match is_own_code {
            true => TrackState::OwnCode,
            false => TrackState::Running,
        });
        let stack = self.stack(thread, &[&name], Stack::NONE, category, picture);
        let length_ns = time.abs_diff(run.begin);
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        let cpu = match is_own_code {
            true => CpuDelta::ZERO,
            false => CpuDelta::from_nanos(length_ns),
        };
        self.profile
            .add_sample(thread, stamp(run.begin, picture), stack, cpu, weight);
        let nothing = CpuDelta::ZERO;
        self.profile
            .add_sample(thread, stamp(time, picture), None, nothing, 0);
        let then = match next.state {
            Some(state) => format!("{} {}", state.name(), picture.text(next.reason)),
            None => next.name().to_owned(),
        };
        let ready = run.delay_ns().map_or(-1.0, |ns| ns as f64);
        let texts = [&*format!("G{}", run.task.0), &then];
        let timing = timing(run.begin, time, end, picture);
        let marker = self.mark::<Ran>(thread, timing, &name, category, texts, ready);
        let end_stack = self.stack(thread, &[], next.stack, category, picture);
        self.profile.set_marker_stack(thread, marker, end_stack);
    }
}
