//! The parameters of a request's query.

use std::borrow::Cow;
use std::time::Duration;

use super::answer::Refused;

/// The parameters that were given.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Reads a query, which may have these parameters, each at most once.
    pub(super) fn of(query: Option<&'a str>, names: &[&str]) -> Result<Self, Refused> {
        let given: Vec<_> = form_urlencoded::parse(query.unwrap_or("").as_bytes()).collect();
        for (place, (name, _)) in given.iter().enumerate() {
            if !names.contains(&&**name) {
                let known = match names {
                    [] => "this path takes none".to_owned(),
                    names => format!("this path takes: {}", names.join(", ")),
                };
                return Err(Refused::Bad(format!("unknown parameter {name:?}; {known}")));
            }
            if given[..place].iter().any(|(before, _)| before == name) {
                return Err(Refused::Bad(format!("the parameter {name} is given twice")));
            }
        }
        Ok(Self(given))
    }

    pub(super) fn get(&self, wanted: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(name, _)| name == wanted)?;
        Some(value)
    }

    /// The parameter `seconds`, which must be more than 0.
    pub(super) fn seconds(&self) -> Result<Option<Duration>, Refused> {
        let Some(text) = self.get("seconds") else {
            return Ok(None);
        };
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.map(Some).ok_or_else(|| {
            Refused::Bad(format!(
                "seconds={text:?} is no number of seconds above 0, such as 5 or 0.5"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(query: &str) -> Result<Option<Duration>, Refused> {
        Parameters::of(Some(query), &["seconds"])?.seconds()
    }

    #[test]
    fn seconds_are_any_number_above_0_and_all_else_is_refused() {
        assert_eq!(seconds(""), Ok(None));
        assert_eq!(seconds("seconds=5"), Ok(Some(Duration::from_secs(5))));
        assert_eq!(
            seconds("seconds=0.25"),
            Ok(Some(Duration::from_millis(250)))
        );
        assert_eq!(seconds("seconds=1e1"), Ok(Some(Duration::from_secs(10))));
        for wrong in [
            "seconds=",
            "seconds=0",
            "seconds=-1",
            "seconds=x",
            "seconds=NaN",
            "seconds=inf",
            "seconds=1e30",
            "seconds=5s",
            "second=5",
            "seconds=1&seconds=2",
        ] {
            assert!(matches!(seconds(wrong), Err(Refused::Bad(_))), "{wrong}");
        }
    }
}
