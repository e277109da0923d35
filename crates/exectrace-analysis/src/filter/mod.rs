//! The filter language: which async tasks, and which of their stretches, count.
//!
//! | term | lets through |
//! |---|---|
//! | `group:"name"`, `group~"part"` | async tasks of this name, or with this part in their name |
//! | `label:"name"`, `label~"part"` | async tasks with this label |
//! | `task:42` | one async task |
//! | `state:waiting` | stretches in this state: `running`, `runnable`, `waiting`, `syscall` |
//! | `reason:network`, `reason~chan` | stretches that began for this reason |
//! | `dur>5ms`, `dur<1s` | stretches longer or shorter than this (`ns`, `us`, `ms`, `s`) |
//! | `dur>=5ms`, `dur<=1s` | stretches of this length, too |
//! | `worker:3`, `thread:17` | stretches that began there |
//!
//! Terms are joined by `and` (which may be left out), `or`, `not` and parentheses; `not` binds
//! strongest, `or` weakest. A text needs quotation marks where it holds anything but letters,
//! digits and `_ . : / * -`.
//!
//! Where a whole task is in question (how many there are, how old they are), terms about stretches do not
//! exclude it. Times by name of the task are those of the stretches that are let through.

mod parse;

use std::str::FromStr;

use crate::names::{Names, Text};
use crate::play::{Flow, State, Stretch, World};

pub use parse::FilterError;

/// Lets some async tasks and stretches through. The default lets all through.
///
/// ```
/// use exectrace_analysis::Filter;
///
/// let filter: Filter = r#"group~"conn" and (state:waiting dur>5ms or not task:42)"#.parse()?;
/// assert_ne!(filter, Filter::default());
///
/// let error = "group~conn dur>5".parse::<Filter>().unwrap_err();
/// assert_eq!(error.column, 16);
/// assert_eq!(error.to_string(), "column 16: expected a length of time such as 5ms, found 5");
/// # Ok::<(), exectrace_analysis::FilterError>(())
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
    State(State),
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
    /// Whether any term is about stretches.
    fn is_about_stretches(&self) -> bool {
        match self {
            Self::Not(node) => node.is_about_stretches(),
            Self::And(a, b) | Self::Or(a, b) => a.is_about_stretches() || b.is_about_stretches(),
            Self::Term(Term::Group(_) | Term::Label(_) | Term::Task(_)) => false,
            Self::Term(_) => true,
        }
    }

    /// `None` where it takes a stretch to tell, and there is none.
    fn holds(&self, names: &Names, flow: &Flow, stretch: Option<&Stretch>) -> Option<bool> {
        let holds = |node: &Self| node.holds(names, flow, stretch);
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
                Term::Group(pattern) => pattern.matches(names, flow.name),
                Term::Label(pattern) => pattern.matches(names, flow.label),
                Term::Task(task) => flow.id.0 == *task,
                Term::Reason(pattern) => pattern.matches(names, stretch?.reason),
                Term::Worker(worker) => stretch?.lane == *worker,
                Term::Thread(thread) => stretch?.thread == *thread,
                Term::State(state) => stretch?.state == *state,
                Term::LongerThan(duration) => stretch?.duration() > *duration,
                Term::AtLeast(duration) => stretch?.duration() >= *duration,
                Term::ShorterThan(duration) => stretch?.duration() < *duration,
                Term::AtMost(duration) => stretch?.duration() <= *duration,
            }),
        }
    }
}

impl Filter {
    /// Whether it may let some stretches of an async task through and others not.
    pub(crate) fn is_about_stretches(&self) -> bool {
        let expression = self.expression.as_ref();
        expression.is_some_and(|expression| expression.0.is_about_stretches())
    }
}

/// [`Filter`] in terms of one trace.
#[derive(Debug)]
pub(crate) struct Compiled {
    group: Option<Text>,
    expression: Option<Expression>,
}

impl Compiled {
    pub(crate) fn new(filter: &Filter, names: &mut Names) -> Self {
        Self {
            group: filter.group.as_deref().map(|group| names.intern(group)),
            expression: filter.expression.clone(),
        }
    }

    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        self.group.is_none() && self.expression.is_none()
    }

    /// Whether it holds for certain: not if it takes a stretch to tell, and there is none.
    pub(crate) fn holds(&self, world: &World, flow: &Flow, stretch: Option<&Stretch>) -> bool {
        let holds =
            |expression: &Expression| expression.0.holds(&world.names, flow, stretch) == Some(true);
        self.group.is_none_or(|group| flow.name == group)
            && self.expression.as_ref().is_none_or(holds)
    }

    #[inline]
    pub(crate) fn lets_through(
        &self,
        world: &World,
        flow: &Flow,
        stretch: Option<&Stretch>,
    ) -> bool {
        self.group.is_none_or(|group| flow.name == group)
            && self.expression.as_ref().is_none_or(|expression| {
                expression.0.holds(&world.names, flow, stretch) != Some(false)
            })
    }
}
