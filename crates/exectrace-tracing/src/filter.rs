//! Which spans and events are recorded, by target and level.

use std::fmt;
use std::str::FromStr;

use tracing_core::{Level, LevelFilter, Metadata};
use tracing_subscriber::filter::{ParseError, Targets};

/// Which spans and events are recorded, by target and level.
///
/// The default is `INFO` for all targets. At `DEBUG` and `TRACE` libraries emit much more: a single DNS query
/// emits fourteen events, nine tenths of the bytes of its trace. A filter can be made from a level, or
/// parsed from text with a level for each target:
///
/// ```
/// use exectrace_tracing::Filter;
/// use tracing_core::Level;
///
/// // The syntax is that of `tracing_subscriber::filter::Targets`.
/// let filter: Filter = "info,my_crate=trace,h2=off".parse()?;
/// assert!(filter.records("my_crate::server", Level::TRACE));
/// assert!(filter.records("hyper", Level::INFO));
/// assert!(!filter.records("hyper", Level::DEBUG));
/// assert!(!filter.records("h2", Level::ERROR));
///
/// // The same level for all targets. `Filter::everything()` is the same as `Level::TRACE.into()`.
/// let filter = Filter::from(Level::DEBUG);
/// assert!(filter.records("hyper", Level::DEBUG));
/// # Ok::<(), exectrace_tracing::ParseFilterError>(())
/// ```
///
/// If several directives match a target, the most specific one decides. A target that no directive matches
/// has the default level, and is not recorded if there is none. exectrace's own crates are never recorded.
#[derive(Clone, Debug)]
pub struct Filter {
    targets: Targets,
    max_level: LevelFilter,
}

impl Filter {
    /// Records all levels of all targets.
    #[must_use]
    pub fn everything() -> Self {
        LevelFilter::TRACE.into()
    }

    /// Sets the level for targets that begin with `target`.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>, level: impl Into<LevelFilter>) -> Self {
        self.set_target(target, level);
        self
    }

    /// Sets the default level, for targets that no directive matches.
    #[must_use]
    pub fn with_default(mut self, level: impl Into<LevelFilter>) -> Self {
        self.set_default(level);
        self
    }

    /// Sets the level for targets that begin with `target`, in place.
    pub fn set_target(&mut self, target: impl Into<String>, level: impl Into<LevelFilter>) {
        self.targets.extend([(target, level)]);
        self.max_level = max_level(&self.targets);
    }

    /// Sets the default level in place.
    pub fn set_default(&mut self, level: impl Into<LevelFilter>) {
        *self = Self::of_targets(std::mem::take(&mut self.targets).with_default(level));
    }

    /// Whether spans and events of this target and level are recorded while a recording runs.
    #[must_use]
    pub fn records(&self, target: &str, level: Level) -> bool {
        level <= self.max_level && !is_ours(target) && self.targets.would_enable(target, &level)
    }

    fn of_targets(targets: Targets) -> Self {
        let max_level = max_level(&targets);
        Self { targets, max_level }
    }

    pub(crate) fn records_metadata(&self, metadata: &Metadata<'_>) -> bool {
        self.records(metadata.target(), *metadata.level())
    }

    /// The most verbose level of any target.
    #[must_use]
    pub fn max_level(&self) -> LevelFilter {
        self.max_level
    }
}

/// Whether the target is one of the tracer's own crates.
fn is_ours(target: &str) -> bool {
    let Some(rest) = target.strip_prefix("exectrace") else {
        return false;
    };
    let crate_name = rest.split("::").next().unwrap_or_default();
    matches!(crate_name, "" | "_format" | "_recorder" | "_tracing")
}

fn max_level(targets: &Targets) -> LevelFilter {
    // `iter` does not yield the default level.
    let named = targets.iter().map(|(_, level)| level);
    named
        .chain(targets.default_level())
        .max()
        .unwrap_or(LevelFilter::OFF)
}

impl Default for Filter {
    /// `INFO` and above, of all targets.
    fn default() -> Self {
        Level::INFO.into()
    }
}

impl From<LevelFilter> for Filter {
    /// The same level for all targets.
    fn from(level: LevelFilter) -> Self {
        Self::of_targets(Targets::new().with_default(level))
    }
}

impl From<Level> for Filter {
    /// The same level for all targets.
    fn from(level: Level) -> Self {
        LevelFilter::from_level(level).into()
    }
}

impl FromStr for Filter {
    type Err = ParseFilterError;

    /// Parses directives `target=level`, `target` or `level`, separated by commas.
    fn from_str(text: &str) -> Result<Self, ParseFilterError> {
        let parsed = text.parse::<Targets>();
        parsed
            .map(Self::of_targets)
            .map_err(|cause| ParseFilterError {
                text: text.into(),
                cause,
            })
    }
}

/// The error of parsing a [`Filter`] from text that is not one.
#[derive(Debug, thiserror::Error)]
#[error("invalid filter {text:?}: {cause}")]
pub struct ParseFilterError {
    text: Box<str>,
    // Not the `source()`, as the message has it.
    cause: ParseError,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.targets.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_all_but_the_tracer_itself() {
        let filter = Filter::everything();
        for target in [
            "main",
            "exectraces",
            "exectrace_app::server",
            "my::exectrace",
        ] {
            assert!(filter.records(target, Level::TRACE), "{target}");
        }
        for target in ["exectrace", "exectrace::x", "exectrace_recorder::flush"] {
            assert!(!filter.records(target, Level::ERROR), "{target}");
        }
    }

    #[test]
    fn nothing_below_info_is_recorded_by_default() {
        let filter = Filter::default();
        assert!(filter.records("main", Level::INFO));
        assert!(!filter.records("main", Level::DEBUG));
        assert_eq!(filter.max_level(), LevelFilter::INFO);
    }

    #[test]
    fn the_most_verbose_level_follows_every_change() {
        let mut filter: Filter = "warn,a=debug".parse().unwrap();
        assert_eq!(filter.max_level(), LevelFilter::DEBUG);
        filter.set_target("a", Level::INFO);
        assert_eq!(filter.max_level(), LevelFilter::INFO);
        filter.set_default(LevelFilter::TRACE);
        assert_eq!(filter.max_level(), LevelFilter::TRACE);
        filter.set_default(LevelFilter::OFF);
        assert_eq!(filter.max_level(), LevelFilter::INFO);
        assert!(filter.records("a::b", Level::INFO));
        assert!(!filter.records("c", Level::ERROR));
        let text = filter.to_string();
        assert_eq!(text.parse::<Filter>().unwrap().to_string(), text);
    }

    #[test]
    fn the_error_of_an_invalid_filter_quotes_it_and_says_what_is_wrong() {
        let error = "info,a=loud".parse::<Filter>().unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with(r#"invalid filter "info,a=loud": "#),
            "{message}"
        );
        assert!(message.contains("level"), "{message}");
    }
}
