//! How answers look: tables and numbers for people, JSON for programs.

pub(crate) mod bar;
pub(crate) mod file;
pub(crate) mod gaps;
pub(crate) mod growth;
pub(crate) mod json;
pub(crate) mod sources;
pub(crate) mod style;
pub(crate) mod table;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, StdoutLock};

use anstream::AutoStream;
pub(crate) use exectrace_analysis::display::{names, units};
use terminal_size::{Width, terminal_size_of};

/// Where answers go: standard output, buffered, without colours where they are not wanted.
pub(crate) type Out = BufWriter<AutoStream<StdoutLock<'static>>>;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 64 * 1_024;

/// Standard output.
pub(crate) fn stdout() -> Out {
    let stream = AutoStream::auto(io::stdout().lock());
    BufWriter::with_capacity(BUFFER_BYTES, stream)
}

/// The columns that lines may have: what `COLUMNS` says, else those of the terminal. `None` where
/// no terminal shows the output, and lines may be as long as they are.
pub(crate) fn width() -> Option<usize> {
    let wanted = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .filter(|&columns| columns > 0);
    let stdout = io::stdout();
    wanted.or_else(|| {
        let (Width(columns), _) = stdout.is_terminal().then(|| terminal_size_of(&stdout))??;
        Some(usize::from(columns))
    })
}

/// A name of a trace, for text that is no cell of a table.
pub(crate) fn printable_name(text: &str) -> String {
    printable(&names::name(text)).into_owned()
}

/// A text of a trace as a terminal may be given it: control characters, which could do anything to
/// a terminal, are shown as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_harmful = |character: char| character.is_control() || is_invisible(character);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmful(character) {
            // Writing to a string does not fail.
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Characters that change the direction or order in which the rest of a line is shown.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_could_steer_a_terminal_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable("größe 中"), "größe 中");
    }
}
