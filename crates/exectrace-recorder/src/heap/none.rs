//! What stands for the heap in a build without the feature `alloc`: nothing is counted.

use crate::clock::Conversion;
use crate::heap_sums::HeapSum;
use crate::model::Model;

pub(crate) fn is_in_use() -> bool {
    false
}

pub(crate) fn about() -> String {
    String::new()
}

pub(crate) fn standing_bytes() -> u64 {
    0
}

pub(crate) fn settle() {}

pub(crate) fn take_elsewhere() -> HeapSum {
    HeapSum::default()
}

pub(crate) fn configure(_interval_bytes: u64) {}

pub(crate) fn about_samples() -> String {
    String::new()
}

/// What the flush thread does with samples, of which there are none.
#[derive(Debug, Default)]
pub(crate) struct Following(());

impl Following {
    pub(crate) fn prepare(&mut self) {}

    pub(crate) fn look(&mut self) {}

    pub(crate) fn apply(&mut self, _watermark: u64, _conversion: &Conversion, _model: &mut Model) {}

    pub(crate) fn report(&mut self, _model: &mut Model) {}
}
