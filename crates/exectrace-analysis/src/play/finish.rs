//! The end of the trace: what is open is cut, and the results are gathered.

use exectrace_format::GoId;

use crate::analysis::Analysis;
use crate::names::Stack;
use crate::sight::FlowKind;

use super::charge::{close_ranges, ended, leave};
use super::gap::Did;
use super::player::Player;
use super::region::{EndedRegion, forget_polling};
use super::stretch::{Next, State, between};

impl Player {
    /// The trace ends, and the flow lives on.
    fn cut_flow(&mut self, go: GoId) {
        let (now, clip) = (self.world.now, self.world.clip);
        let Some(index) = self.flows.find(go) else {
            return;
        };
        let Some(flow) = self.flows.at(index) else {
            return;
        };
        if flow.state == State::Running {
            flow.marks(Did::End, now, Stack::default());
        }
        let mut sums = std::mem::take(&mut self.scratch);
        while let Some(open) = flow.close_region(now, clip, &mut sums) {
            forget_polling(flow, &self.world, &mut sums);
            let region = EndedRegion {
                name: open.name,
                task: open.task,
                stack: open.stack,
                begin: Some(open.begin),
                end: None,
                is_part: false,
                own: open.own(&sums),
                sums: &sums,
            };
            self.passes.region_ends(&self.world, flow, &region);
        }
        self.scratch = sums;
        let stretch = ended(flow, now, Next::TraceEnd, Default::default(), clip);
        leave(flow, &stretch, clip);
        self.passes.stretch(&mut self.world, flow, &stretch);
        if flow.ended.is_none() {
            close_ranges(flow, now, clip);
            flow.sums.close(clip.between(flow.created, now));
        }
        self.passes.flow_ends(&mut self.world, flow);
    }

    /// Ends what is open, and gathers the results.
    pub(crate) fn finish(mut self) -> Analysis {
        let (now, clip) = (self.world.now, self.world.clip);
        let living = self.flows.living();
        let is_task = |go: &&GoId| {
            let flow = self.flows.get(**go);
            flow.is_some_and(|flow| flow.kind != FlowKind::Thread)
        };
        let alive = living.iter().filter(is_task).count() as u64;
        let facts = &mut self.world.facts;
        facts.overview.async_tasks = self.flows.seen - facts.seen.threads;
        facts.overview.async_tasks_alive = alive;
        for go in living {
            self.cut_flow(go);
        }
        let begin = self.world.begin;
        self.world.slack.finish(now, begin, clip);
        for lane in &mut self.world.lanes.all {
            lane.settle(now, lane.is_held, clip);
        }
        let overview = &mut self.world.facts.overview;
        overview.duration_ns = between(self.world.begin, now);
        overview.workers = self.world.lanes.all.len() as u64;
        let overview = self.world.facts.finish();
        let mut analysis = Analysis {
            names: self.world.facts.used.names(&self.world.names),
            overview,
            ..Analysis::default()
        };
        self.passes.finish(&mut self.world, &mut analysis);
        analysis
    }
}
