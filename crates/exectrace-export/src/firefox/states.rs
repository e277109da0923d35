//! What async tasks and workers did.

use exectrace_format::{GoId, ProcId};
use fxprof_processed_profile::CpuDelta;

use super::markers::{Ran, Was};
use super::profile::{Firefox, Row, UNIT_NS, stamp, timing};
use crate::story::{End, Lane, Next, Run, Scene, Stack, State, Stretch, Task};

impl Firefox<'_> {
    pub(super) fn state(
        &mut self,
        time: i64,
        task: &Task,
        stretch: Stretch,
        end: End,
        scene: &Scene,
    ) {
        let Some(thread) = self.task_row(task, stretch.begin, scene) else {
            return;
        };
        let category = self.category(stretch.state);
        let title = scene.state_title(&stretch);
        let waker = match stretch.ready {
            Some(ready) if ready.waker != GoId::NONE => scene.task_title(ready.waker),
            _ => String::new(),
        };
        let name = scene.task_name(task.id);
        let labels = [name.as_str(), &title];
        // The stack of a runnable task is its waker's.
        let shown = if stretch.state == State::Runnable {
            Stack::NONE
        } else {
            stretch.stack
        };
        let stack = self.stack(thread, &labels, shown, category, scene);
        let length_ns = time.abs_diff(stretch.begin);
        let cpu = match stretch.state {
            State::Running => CpuDelta::from_nanos(length_ns),
            _ => CpuDelta::ZERO,
        };
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        self.profile
            .add_sample(thread, stamp(stretch.begin, scene), stack, cpu, weight);
        let task_title = task.title(&scene.book);
        let texts = [task_title.as_str(), &waker];
        let timing = timing(stretch.begin, time, end, scene);
        let worker = if stretch.worker == ProcId::NONE {
            -1.0
        } else {
            stretch.worker.0 as f64
        };
        let marker = self.mark::<Was>(thread, timing, &title, category, texts, worker);
        self.profile.set_marker_stack(thread, marker, stack);
    }

    pub(super) fn run(
        &mut self,
        time: i64,
        worker: ProcId,
        run: Run,
        next: Next,
        end: End,
        scene: &Scene,
    ) {
        if !self.options.workers {
            return;
        }
        let lane = Lane::Worker(worker);
        let thread = self.row(Row::Lane(lane), scene, || scene.lane_title(lane));
        let name = scene.task_name(run.task);
        // Whether a thread's own code used the CPU is not in the trace.
        let task = scene.tasks.get(&run.task);
        let is_own_code = task.is_some_and(|task| task.is_thread);
        let category = self.category(match is_own_code {
            true => State::OwnCode,
            false => State::Running,
        });
        let stack = self.stack(thread, &[&name], Stack::NONE, category, scene);
        let length_ns = time.abs_diff(run.begin);
        let weight = i32::try_from(length_ns / UNIT_NS).unwrap_or(i32::MAX);
        let cpu = match is_own_code {
            true => CpuDelta::ZERO,
            false => CpuDelta::from_nanos(length_ns),
        };
        self.profile
            .add_sample(thread, stamp(run.begin, scene), stack, cpu, weight);
        let nothing = CpuDelta::ZERO;
        self.profile
            .add_sample(thread, stamp(time, scene), None, nothing, 0);
        let then = match next.state {
            Some(state) => format!("{} {}", state.name(), scene.book.text(next.reason)),
            None => next.name().to_owned(),
        };
        let ready = run.delay_ns().map_or(-1.0, |ns| ns as f64);
        let texts = [&*format!("G{}", run.task.0), &then];
        let timing = timing(run.begin, time, end, scene);
        let marker = self.mark::<Ran>(thread, timing, &name, category, texts, ready);
        let end_stack = self.stack(thread, &[], next.stack, category, scene);
        self.profile.set_marker_stack(thread, marker, end_stack);
    }
}
