//! Cells for numbers that a trace may not have, and the reasons why.
//!
//! A number that was not seen is shown as `-`, and below all tables stands a line for each thing
//! that some `-` stands for.

use std::collections::BTreeSet;

use exectrace_analysis::Aspect;

use super::table::Cell;
use super::units;

/// What stands for a number that is not known.
const UNKNOWN: &str = "-";

/// What the tables of a page could not show.
#[derive(Debug, Default)]
pub(crate) struct Gaps(BTreeSet<Aspect>);

impl Gaps {
    /// Remembers that something is missing on the page.
    pub(crate) fn note(&mut self, aspect: Aspect) {
        self.0.insert(aspect);
    }

    /// What is missing.
    pub(crate) fn aspects(&self) -> impl Iterator<Item = Aspect> + '_ {
        self.0.iter().copied()
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

    fn text(&mut self, known: Option<String>, aspect: Aspect) -> String {
        known.unwrap_or_else(|| {
            self.note(aspect);
            UNKNOWN.to_owned()
        })
    }
}
