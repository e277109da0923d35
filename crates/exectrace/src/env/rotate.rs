//! How a recording is spread over files, as the environment says it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::FromEnvError;
use super::variables::{ROTATE, bytes, text, wrong};
use crate::Rotation;

const ACCEPTED: &str =
    "a size, an age, `keep=` and a size, and `zstd`, as in `100MB,10m,keep=1GB,zstd`";

/// What the variable says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rotate {
    file_bytes: Option<u64>,
    file_age: Option<Duration>,
    keep_bytes: Option<u64>,
    zstd_level: Option<i32>,
}

/// The level of compression if none is said: that of the program `zstd`.
const DEFAULT_LEVEL: i32 = 3;

impl Rotate {
    /// Reads the variable, if it is set.
    pub(super) fn read(value: Option<OsString>) -> Result<Option<Self>, FromEnvError> {
        let Some(value) = value else { return Ok(None) };
        let parsed = Self::parse(text(ROTATE, &value, ACCEPTED)?);
        let rotate = parsed.ok_or_else(|| wrong(ROTATE, &value, ACCEPTED))?;
        if rotate.zstd_level.is_some() && !cfg!(feature = "zstd") {
            let (variable, feature) = (ROTATE, "zstd");
            return Err(FromEnvError::NeedsFeature { variable, feature });
        }
        Ok(Some(rotate))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rotate = Self::default();
        for part in text.split(',').map(str::trim) {
            let is_first = match part.split_once('=') {
                Some(("keep", size)) => set(&mut rotate.keep_bytes, bytes(size)? as u64),
                Some(("zstd", level)) => {
                    let level = level
                        .parse()
                        .ok()
                        .filter(|level| (1..=22).contains(level))?;
                    set(&mut rotate.zstd_level, level)
                }
                Some(_) => return None,
                None if part == "zstd" => set(&mut rotate.zstd_level, DEFAULT_LEVEL),
                None => match (bytes(part), age(part)) {
                    (Some(size), _) => set(&mut rotate.file_bytes, size as u64),
                    (None, Some(age)) => set(&mut rotate.file_age, age),
                    (None, None) => return None,
                },
            };
            if !is_first {
                return None;
            }
        }
        Some(rotate)
    }

    /// The files of a recording to this path, whose extension is left out.
    pub(super) fn rotation(&self, path: &Path) -> Rotation {
        let mut rotation = Rotation::new(path.with_extension(""));
        if let Some(bytes) = self.file_bytes {
            rotation = rotation.max_file_bytes(bytes);
        }
        if let Some(age) = self.file_age {
            rotation = rotation.max_file_age(age);
        }
        if let Some(bytes) = self.keep_bytes {
            rotation = rotation.budget_bytes(bytes);
        }
        #[cfg(feature = "zstd")]
        if let Some(level) = self.zstd_level {
            rotation = rotation.zstd(level);
        }
        rotation
    }
}

/// Sets a part, and says whether it was not set before.
fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

/// A span of time of at least a second.
fn age(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_any_order_and_each_once() {
        let all = Rotate {
            file_bytes: Some(100_000_000),
            file_age: Some(Duration::from_secs(600)),
            keep_bytes: Some(1 << 30),
            zstd_level: Some(3),
        };
        assert_eq!(Rotate::parse("100MB,10m,keep=1GiB,zstd"), Some(all));
        let some = Rotate {
            file_age: Some(Duration::from_secs(3_600)),
            zstd_level: Some(9),
            ..Rotate::default()
        };
        assert_eq!(Rotate::parse("zstd=9, 1h"), Some(some));
        for wrong in [
            "",
            "10",
            "10MB,20MB",
            "0s",
            "keep",
            "keep=1h",
            "zstd=99",
            "10m,,1MB",
            "weekly",
        ] {
            // A number alone is one of bytes.
            assert_eq!(Rotate::parse(wrong).is_none(), wrong != "10", "{wrong}");
        }
    }
}
