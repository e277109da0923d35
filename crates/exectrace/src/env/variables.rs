//! The variables, read and checked before anything is done.

use std::ffi::{OsStr, OsString};

use super::FromEnvError;
use super::filter::Filter;
use super::rotate::Rotate;
use crate::{Settings, SettingsError};

pub(super) const PATH: &str = "EXECTRACE";
const FILTER: &str = "EXECTRACE_FILTER";
pub(super) const SUBSCRIBER: &str = "EXECTRACE_SUBSCRIBER";
const MEMORY: &str = "EXECTRACE_MEMORY";
const CPU: &str = "EXECTRACE_CPU";
pub(super) const ROTATE: &str = "EXECTRACE_ROTATE";
pub(super) const HTTP: &str = "EXECTRACE_HTTP";
const FLIGHT: &str = "EXECTRACE_FLIGHT";
#[cfg(feature = "macros")]
const TEST: &str = "EXECTRACE_TEST";
#[cfg(feature = "macros")]
const KEEP: &str = "EXECTRACE_KEEP";

/// What the environment asks for.
pub(crate) struct Variables {
    /// Where to record, as a pattern.
    pub(crate) path: Option<OsString>,
    filter: Option<Filter>,
    /// Whether to install a subscriber, if that is said.
    pub(crate) install: Option<bool>,
    memory_bytes: Option<usize>,
    cpu_samples_hz: Option<u32>,
    /// How the recording is spread over files, if it is.
    pub(super) rotate: Option<Rotate>,
    /// Where to serve traces.
    pub(super) http: Option<String>,
}

impl Variables {
    /// Reads them.
    ///
    /// # Errors
    /// The first that is wrong.
    pub(crate) fn read() -> Result<Self, FromEnvError> {
        Self::of(std::env::var_os)
    }

    /// Reads them from elsewhere than the environment.
    pub(super) fn of(get: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, FromEnvError> {
        let get = |name| get(name).filter(|value| !value.is_empty());
        if get(FLIGHT).is_some() {
            let what = "a flight recorder";
            return Err(FromEnvError::NotYet {
                variable: FLIGHT,
                what,
            });
        }
        let filter = match get(FILTER) {
            Some(value) => Some(Filter::parse(
                FILTER,
                text(FILTER, &value, "Unicode text")?,
            )?),
            None => None,
        };
        Ok(Self {
            path: get(PATH),
            filter,
            install: parsed(SUBSCRIBER, get(SUBSCRIBER), "`install` or `none`", install)?,
            memory_bytes: parsed(
                MEMORY,
                get(MEMORY),
                "bytes up to 64 GiB, as in `16MiB`, `64MB` or `1048576`",
                memory,
            )?,
            cpu_samples_hz: cpu_samples_hz(get(CPU))?,
            rotate: Rotate::read(get(ROTATE))?,
            http: parsed(HTTP, get(HTTP), ADDRESS, address)?,
        })
    }

    /// Whether there is anything to do before a recording starts.
    pub(super) fn has_settings(&self) -> bool {
        self.memory_bytes.is_some() || self.cpu_samples_hz.is_some()
    }

    /// Applies the settings that are set, and leaves the others as the program has set them.
    pub(super) fn apply_settings(&self) -> Result<(), SettingsError> {
        if !self.has_settings() {
            return Ok(());
        }
        let mut settings = Settings::in_force();
        if let Some(bytes) = self.memory_bytes {
            settings = settings.memory_bytes(bytes);
        }
        #[cfg(feature = "cpu")]
        if let Some(hz) = self.cpu_samples_hz {
            settings = settings.cpu_samples_hz(hz);
        }
        settings.apply()
    }

    /// Has all Layers and Subscribers use the filter, if one is set.
    pub(super) fn apply_filter(&mut self) {
        if let Some(filter) = self.filter.take() {
            filter.apply();
        }
    }
}

/// Whether tests are to be traced, and whether their traces are kept.
#[cfg(feature = "macros")]
pub(crate) fn of_tests() -> Result<(bool, bool), FromEnvError> {
    let get = |name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        parsed(name, value, "`1` or `0`", switch)
    };
    Ok((get(TEST)?.unwrap_or(false), get(KEEP)?.unwrap_or(false)))
}

