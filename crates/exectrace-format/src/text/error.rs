//! Why a text is not that of a trace.

use thiserror::Error;

/// A line of the text cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {cause}")]
#[non_exhaustive]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: TextCause,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextCause {
    /// The header names no known version.
    #[error("no such version: {0}")]
    Version(String),
    /// The line begins with an unknown word.
    #[error("no such entry: {0}")]
    Entry(String),
    /// The event has an unknown name.
    #[error("no such event: {0}")]
    Event(String),
    /// Something is missing.
    #[error("missing: {0}")]
    Missing(&'static str),
    /// There is more on the line than it can have.
    #[error("unexpected: {0}")]
    Unexpected(String),
    /// A number cannot be read.
    #[error("not a number: {0}")]
    Number(String),
    /// A text is not closed, or has an unknown escape.
    #[error("unfinished text")]
    Text,
    /// More than 100 000 repetitions.
    #[error("repeated too often: {0}")]
    Repeat(u64),
}
