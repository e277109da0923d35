//! Which spans and events are recorded: by target and level.

use std::fmt;
use std::str::FromStr;

use tracing_core::{Level, LevelFilter, Metadata};
use tracing_subscriber::filter::{ParseError, Targets};

/// Which spans and events are recorded, by target and level.
///
/// The default is `INFO` for all targets. Libraries are wordy below that: a query to a DNS server makes
/// fourteen events at `DEBUG` and `TRACE`, which are nine tenths of the trace's bytes. A level is a filter,
/// and so is a text with a level for each target:
///
/// ```
/// use exectrace_tracing::Filter;
/// use tracing_core::Level;
///
/// // The syntax of `tracing_subscriber::filter::Targets`.
/// let filter: Filter = "info,my_crate=trace,h2=off".parse()?;
/// assert!(filter.records("my_crate::server", Level::TRACE));
/// assert!(filter.records("hyper", Level::INFO));
/// assert!(!filter.records("hyper", Level::DEBUG));
/// assert!(!filter.records("h2", Level::ERROR));
///
/// // The same level for all; `Filter::everything()` is `Level::TRACE.into()`.
/// let filter = Filter::from(Level::DEBUG);
/// assert!(filter.records("hyper", Level::DEBUG));
/// # Ok::<(), tracing_subscriber::filter::ParseError>(())
/// ```
///
/// A target with no directive of its own, where no default level is set, is not recorded; the most
/// specific directive decides. exectrace's own crates are never recorded.
#[derive(Clone, Debug)]
pub struct Filter {
    targets: Targets,
    max_level: LevelFilter,
}

impl Filter {
    /// Records everything.
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

    /// Sets the level for targets that no directive names.
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

    /// Sets the level for targets that no directive names, in place.
    pub fn set_default(&mut self, level: impl Into<LevelFilter>) {
        *self = std::mem::take(&mut self.targets).with_default(level).into();
    }

    /// Whether spans and events of this target and level are recorded while a recording runs.
    #[must_use]
    pub fn records(&self, target: &str, level: Level) -> bool {
        level <= self.max_level && !is_ours(target) && self.targets.would_enable(target, &level)
    }

    pub(crate) fn records_metadata(&self, metadata: &Metadata<'_>) -> bool {
        self.records(metadata.target(), *metadata.level())
    }

    /// The most verbose level that some target has.
    #[must_use]
    pub fn max_level(&self) -> LevelFilter {
        self.max_level
    }
}

/// The tracer never records itself.
fn is_ours(target: &str) -> bool {
    let Some(rest) = target.strip_prefix("exectrace") else {
        return false;
    };
    let crate_name = rest.split("::").next().unwrap_or_default();
    matches!(crate_name, "" | "_format" | "_recorder" | "_tracing")
}

fn max_level(targets: &Targets) -> LevelFilter {
    // `iter` leaves the default out.
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

impl From<Targets> for Filter {
    fn from(targets: Targets) -> Self {
        let max_level = max_level(&targets);
        Self { targets, max_level }
    }
}

impl From<LevelFilter> for Filter {
    /// The same level for all targets.
    fn from(level: LevelFilter) -> Self {
        Targets::new().with_default(level).into()
    }
}

impl From<Level> for Filter {
    /// The same level for all targets.
    fn from(level: Level) -> Self {
        LevelFilter::from_level(level).into()
    }
}

impl FromStr for Filter {
    type Err = ParseError;

    /// Reads directives `target=level`, `target` or `level`, separated by commas.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse::<Targets>().map(Self::from)
    }
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
}
