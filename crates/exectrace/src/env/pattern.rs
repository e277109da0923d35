//! Paths in which `%p`, `%n` and `%t` stand for the process, the program and the time.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the placeholders stand for.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) process: u32,
    pub(super) program: &'a str,
    pub(super) time: SystemTime,
}

/// The path of a pattern; `None` if there is a `%` in it that is not followed by one of `p`, `n`, `t` and `%`, or
/// text that is not Unicode beside a `%`.
pub(super) fn path_of(pattern: &OsStr, named: &Named<'_>) -> Option<PathBuf> {
    if !pattern.as_encoded_bytes().contains(&b'%') {
        return Some(pattern.into());
    }
    let pattern = pattern.to_str()?;
    let mut path = String::with_capacity(pattern.len() + 32);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            path.push(character);
            continue;
        }
        match characters.next()? {
            'p' => path.push_str(&named.process.to_string()),
            'n' => path.push_str(named.program),
            't' => path.push_str(&time_of(named.time)),
            '%' => path.push('%'),
            _ => return None,
        }
    }
    Some(path.into())
}

/// The name of the program, as a part of a file name.
pub(crate) fn program() -> String {
    let path = std::env::current_exe().ok();
    let first = || std::env::args_os().next().map(PathBuf::from);
    let path = path.or_else(first).unwrap_or_default();
    let name = path.file_stem().unwrap_or(OsStr::new("program"));
    name.to_string_lossy().replace(['/', '\\'], "_")
}

/// A time as `20261129T021500.123Z`, which sorts.
fn time_of(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let millis = since.subsec_millis();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millis:03}Z")
}

/// The date so many days after 1970-01-01: year, month, day.
///
/// Counted in years that begin in March, so that the leap day is the last (as "chrono-Compatible Low-Level Date
/// Algorithms" by Howard Hinnant does it).
fn date_of(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(pattern: &str) -> Option<String> {
        let named = Named {
            process: 17,
            program: "server",
            time: UNIX_EPOCH + Duration::from_millis(1_795_918_500_123),
        };
        let path = path_of(OsStr::new(pattern), &named)?;
        Some(path.to_string_lossy().into_owned())
    }

    #[test]
    fn placeholders_stand_for_process_program_time_and_the_sign_itself() {
        assert_eq!(
            expanded("a/%n-%p-%t.out").as_deref(),
            Some("a/server-17-20261129T021500.123Z.out")
        );
        assert_eq!(expanded("100%%.out").as_deref(), Some("100%.out"));
        assert_eq!(expanded("trace.out").as_deref(), Some("trace.out"));
        assert_eq!(expanded("%x"), None);
        assert_eq!(expanded("trace%"), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_of(0), (1970, 1, 1));
        assert_eq!(date_of(11_016), (2000, 2, 29));
        assert_eq!(date_of(11_017), (2000, 3, 1));
        assert_eq!(date_of(20_818), (2026, 12, 31));
        assert_eq!(date_of(47_540), (2100, 2, 28));
        assert_eq!(date_of(47_541), (2100, 3, 1));
    }
}
