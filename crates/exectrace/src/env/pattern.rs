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

/// A time in universal time, as `20261129T021500.123Z`, which sorts.
fn time_of(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    exectrace_recorder::utc(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
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
}
