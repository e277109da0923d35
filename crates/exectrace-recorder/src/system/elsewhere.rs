//! In place of the samples of the process, where the system is not Linux.

use exectrace_format::conventions::PROCESS;

/// Takes name and value of a counter.
pub(crate) type Report<'a> = &'a mut dyn FnMut(&str, i64);

#[derive(Debug)]
pub(crate) struct System;

impl System {
    pub(crate) fn new(_is_wanted: bool) -> Self {
        Self
    }

    pub(crate) fn about(&self) -> Vec<(&'static str, String)> {
        vec![(PROCESS, "no: recorded on Linux alone".to_owned())]
    }

    pub(crate) fn sample(&mut self, _now_ns: u64, _all: bool, _report: Report<'_>) {}
}
