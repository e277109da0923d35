//! Tables for people: columns as wide as what stands in them, within the width of the terminal.
//!
//! Where lines would not fit, columns that matter less are left out, and named below the table; only
//! then are texts narrowed. Numbers and bars never are.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{printable, style};

/// Spaces between two columns.
const GAP: usize = 2;
/// The least width to which a column of texts is narrowed.
const MIN_TEXT_WIDTH: usize = 12;
/// The width of a text for which other columns are left out. What is longer (a path, a function's whole
/// name) says most of what it says in so many columns.
const WANTED_TEXT_WIDTH: usize = 36;

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bar,
}

/// A column.
#[derive(Debug)]
struct Column {
    title: &'static str,
    kind: Kind,
    /// Columns of the highest are left out first where lines would not fit; 0 stays.
    minor: u8,
}

impl Column {
    /// The width that it gets, of what its widest cell needs, before others are left out for it.
    fn wanted(&self, width: usize) -> usize {
        match self.kind {
            Kind::Text => width.min(WANTED_TEXT_WIDTH.max(self.title.width())),
            Kind::Number | Kind::Bar => width,
        }
    }
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
    pub(crate) fn text(self, title: &'static str) -> Self {
        self.column(title, Kind::Text)
    }

    /// Adds a column of numbers; it is never narrowed.
    pub(crate) fn number(self, title: &'static str) -> Self {
        self.column(title, Kind::Number)
    }

    /// Adds a column of bars; it is never narrowed.
    pub(crate) fn bar(self, title: &'static str) -> Self {
        self.column(title, Kind::Bar)
    }

    fn column(mut self, title: &'static str, kind: Kind) -> Self {
        self.columns.push(Column {
            title,
            kind,
            minor: 0,
        });
        self
    }

    /// Has the column that was added last be left out where lines would not fit: columns of a higher
    /// level before those of a lower one, and the last of a level first.
    pub(crate) fn minor(mut self, level: u8) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.minor = level;
        }
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
        let needed = self.needed();
        let shown = self.shown(&needed, indent, width);
        let widths = self.narrowed(&needed, &shown, indent, width);
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::styled(column.title, style::ASIDE))
            .collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.print_row(row, &shown, &widths, indent, out)?;
        }
        self.print_left_out(&shown, indent, out)
    }

    /// Names the columns for which there is no room.
    fn print_left_out(
        &self,
        shown: &[usize],
        indent: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let left_out: Vec<_> = (0..self.columns.len())
            .filter(|index| !shown.contains(index))
            .map(|index| self.columns[index].title)
            .collect();
        if left_out.is_empty() {
            return Ok(());
        }
        let (aside, names) = (style::ASIDE, left_out.join(", "));
        writeln!(
            out,
            "{:indent$}{aside}in a wider window: {names}{aside:#}",
            ""
        )
    }

    fn print_row(
        &self,
        row: &[Cell],
        shown: &[usize],
        widths: &[usize],
        indent: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // Spaces before the next text: they are left out where none follows.
        let mut blank = indent;
        for (&index, &width) in shown.iter().zip(widths) {
            let Some(cell) = row.get(index) else { break };
            let shown = shorten(&cell.text, width);
            let padding = width.saturating_sub(shown.width());
            let (before, after) = match self.columns[index].kind {
                Kind::Text | Kind::Bar => (0, padding),
                Kind::Number => (padding, 0),
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

    /// What the widest cell of each column needs.
    fn needed(&self) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        let needed = columns.map(|(index, column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
            widest.max(column.title.width())
        });
        needed.collect()
    }

    /// The columns for which there is room.
    fn shown(&self, needed: &[usize], indent: usize, limit: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let Some(limit) = limit else { return shown };
        loop {
            let wanted = shown.iter().map(|&at| self.columns[at].wanted(needed[at]));
            let gaps = GAP * shown.len().saturating_sub(1) + indent;
            if wanted.sum::<usize>() + gaps <= limit {
                return shown;
            }
            // Of several, `max_by_key` takes the last.
            let minor = (0..shown.len()).max_by_key(|&place| self.minor_level(shown[place]));
            match minor {
                Some(place) if self.columns[shown[place]].minor > 0 => shown.remove(place),
                _ => return shown,
            };
        }
    }

    /// How little the column matters: least, if it may go and says nothing in any row.
    fn minor_level(&self, index: usize) -> u8 {
        let says_something = |cell: &Cell| !matches!(&*cell.text, "" | "-" | "0");
        let mut cells = self.rows.iter().filter_map(|row| row.get(index));
        match self.columns[index].minor {
            0 => 0,
            _ if !cells.any(says_something) => u8::MAX,
            level => level,
        }
    }

    /// The width of each shown column: what its widest cell needs, and less for texts if lines would
    /// become too long.
    fn narrowed(
        &self,
        needed: &[usize],
        shown: &[usize],
        indent: usize,
        limit: Option<usize>,
    ) -> Vec<usize> {
        let mut widths: Vec<usize> = shown.iter().map(|&index| needed[index]).collect();
        let Some(limit) = limit else { return widths };
        let texts: Vec<usize> = (0..shown.len())
            .filter(|&place| self.columns[shown[place]].kind == Kind::Text)
            .collect();
        let gaps = GAP * widths.len().saturating_sub(1) + indent;
        loop {
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
            // The widest text gives way, down to the width of the next.
            let widest = texts.iter().copied().max_by_key(|&place| widths[place]);
            match widest {
                Some(widest) if excess > 0 && widths[widest] > MIN_TEXT_WIDTH => {
                    let next = texts
                        .iter()
                        .map(|&other| widths[other])
                        .filter(|&other| other < widths[widest])
                        .max()
                        .unwrap_or(0);
                    let most = widths[widest] - next.max(MIN_TEXT_WIDTH).min(widths[widest] - 1);
                    widths[widest] -= excess.min(most);
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
    fn columns_that_matter_less_go_before_any_name_is_cut() {
        let mut table = Table::new()
            .text("name")
            .bar("share")
            .number("count")
            .number("p50")
            .minor(1)
            .number("p99")
            .minor(2);
        table.row([
            "handle_the_request".into(),
            "██████████".into(),
            "12".into(),
            "5.00ms".into(),
            "9.00ms".into(),
        ]);
        let lines = printed(&table, Some(50));
        assert!(
            lines.contains("handle_the_request  ██████████     12  5.00ms\n"),
            "{lines}"
        );
        assert!(lines.ends_with("  in a wider window: p99\n"), "{lines}");
        let lines = printed(&table, Some(40));
        assert!(
            lines.contains("handle_the_request  ██████████     12\n"),
            "{lines}"
        );
        let lines = printed(&table, Some(30));
        assert!(lines.contains("…"), "{lines}");
        assert!(lines.contains("  ██████████     12\n"), "{lines}");
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
