//! Cells for numbers that a trace may not have, and the reasons why.
//!
//! A number that was not seen is shown as `-`, and below all tables stands a line for each thing
//! that some `-` stands for.

use std::collections::BTreeSet;

use exectrace_analysis::{Aspect, KernelWait, Sight};

use super::table::Cell;
use super::units;

/// What stands for a number that is not known.
const UNKNOWN: &str = "-";

/// What an explanation below the tables begins with.
pub(crate) fn sign(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Switches => "kernel",
        _ => UNKNOWN,
    }
}

/// What the tables of a page could not show.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    missing: BTreeSet<Aspect>,
    /// What threads waited for the kernel is known, or it is known why it is not.
    has_kernel: bool,
}

impl Gaps {
    /// Sees what the trace can show.
    pub(crate) fn look(&mut self, sight: &Sight) {
        self.has_kernel = sight.has_kernel_waits();
    }

    /// Whether there is a column for what threads waited for the kernel: not in traces of Go.
    pub(crate) fn has_kernel(&self) -> bool {
        self.has_kernel
    }

    /// Remembers that something is missing on the page.
    pub(crate) fn note(&mut self, aspect: Aspect) {
        self.missing.insert(aspect);
    }

    /// What is missing.
    pub(crate) fn aspects(&self) -> impl Iterator<Item = Aspect> + '_ {
        self.missing.iter().copied()
    }

    /// A duration, where it is known.
    pub(crate) fn duration(&mut self, ns: Option<u64>, aspect: Aspect) -> Cell {
        self.text(ns.map(units::duration), aspect).into()
    }

    /// A share of a whole, where it is known.
    pub(crate) fn share(&mut self, part: Option<u64>, whole: u64, aspect: Aspect) -> Cell {
        self.text(part.map(|part| units::percent(part, whole)), aspect)
            .into()
    }

    /// How long tasks that ran waited for the kernel: a number, or between which it lies.
    pub(crate) fn kernel(&mut self, wait: Option<KernelWait>) -> Cell {
        let text = wait.map(|wait| self.bounds(wait, units::duration));
        if text.is_none() {
            self.note(Aspect::Switches);
        }
        self.text(text, Aspect::Processors).into()
    }

    /// As [`kernel`](Self::kernel), as a share of a whole.
    pub(crate) fn kernel_share(&mut self, wait: Option<KernelWait>, whole: u64) -> Cell {
        let text = wait.map(|wait| self.bounds(wait, |ns| units::percent(ns, whole)));
        if text.is_none() {
            self.note(Aspect::Switches);
        }
        self.text(text, Aspect::Processors).into()
    }

    /// The bounds of a wait, or the wait itself if they are one.
    pub(crate) fn bounds(&mut self, wait: KernelWait, shown: impl Fn(u64) -> String) -> String {
        if wait.at_least_ns != wait.at_most_ns {
            self.note(Aspect::Switches);
        }
        units::bounds(wait.at_least_ns, wait.at_most_ns, shown)
    }

    fn text(&mut self, known: Option<String>, aspect: Aspect) -> String {
        known.unwrap_or_else(|| {
            self.note(aspect);
            UNKNOWN.to_owned()
        })
    }
}
