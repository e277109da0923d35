//! Charges flows with what their threads waited for the kernel while they ran.
//!
//! At the end of a run, and at the begins and ends of regions in it: the thread recorded these, so it had a processor then.

use exectrace_replay::{Clip, GoroutineState};

use crate::kernel_wait::RunPart;

use super::flow::Flow;
use super::processors::Processors;
use super::span::TimeSpan;

/// A flow ends a run. A thread's own code is left out: it is not known whether that ran.
#[inline]
pub(super) fn run_ends(
    flow: &mut Flow<'_>,
    span: &mut TimeSpan<'_>,
    processors: &Processors,
    clip: Clip,
) {
    if processors.is_empty() || span.state != GoroutineState::Running {
        flow.time.poll_preempted = None;
        return;
    }
    let (thread, begin) = (span.thread.0, span.begin);
    let charged_until = flow.time.kernel_until.max(begin);
    // When the trace ends the thread may have no processor, and what keeps it from running is reported after that.
    let known_until = match span.is_closed() {
        true => span.end,
        false => charged_until,
    };
    let whole = processors.run_part(thread, (begin, known_until), clip);
    let rest = match charged_until > begin {
        true => processors.run_part(thread, (charged_until, known_until), clip),
        false => whole,
    };
    flow.time.kernel.add_part(&whole);
    flow.time.sums.kernel.add_part(&rest);
    flow.time.poll_preempted = preempted(&whole)
        .zip(flow.time.poll_preempted)
        .map(|(more, so_far)| so_far.saturating_add(more));
    span.run = Some(whole);
}

/// How long a run was kept from running, if the kernel reported all of it.
fn preempted(part: &RunPart) -> Option<u64> {
    (part.reported == part.running).then_some(part.preempted)
}

/// A flow, if it runs, goes on to run after this moment.
#[inline]
pub(super) fn runs_on(flow: &mut Flow<'_>, now: i64, processors: &Processors, clip: Clip) {
    let runs = flow.goroutine.state == GoroutineState::Running && !flow.goroutine.is_own_code();
    if processors.is_empty() || !runs || flow.time.is_cut {
        return;
    }
    let begin = flow.goroutine.since.max(flow.time.kernel_until);
    let part = processors.run_part(flow.goroutine.thread.0, (begin, now), clip);
    flow.time.sums.kernel.add_part(&part);
    flow.time.kernel_until = now;
}
