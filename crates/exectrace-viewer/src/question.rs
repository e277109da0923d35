//! What is asked of a trace: which part of its time, and which of its tasks. It stands in each address, so that a link
//! shows the same to everyone.

use exectrace_analysis::{Filter, Options, ProfileKind, Window};
use serde::Deserialize;

/// The parameters that all pages share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Parameters {
    /// The part of the trace's time: nanoseconds since its begin.
    t0: Option<String>,
    t1: Option<String>,
    /// An expression, as the command line has it.
    filter: Option<String>,
}

/// A question that can be answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Question {
    pub(crate) window: Option<Window>,
    pub(crate) filter: Filter,
    /// The text of the filter.
    pub(crate) filter_text: String,
    /// Why the filter is none.
    pub(crate) error: Option<String>,
    /// Also the tree and the critical path of this user task.
    pub(crate) user_task: Option<u64>,
    /// Profiles, which take the most time and are on a page of their own.
    pub(crate) profile: Option<ProfileKind>,
}

/// Rows of each list of the longest.
const TOP: usize = 50;

impl Parameters {
    /// The question. What cannot be read is left out, and a filter that is none is reported.
    pub(crate) fn question(&self) -> Question {
        let time = |text: &Option<String>| text.as_ref()?.parse::<u64>().ok();
        let (begin, end) = (time(&self.t0), time(&self.t1));
        let window = Window {
            begin_ns: begin.unwrap_or(0),
            end_ns: end.unwrap_or(u64::MAX),
        };
        let has_window = (begin.is_some() || end.is_some()) && window.begin_ns < window.end_ns;
        let filter_text = self.filter.clone().unwrap_or_default();
        let (filter, error) = match filter_text.trim() {
            "" => (Filter::default(), None),
            text => match text.parse::<Filter>() {
                Ok(filter) => (filter, None),
                Err(error) => (Filter::default(), Some(error.to_string())),
            },
        };
        Question {
            window: has_window.then_some(window),
            filter,
            filter_text,
            error,
            user_task: None,
            profile: None,
        }
    }
}

impl Question {
    /// What an analysis is asked.
    pub(crate) fn options(&self) -> Options {
        let all = match self.profile {
            Some(kind) => Options {
                profiles: vec![kind],
                ..Options::default()
            },
            None => Options::all(),
        };
        Options {
            top: TOP,
            window: self.window,
            filter: self.filter.clone(),
            user_task_trees: self.user_task.into_iter().collect(),
            critical_path: self.user_task,
            ..all
        }
    }

    /// The part of an address that asks the same, without `?`.
    pub(crate) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(window) = self.window {
            query.append_pair("t0", &window.begin_ns.to_string());
            if window.end_ns < u64::MAX {
                query.append_pair("t1", &window.end_ns.to_string());
            }
        }
        if !self.filter_text.is_empty() {
            query.append_pair("filter", &self.filter_text);
        }
        query.finish()
    }
}

/// The filter for tasks of a name.
pub(crate) fn of_group(name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("group:\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_asks_what_it_was_made_for_and_ignores_what_is_wrong() {
        let parameters = Parameters {
            t0: Some("17".to_owned()),
            t1: Some("100".to_owned()),
            filter: Some("task:42 & dur>5ms".to_owned()),
        };
        let question = parameters.question();
        assert_eq!(
            question.query(),
            "t0=17&t1=100&filter=task%3A42+%26+dur%3E5ms"
        );
        assert!(question.error.is_some(), "& is no word of filters");
        let wrong = Parameters {
            t0: Some("now".to_owned()),
            t1: Some("-3".to_owned()),
            filter: None,
        };
        assert_eq!(wrong.question(), Question::default());
    }

    #[test]
    fn the_filter_for_a_name_is_one_whatever_the_name_holds() {
        for name in ["main", "a \"b\" \\", "\u{202e}\n<x>", ""] {
            let text = of_group(name);
            assert!(text.parse::<Filter>().is_ok(), "{text}");
        }
    }
}
