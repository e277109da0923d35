//! Which spans are user tasks.

use exectrace_recorder::TaskRule;
use tracing_core::Metadata;

/// Which spans become user tasks; all others are regions of the user task they belong to.
///
/// The default, [`roots`](Self::roots), is that each span without a parent does. More can be named,
/// and some taken out; of several rules that fit a span the last one decides. A boolean field
/// `exectrace.task` of a span decides before all of them, and needs no setting:
/// `info_span!("job", exectrace.task = true)`.
///
/// ```
/// use exectrace_tracing::{Builder, TaskFilter};
///
/// // Only requests, wherever they are made; not, say, the root span of `main`.
/// let requests = TaskFilter::none().with_span("my_crate::server", "request");
/// let (subscriber, handle) = Builder::new().tasks(requests).subscriber();
/// # drop((subscriber, handle));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    otherwise: TaskRule,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    target: Box<str>,
    /// `None` for all names.
    name: Option<Box<str>>,
    rule: TaskRule,
}

impl TaskFilter {
    /// Spans without a parent are user tasks.
    #[must_use]
    pub fn roots() -> Self {
        Self::default()
    }

    /// No span is, but for those named.
    #[must_use]
    pub fn none() -> Self {
        Self {
            otherwise: TaskRule::Never,
            rules: Vec::new(),
        }
    }

    /// Spans called `name` of this target, and of modules below it, are user tasks.
    #[must_use]
    pub fn with_span(self, target: impl Into<String>, name: impl Into<String>) -> Self {
        self.with_rule(target.into(), Some(name.into()), TaskRule::Always)
    }

    /// All spans of this target, and of modules below it, are user tasks.
    #[must_use]
    pub fn with_target(self, target: impl Into<String>) -> Self {
        self.with_rule(target.into(), None, TaskRule::Always)
    }

    /// Spans called `name` of this target, and of modules below it, are never user tasks.
    #[must_use]
    pub fn without_span(self, target: impl Into<String>, name: impl Into<String>) -> Self {
        self.with_rule(target.into(), Some(name.into()), TaskRule::Never)
    }

    /// Spans of this target, and of modules below it, are never user tasks.
    #[must_use]
    pub fn without_target(self, target: impl Into<String>) -> Self {
        self.with_rule(target.into(), None, TaskRule::Never)
    }

    fn with_rule(mut self, target: String, name: Option<String>, rule: TaskRule) -> Self {
        self.rules.push(Rule {
            target: target.into(),
            name: name.map(Into::into),
            rule,
        });
        self
    }

    /// What holds for the spans of a call site.
    pub(crate) fn rule(&self, metadata: &Metadata<'_>) -> TaskRule {
        self.rule_of(metadata.target(), metadata.name())
    }

    fn rule_of(&self, target: &str, name: &str) -> TaskRule {
        let fitting = self.rules.iter().rev().find(|rule| rule.fits(target, name));
        fitting.map_or(self.otherwise, |rule| rule.rule)
    }
}

impl Rule {
    fn fits(&self, target: &str, name: &str) -> bool {
        let below = target.strip_prefix(&*self.target);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_fits_decides() {
        let filter = TaskFilter::roots()
            .with_target("app")
            .without_span("app::db", "query")
            .with_span("app::db::slow", "query");
        assert_eq!(filter.rule_of("app", "any"), TaskRule::Always);
        assert_eq!(filter.rule_of("app::db", "query"), TaskRule::Never);
        assert_eq!(filter.rule_of("app::db", "connect"), TaskRule::Always);
        assert_eq!(filter.rule_of("app::db::slow", "query"), TaskRule::Always);
        assert_eq!(filter.rule_of("apple", "any"), TaskRule::Roots);
        assert_eq!(TaskFilter::none().rule_of("app", "any"), TaskRule::Never);
    }
}