fn parsed<T>(
    variable: &'static str,
    value: Option<OsString>,
    accepted: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, FromEnvError> {
    let Some(value) = value else { return Ok(None) };
    let parsed = parse(text(variable, &value, accepted)?);
    parsed
        .map(Some)
        .ok_or_else(|| wrong(variable, &value, accepted))
}

pub(super) fn text<'a>(
    variable: &'static str,
    value: &'a OsStr,
    accepted: &'static str,
) -> Result<&'a str, FromEnvError> {
    value
        .to_str()
        .ok_or_else(|| wrong(variable, value, accepted))
}

/// The error of a value that is not accepted.
pub(super) fn wrong(variable: &'static str, value: &OsStr, accepted: &'static str) -> FromEnvError {
    FromEnvError::Value {
        variable,
        value: value.to_string_lossy().into_owned(),
        accepted,
        cause: None,
    }
}

const ADDRESS: &str = "an address and a port, as in `127.0.0.1:6060` or `localhost:6060`";

/// An address with a port; whether it exists, the system says.
fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| text.to_owned())
}

fn install(text: &str) -> Option<bool> {
    match text {
        "install" => Some(true),
        "none" => Some(false),
        _ => None,
    }
}

#[cfg(feature = "macros")]
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(feature = "cpu")]
fn cpu_samples_hz(value: Option<OsString>) -> Result<Option<u32>, FromEnvError> {
    let number = |text: &str| text.parse().ok().filter(|hz| *hz <= 1_000);
    parsed(
        CPU,
        value,
        "a number of samples a second from 0 to 1000",
        number,
    )
}

#[cfg(not(feature = "cpu"))]
fn cpu_samples_hz(value: Option<OsString>) -> Result<Option<u32>, FromEnvError> {
    match value {
        // What is not there cannot be more of nothing.
        None => Ok(None),
        Some(value) if value == "0" => Ok(None),
        Some(_) => Err(FromEnvError::NeedsFeature {
            variable: CPU,
            feature: "cpu",
        }),
    }
}

/// The memory for records. What is more than the recorder would take is a mistake, and not to be cut down in silence.
fn memory(text: &str) -> Option<usize> {
    const MAX_BYTES: u64 = 64 << 30;
    bytes(text).filter(|bytes| *bytes as u64 <= MAX_BYTES)
}

/// A number of bytes, with a unit or without.
pub(super) fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let factor: usize = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Variables, FromEnvError> {
        Variables::of(|name| {
            let value = set.iter().find(|(set, _)| *set == name)?.1;
            Some(value.into())
        })
    }

    fn error(name: &str, value: &str) -> String {
        match read(&[(name, value)]) {
            Ok(_) => panic!("{name}={value} is taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        let message = error("EXECTRACE_MEMORY", "lots");
        assert_eq!(
            message,
            "EXECTRACE_MEMORY=\"lots\" is not understood; \
             EXECTRACE_MEMORY accepts bytes up to 64 GiB, as in `16MiB`, `64MB` or `1048576`"
        );
        assert!(error("EXECTRACE_MEMORY", "65GiB").contains("up to 64 GiB"));
        assert!(error("EXECTRACE_SUBSCRIBER", "yes").contains("`install` or `none`"));
        assert!(error("EXECTRACE_HTTP", "6060").contains("`127.0.0.1:6060`"));
        assert!(error("EXECTRACE_FLIGHT", "10s").contains("does not have yet"));
        #[cfg(feature = "tracing")]
        {
            let message = error("EXECTRACE_FILTER", "info,a=loud");
            assert!(
                message.contains("`info,my_crate=trace,h2=off`"),
                "{message}"
            );
            assert!(message.contains("invalid filter"), "{message}");
        }
        #[cfg(not(feature = "cpu"))]
        assert!(error("EXECTRACE_CPU", "99").contains("needs the feature `cpu`"));
    }

    #[test]
    fn an_empty_value_counts_as_none() {
        let variables = read(&[("EXECTRACE", ""), ("EXECTRACE_FLIGHT", "")]);
        assert!(variables.is_ok_and(|variables| variables.path.is_none()));
    }

    #[test]
    fn bytes_have_units_of_a_thousand_and_of_1024() {
        assert_eq!(bytes("1048576"), Some(1 << 20));
        assert_eq!(bytes("16MiB"), Some(16 << 20));
        assert_eq!(bytes("64 MB"), Some(64_000_000));
        for wrong in [
            "",
            "MB",
            "1.5MB",
            "16 parsecs",
            "-1",
            "99999999999999999999",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
