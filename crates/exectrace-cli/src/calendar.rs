//! Dates, for the one line that says when a trace was begun.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// An instant in universal time, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    unix_seconds: i64,
}

impl Date {
    /// The instant so many nanoseconds after the beginning of 1970.
    pub(crate) fn of_unix_ns(ns: i64) -> Self {
        Self {
            unix_seconds: ns.div_euclid(1_000_000_000),
        }
    }

    /// This instant.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        Self {
            unix_seconds: i64::try_from(seconds).unwrap_or(0),
        }
    }

    /// As a part of a file name, which sorts: `20261129T021500Z`.
    pub(crate) fn for_names(self) -> String {
        let (year, month, day) = self.civil();
        let second = self.unix_seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    /// Year, month and day.
    ///
    /// By H. Hinnant's `civil_from_days` (howardhinnant.github.io/date_algorithms.html): years
    /// begin in March, so that the day of a leap year is its last, and eras have 400 years.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.unix_seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, month, day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let second = self.unix_seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn instants_are_told_as_dates() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_827_696, "2000-02-29 12:34:56 UTC"),
            (1_700_000_000, "2023-11-14 22:13:20 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(Date::of_unix_ns(seconds * 1_000_000_000).to_string(), date);
        }
    }
}
