//! The names of rotated files, which say when each begins and who wrote it.
//!
//! `NAME-20261129T021500.123Z-4711-0001.trace`: the wall clock at its begin (UTC), the process, and the file's
//! number in its recording. Sorted as texts, files of one name are sorted by time.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// A file that is being written has this at the end of its name.
const UNFINISHED: &str = ".part";
const SUFFIX: &str = ".trace";
const PACKED_SUFFIX: &str = ".trace.zst";

/// What the name of a file says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileName {
    /// When the file begins, in milliseconds since 1970.
    pub(crate) begin_ms: u64,
    pub(crate) process: u32,
    pub(crate) number: u64,
    pub(crate) is_packed: bool,
}

impl FileName {
    /// Of a file that begins at this time since 1970.
    pub(crate) fn new(begin: Duration, process: u32, number: u64, is_packed: bool) -> Self {
        Self {
            begin_ms: u64::try_from(begin.as_millis()).unwrap_or(u64::MAX),
            process,
            number,
            is_packed,
        }
    }

    /// The name of the finished file, in a recording of this name.
    pub(crate) fn finished(&self, name: &OsStr) -> OsString {
        let suffix = if self.is_packed {
            PACKED_SUFFIX
        } else {
            SUFFIX
        };
        let (begin, process, number) = (utc(self.begin_ms), self.process, self.number);
        let mut finished = name.to_owned();
        finished.push(format!("-{begin}-{process}-{number:04}{suffix}"));
        finished
    }

    /// The name of the file while it is written.
    pub(crate) fn unfinished(&self, name: &OsStr) -> OsString {
        let mut unfinished = self.finished(name);
        unfinished.push(UNFINISHED);
        unfinished
    }

    /// Reads a name, and whether the file is finished. `None`: it is not of a recording of this name.
    pub(crate) fn parse(file: &OsStr, name: &OsStr) -> Option<(Self, bool)> {
        let rest = file
            .as_encoded_bytes()
            .strip_prefix(name.as_encoded_bytes())?;
        let rest = std::str::from_utf8(rest).ok()?.strip_prefix('-')?;
        let (rest, is_finished) = match rest.strip_suffix(UNFINISHED) {
            Some(rest) => (rest, false),
            None => (rest, true),
        };
        let (rest, is_packed) = match rest.strip_suffix(PACKED_SUFFIX) {
            Some(rest) => (rest, true),
            None => (rest.strip_suffix(SUFFIX)?, false),
        };
        let (begin, rest) = rest.split_once('-')?;
        let (process, number) = rest.split_once('-')?;
        let parsed = Self {
            begin_ms: parse_utc(begin)?,
            process: process.parse().ok()?,
            number: number.parse().ok()?,
            is_packed,
        };
        // Only what this module would write: `+1` is a number as well.
        let written = match is_finished {
            true => parsed.finished(name),
            false => parsed.unfinished(name),
        };
        (written == file).then_some((parsed, is_finished))
    }
}

/// So many milliseconds after 1970 began, in universal time, as a part of a file's name: `20261129T021500.123Z`.
pub fn utc(ms: u64) -> String {
    let (year, month, day) = date(ms / 86_400_000);
    let of_day = ms % 86_400_000;
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, ms) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ms:03}Z")
}

fn parse_utc(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    let ms = number(16..19)?;
    let days = days(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000 + ms)
}

/// Year, month and day of so many days after 1970 began, in the calendar that leaves out a leap day in three of
/// four centuries ("chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant).
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day last. Year 0 of these began 719,468 days before 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months have 153 days, from March on.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year_of_era + later, month, day)
}

/// The inverse of [`date`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year.checked_sub(1)?, month + 9),
    };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_a_file_begins_and_who_wrote_it() {
        // `date -u -d 2026-11-29T02:15:00 +%s`
        let begin = Duration::from_millis(1_795_918_500_123);
        let name = FileName::new(begin, 4_711, 1, false);
        let finished = name.finished(OsStr::new("my-service"));
        assert_eq!(finished, "my-service-20261129T021500.123Z-4711-0001.trace");
        let packed = FileName {
            is_packed: true,
            ..name
        };
        assert_eq!(
            packed.unfinished(OsStr::new("x")),
            "x-20261129T021500.123Z-4711-0001.trace.zst.part"
        );
    }

    #[test]
    fn names_are_read_back_for_all_days_of_two_eras_and_sort_by_time() {
        let service = OsStr::new("s");
        let mut last = OsString::new();
        // Four centuries and more, in steps that meet all times of day.
        for begin_ms in (0..14_000_000_000_000_u64).step_by(86_399_993) {
            let name = FileName {
                begin_ms,
                process: 1,
                number: 20_000,
                is_packed: begin_ms % 2 == 0,
            };
            let (finished, unfinished) = (name.finished(service), name.unfinished(service));
            assert_eq!(
                FileName::parse(&finished, service),
                Some((name.clone(), true))
            );
            assert_eq!(FileName::parse(&unfinished, service), Some((name, false)));
            assert!(last < finished);
            last = finished;
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_818, (2026, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn other_files_are_not_taken_for_rotated_ones() {
        let service = OsStr::new("s");
        for other in [
            "s.trace",
            "s-20261129T021500.123Z-1-0001.trace.gz",
            "s-20261129T021500.123Z-1-0001",
            "s-20261129T021500.123Z-1-1.trace",
            "s-20261129T021500.123Z-+1-0001.trace",
            "s-20261329T021500.123Z-1-0001.trace",
            "s-20260230T021500.123Z-1-0001.trace",
            "s-20261129 021500.123Z-1-0001.trace",
            "ss-20261129T021500.123Z-1-0001.trace",
            "s-a-20261129T021500.123Z-1-0001.trace",
            "s-20261129T021500.123Z-1-0001.trace.part.part",
        ] {
            assert_eq!(FileName::parse(OsStr::new(other), service), None, "{other}");
        }
    }
}
