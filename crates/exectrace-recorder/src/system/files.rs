//! Small files of the system, and numbers in them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Longer texts are cut: no file that is read here is longer where it is well.
const MAX_BYTES: usize = 4_096;
/// Of files with a row for each mount or controller.
const MAX_ROWS_BYTES: u64 = 1 << 20;

/// Calls `f` with what a file holds. Bytes that are no text are left out.
pub(super) fn with_text<R>(path: &Path, f: impl FnOnce(&str) -> R) -> io::Result<R> {
    let mut bytes = [0; MAX_BYTES];
    let length = File::open(path)?.read(&mut bytes)?;
    let bytes = bytes.get(..length).unwrap_or_default();
    Ok(f(&String::from_utf8_lossy(bytes)))
}

/// All of a file with a row for each of something.
pub(super) fn rows(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_ROWS_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The number in a file that holds one; `None` if there is none, as in `max`.
pub(super) fn number(path: &Path) -> Option<u64> {
    with_text(path, |text| text.trim().parse().ok()).ok()?
}

/// The number behind a word, in a text of rows of a word and a number.
pub(super) fn number_of(text: &str, word: &str) -> Option<u64> {
    let mut rows = text.lines().map(str::split_ascii_whitespace);
    rows.find_map(|mut row| (row.next() == Some(word)).then(|| row.next()?.parse().ok()))?
}
