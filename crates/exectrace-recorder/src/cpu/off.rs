//! Stands for the module where there are no CPU samples: without the feature `cpu`, and elsewhere than on
//! Linux on x86-64 and AArch64.

#[path = "pending.rs"]
mod pending;

use crate::model::Model;
use crate::settings::CpuSettings;
use crate::thread_reader::ThreadReader;

pub(crate) use pending::{PendingSamples, Sample, WalkEnd};

/// What a thread has for its samples: nothing.
#[derive(Debug, Default)]
pub(crate) struct SampledThread;

impl SampledThread {
    #[inline(always)]
    pub(crate) fn enter(&self, _thread: u64) {}

    #[inline(always)]
    pub(crate) fn give_back(&self) {}
}

#[inline(always)]
pub(crate) fn configure(_: CpuSettings) {}

#[inline(always)]
pub(crate) fn learn_stack() {}

#[inline(always)]
pub(crate) fn leave() {}

#[cfg(unix)]
pub(crate) fn forget() {}

/// What the flush thread does with samples: nothing.
#[derive(Debug, Default)]
pub(crate) struct Sampling {
    pending: PendingSamples,
}

impl Sampling {
    pub(crate) fn about(&self) -> Option<(&'static str, String)> {
        None
    }

    pub(crate) fn refused(&self) -> Option<String> {
        None
    }

    pub(crate) fn prepare(&mut self, _: &[ThreadReader]) {}

    pub(crate) fn start(&mut self, _: &[ThreadReader]) {}

    pub(crate) fn stop(&self, _: &[ThreadReader]) {}

    pub(crate) fn thread_added(&self, _: &ThreadReader) {}

    pub(crate) fn look(&mut self, _: &[ThreadReader], _: &mut Model) {}

    pub(crate) fn report(&mut self, _: &mut Model) {}

    pub(crate) fn lost(&self) -> u64 {
        0
    }

    pub(crate) fn pending(&mut self) -> &mut PendingSamples {
        &mut self.pending
    }

    pub(crate) fn thread_gone(&mut self, _: &ThreadReader) {}
}
