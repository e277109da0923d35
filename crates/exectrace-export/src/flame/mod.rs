//! Profiles as flame graphs: `folded` as lines, `speedscope` as JSON.
//!
//! What a profile counts is the analyses' business: here it is written only.

mod folded;
mod speedscope;

use exectrace_analysis::ProfileSample;

pub use folded::folded;
pub use speedscope::speedscope;

/// What a sample without a stack is shown under.
const NO_STACK: &str = "(no stack)";

/// A frame of a flame graph. A label, such as the reason of a wait, has no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct FlameFrame<'a> {
    name: &'a str,
    file: &'a str,
    line: u64,
}

/// The frames of a sample, outermost first; one that says so where there is no stack.
fn frames(sample: &ProfileSample) -> Vec<FlameFrame<'_>> {
    if sample.stack.is_empty() {
        return vec![FlameFrame {
            name: NO_STACK,
            file: "",
            line: 0,
        }];
    }
    let places = sample.stack.iter().rev();
    let frames = places.map(|place| FlameFrame {
        name: &place.function,
        file: &place.file,
        line: place.line,
    });
    frames.collect()
}
