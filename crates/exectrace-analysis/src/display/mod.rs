//! How results are shown to people: the same everywhere, so that a number on one page is found on another.

pub mod names;
pub mod units;
