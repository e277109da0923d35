//! In place of the kernel's reports, where the system is not Linux.

use exectrace_format::ThreadId;
use exectrace_format::conventions::KERNEL_SWITCHES;

use crate::model::Model;
use crate::thread_reader::ThreadReader;

#[derive(Debug)]
pub(crate) struct Switches;

impl Switches {
    pub(crate) fn new(_is_wanted: bool, _own: ThreadId) -> Self {
        Self
    }

    pub(crate) fn about(&self) -> (&'static str, String) {
        (KERNEL_SWITCHES, "no: recorded on Linux alone".to_owned())
    }

    pub(crate) fn refused(&self) -> Option<String> {
        None
    }

    pub(crate) fn drain(&mut self, _readers: &[ThreadReader], _model: &mut Model) {}

    pub(crate) fn forget(&mut self, _thread: ThreadId, _model: Option<&mut Model>) {}
}
