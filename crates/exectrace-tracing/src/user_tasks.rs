//! Which spans are user tasks.

use exectrace_recorder::TaskRule;
use tracing_core::Metadata;

/// Decides which spans become user tasks. All others are regions of the user task they belong to.
///
/// By default ([`roots`](Self::roots)) each span without a parent is a user task. Rules add spans and exclude
/// others; if several rules match a span, the last one decides. A boolean field `exectrace.task` of a span
/// overrides all rules: `info_span!("job", exectrace.task = true)`.
///
/// ```
/// use exectrace_tracing::{Builder, UserTaskFilter};
///
/// // Requests and nothing else, whether or not they have a parent.
/// let requests = UserTaskFilter::none().with_span("my_crate::server", "request");
/// let (subscriber, handle) = Builder::new().user_tasks(requests).subscriber();
/// # drop((subscriber, handle));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTaskFilter {
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

impl UserTaskFilter {
    /// Spans without a parent are user tasks, unless a rule says otherwise.
    #[must_use]
    pub fn roots() -> Self {
        Self::default()
    }

    /// No span is a user task, unless a rule says otherwise.
    #[must_use]
    pub fn none() -> Self {
        Self {
            otherwise: TaskRule::Never,
            rules: Vec::new(),
        }
    }

    /// Spans called `name`, of this target and of modules below it, are user tasks.
    #[must_use]
    pub fn with_span(self, target: impl Into<String>, name: impl Into<String>) -> Self {
        self.with_rule(target.into(), Some(name.into()), TaskRule::Always)
    }

    /// All spans of this target and of modules below it are user tasks.
    #[must_use]
    pub fn with_target(self, target: impl Into<String>) -> Self {
        self.with_rule(target.into(), None, TaskRule::Always)
    }

    /// Spans called `name`, of this target and of modules below it, are not user tasks.
    #[must_use]
    pub fn without_span(self, target: impl Into<String>, name: impl Into<String>) -> Self {
        self.with_rule(target.into(), Some(name.into()), TaskRule::Never)
    }

    /// Spans of this target and of modules below it are not user tasks.
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

    /// The rule for the spans of a call site.
    pub(crate) fn rule(&self, metadata: &Metadata<'_>) -> TaskRule {
        self.rule_of(metadata.target(), metadata.name())
    }

    fn rule_of(&self, target: &str, name: &str) -> TaskRule {
        let matching = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.matches(target, name));
        matching.map_or(self.otherwise, |rule| rule.rule)
    }
}

impl Rule {
    fn matches(&self, target: &str, name: &str) -> bool {
        let below = target.strip_prefix(&*self.target);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_decides() {
        let filter = UserTaskFilter::roots()
            .with_target("app")
            .without_span("app::db", "query")
            .with_span("app::db::slow", "query");
        assert_eq!(filter.rule_of("app", "any"), TaskRule::Always);
        assert_eq!(filter.rule_of("app::db", "query"), TaskRule::Never);
        assert_eq!(filter.rule_of("app::db", "connect"), TaskRule::Always);
        assert_eq!(filter.rule_of("app::db::slow", "query"), TaskRule::Always);
        assert_eq!(filter.rule_of("apple", "any"), TaskRule::Roots);
        assert_eq!(
            UserTaskFilter::none().rule_of("app", "any"),
            TaskRule::Never
        );
    }
}
