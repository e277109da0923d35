//! Tables for people: columns as wide as what stands in them, within the width of the terminal.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{printable, style};

/// Spaces between two columns.
const GAP: usize = 2;
/// The least width to which a column of texts is narrowed.
const MIN_TEXT_WIDTH: usize = 12;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A column.
#[derive(Debug)]
struct Column {
    title: &'static str,
    side: Side,
}

/// What stands in a column of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A text that stands out.
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: printable(&text.into()).into_owned(),
            style,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// Rows under titles.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without columns.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a column of texts; it is narrowed where lines would not fit.
    pub(crate) fn text(mut self, title: &'static str) -> Self {
        self.columns.push(Column {
            title,
            side: Side::Left,
        });
        self
    }

    /// Adds a column of numbers; it is never narrowed.
    pub(crate) fn number(mut self, title: &'static str) -> Self {
        self.columns.push(Column {
            title,
            side: Side::Right,
        });
        self
    }

    /// Adds a row; cells beyond the columns are not shown.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table, each line after `indent` spaces; nothing if it has no rows.
    pub(crate) fn print(
        &self,
        out: &mut impl Write,
        indent: usize,
        width: Option<usize>,
    ) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let widths = self.widths(indent, width);
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::styled(column.title, style::ASIDE))
            .collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.print_row(row, &widths, indent, out)?;
        }
        Ok(())
    }

    fn print_row(
        &self,
        row: &[Cell],
        widths: &[usize],
        indent: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // Spaces before the next text: they are left out where none follows.
        let mut blank = indent;
        for ((column, &width), cell) in self.columns.iter().zip(widths).zip(row) {
            let shown = shorten(&cell.text, width);
            let padding = width.saturating_sub(shown.width());
            let (before, after) = match column.side {
                Side::Left => (0, padding),
                Side::Right => (padding, 0),
            };
            blank += before;
            if !shown.is_empty() {
                let style = cell.style;
                write!(out, "{:blank$}{style}{shown}{style:#}", "")?;
                blank = 0;
            }
            blank += after + GAP;
        }
        writeln!(out)
    }

    /// The width of each column: what its widest cell needs, and less for texts if lines would
    /// become too long.
    fn widths(&self, indent: usize, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|index| {
                let cells = self.rows.iter().filter_map(|row| row.get(index));
                let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
                widest.max(self.columns[index].title.width())
            })
            .collect();
        let Some(limit) = limit else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1) + indent;
        loop {
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
            // The widest text gives way, down to the width of the next.
            let widest = (0..widths.len())
                .filter(|&index| self.columns[index].side == Side::Left)
                .max_by_key(|&index| widths[index]);
            match widest {
                Some(index) if excess > 0 && widths[index] > MIN_TEXT_WIDTH => {
                    let next = (0..widths.len())
                        .filter(|&other| other != index && self.columns[other].side == Side::Left)
                        .map(|other| widths[other])
                        .filter(|&other| other < widths[index])
                        .max()
                        .unwrap_or(0);
                    let most = widths[index] - next.max(MIN_TEXT_WIDTH).min(widths[index] - 1);
                    widths[index] -= excess.min(most);
                }
                _ => return widths,
            }
        }
    }
}

/// The text in at most `width` columns: what is left out, in the middle, is shown as `…`. Both ends
/// of a path or a function's name say much.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let mut shown = take_columns(text.chars(), kept - kept / 2).0;
    let (tail, _) = take_columns(text.chars().rev(), kept / 2);
    if width > 0 {
        shown.push('…');
    }
    shown.extend(tail.chars().rev());
    shown
}

/// The first characters that fit into `width` columns, and how many columns they take.
fn take_columns(characters: impl Iterator<Item = char>, width: usize) -> (String, usize) {
    let mut taken = String::new();
    let mut columns = 0;
    for character in characters {
        columns += character.width().unwrap_or(0);
        if columns > width {
            break;
        }
        taken.push(character);
    }
    (taken, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, width: Option<usize>) -> String {
        let mut out = Vec::new();
        table.print(&mut out, 2, width).unwrap();
        let plain = anstream::adapter::strip_bytes(&out).into_vec();
        String::from_utf8(plain).unwrap()
    }

    fn table() -> Table {
        let mut table = Table::new().text("name").number("count").text("place");
        table.row([
            "a::rather::long::name".into(),
            "7".into(),
            "src/main.rs:12".into(),
        ]);
        table.row(["中".into(), "1,234".into(), "x".into()]);
        table
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            printed(&table(), None),
            "  name                   count  place\n  \
               a::rather::long::name      7  src/main.rs:12\n  \
               中                     1,234  x\n"
        );
    }

    #[test]
    fn texts_give_way_to_the_width_and_numbers_do_not() {
        let lines = printed(&table(), Some(40));
        assert!(lines.lines().all(|line| line.width() <= 40), "{lines}");
        assert!(lines.contains("1,234"), "{lines}");
        assert!(
            lines.contains("src/main.rs:12"),
            "the shorter text is kept: {lines}"
        );
        let lines = printed(&table(), Some(1));
        assert!(lines.contains("1,234"), "{lines}");
    }

    #[test]
    fn a_shortened_text_keeps_both_ends() {
        assert_eq!(shorten("abcdefghij", 5), "ab…ij");
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abc", 1), "…");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(shorten("中中中", 4), "中…");
    }
}
