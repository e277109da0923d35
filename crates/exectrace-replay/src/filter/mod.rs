//! The filter language: which async tasks, and which spans of their time, count.
//!
//! | term | lets through |
//! |---|---|
//! | `group:"name"`, `group~"part"` | async tasks of this name, or with this part in their name |
//! | `label:"name"`, `label~"part"` | async tasks with this label |
//! | `task:42` | one async task |
//! | `state:waiting` | time in this state: `running`, `runnable`, `waiting`, `syscall` |
//! | `reason:network`, `reason~chan` | time in a state that began for this reason |
//! | `dur>5ms`, `dur<1s` | time in one state that is longer or shorter than this (`ns`, `us`, `ms`, `s`) |
//! | `dur>=5ms`, `dur<=1s` | the same, or just as long |
//! | `worker:3`, `thread:17` | time in a state that began there |
//!
//! Terms are joined by `and` (which may be left out), `or`, `not` and parentheses; `not` binds
//! strongest, `or` weakest. A text needs quotation marks where it holds anything but letters,
//! digits and `_ . : / * -`.
//!
//! Where a whole task is in question (how many there are, how old they are), terms about time in a state do
//! not exclude it. Times by name of the task are those of the spans of time that are let through.

mod event_filter;
mod parse;

use std::str::FromStr;

use crate::names::{Names, Text};
use crate::state::{Goroutine, GoroutineState, StateSpan};

pub use event_filter::EventFilter;

pub use parse::FilterError;

/// Lets some async tasks and spans of their time through. The default lets all through.
///
/// ```
/// use exectrace_replay::Filter;
///
/// let filter: Filter = r#"group~"conn" and (state:waiting dur>5ms or not task:42)"#.parse()?;
/// assert_ne!(filter, Filter::default());
///
/// let error = "group~conn dur>5".parse::<Filter>().unwrap_err();
/// assert_eq!(error.column, 16);
/// assert_eq!(error.to_string(), "column 16: expected a length of time such as 5ms, found 5");
/// # Ok::<(), exectrace_replay::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// If it is given, only async tasks of this name.
    pub group: Option<String>,
    /// If it is given, only what this expression lets through.
    pub expression: Option<Expression>,
}

/// An expression of the filter language.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Term(Term),
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Group(Pattern),
    Label(Pattern),
    Reason(Pattern),
    Task(u64),
    Worker(u64),
    Thread(u64),
    State(GoroutineState),
    LongerThan(u64),
    AtLeast(u64),
    ShorterThan(u64),
    AtMost(u64),
}

#[derive(Clone, Debug, PartialEq)]
enum Pattern {
    Is(String),
    Contains(String),
}

impl FromStr for Expression {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(Self)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// An empty text lets all through.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let is_empty = text.trim().is_empty();
        Ok(Self {
            group: None,
            expression: if is_empty { None } else { Some(text.parse()?) },
        })
    }
}

impl Pattern {
    fn matches(&self, names: &Names, text: Text) -> bool {
        let text = names.get(text);
        match self {
            Self::Is(whole) => text == whole,
            Self::Contains(part) => text.contains(part.as_str()),
        }
    }
}

impl Node {
    /// Whether any term is about time in a state.
    fn is_about_spans(&self) -> bool {
        match self {
            Self::Not(node) => node.is_about_spans(),
            Self::And(a, b) | Self::Or(a, b) => a.is_about_spans() || b.is_about_spans(),
            Self::Term(Term::Group(_) | Term::Label(_) | Term::Task(_)) => false,
            Self::Term(_) => true,
        }
    }

    /// `None` where it takes a span of time to decide, and there is none.
    fn holds(
        &self,
        names: &Names,
        goroutine: &Goroutine,
        span: Option<&StateSpan<'_>>,
    ) -> Option<bool> {
        let holds = |node: &Self| node.holds(names, goroutine, span);
        match self {
            Self::Not(node) => holds(node).map(|holds| !holds),
            Self::And(a, b) => match (holds(a), holds(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (holds(a), holds(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Term(term) => Some(match term {
                Term::Group(pattern) => pattern.matches(names, goroutine.name),
                Term::Label(pattern) => pattern.matches(names, goroutine.label),
                Term::Task(task) => goroutine.id.0 == *task,
                Term::Reason(pattern) => pattern.matches(names, span?.reason),
                Term::Worker(worker) => span?.proc.0 == *worker,
                Term::Thread(thread) => span?.thread.0 == *thread,
                Term::State(state) => span?.seen_state() == *state,
                Term::LongerThan(duration) => span?.duration() > *duration,
                Term::AtLeast(duration) => span?.duration() >= *duration,
                Term::ShorterThan(duration) => span?.duration() < *duration,
                Term::AtMost(duration) => span?.duration() <= *duration,
            }),
        }
    }
}

impl Filter {
    /// Whether it may let some time of an async task through and other time not.
    pub fn is_about_spans(&self) -> bool {
        let expression = self.expression.as_ref();
        expression.is_some_and(|expression| expression.0.is_about_spans())
    }
}

/// A [`Filter`] in terms of one trace.
#[derive(Clone, Debug, Default)]
pub struct BoundFilter {
    group: Option<Text>,
    expression: Option<Expression>,
}

impl BoundFilter {
    /// The filter in terms of the trace that has these names.
    pub fn new(filter: &Filter, names: &mut Names) -> Self {
        Self {
            group: filter.group.as_deref().map(|group| names.intern(group)),
            expression: filter.expression.clone(),
        }
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.group.is_none() && self.expression.is_none()
    }

    /// Whether it holds for certain: not if it takes a span of time to decide, and there is none.
    pub fn holds(
        &self,
        names: &Names,
        goroutine: &Goroutine,
        span: Option<&StateSpan<'_>>,
    ) -> bool {
        self.answer(names, goroutine, span) == Some(true)
    }

    /// Whether it may hold: also if it takes a span of time to decide, and there is none.
    #[inline]
    pub fn may_hold(
        &self,
        names: &Names,
        goroutine: &Goroutine,
        span: Option<&StateSpan<'_>>,
    ) -> bool {
        self.is_empty() || self.answer(names, goroutine, span) != Some(false)
    }

    fn answer(
        &self,
        names: &Names,
        goroutine: &Goroutine,
        span: Option<&StateSpan<'_>>,
    ) -> Option<bool> {
        if self.group.is_some_and(|group| goroutine.name != group) {
            return Some(false);
        }
        match &self.expression {
            Some(expression) => expression.0.holds(names, goroutine, span),
            None => Some(true),
        }
    }
}
