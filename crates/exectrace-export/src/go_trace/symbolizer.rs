//! Other names for places.

use exectrace_format::StackFrame;
use exectrace_replay::{Location, Names};

/// Names the places of a trace that is written again.
pub trait Symbolizer {
    /// What a frame is replaced by, the innermost first; `None` keeps it as it is. Asked once for each frame
    /// of each different stack.
    ///
    /// Readers know a place by its [`pc`](StackFrame::pc) alone, so each place needs one that no other has.
    fn symbolize(&mut self, frame: &Location, names: &Names) -> Option<Vec<StackFrame>>;
}

/// Keeps all frames as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepFrames;

impl Symbolizer for KeepFrames {
    fn symbolize(&mut self, _: &Location, _: &Names) -> Option<Vec<StackFrame>> {
        None
    }
}
