//! The user tasks that are a part of one distributed trace.

use std::fmt;
use std::str::FromStr;

use exectrace_format::conventions::TraceId;
use serde::Serialize;

use super::UserTaskInstance;

/// Which distributed trace is looked for: by its id, or by the first digits of it.
///
/// It is read from any form of [`TraceId::parse`], or from 4 to 31 hexadecimal digits in upper or lower case. 16
/// digits are also the lower half of an id, which is all that some systems show.
///
/// ```
/// use exectrace_analysis::TraceIdQuery;
/// use exectrace_format::conventions::TraceId;
///
/// let id = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").expect("an id");
/// for text in ["4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "4bf92f", "a3ce929d0e0e4736"] {
///     assert!(text.parse::<TraceIdQuery>()?.matches(id));
/// }
/// assert!("4bf".parse::<TraceIdQuery>().is_err());
/// # Ok::<_, exectrace_analysis::TraceIdQueryError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIdQuery {
    number: u128,
    digits: u32,
}

/// A text is no id of a distributed trace, and no begin of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceIdQueryError;

impl fmt::Display for TraceIdQueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an id of a distributed trace is 32 hexadecimal digits, of which the first 4 suffice, or a `traceparent`",
        )
    }
}

impl std::error::Error for TraceIdQueryError {}

/// The digits of a whole id.
const DIGITS: u32 = 32;
/// Fewer say too little.
const MIN_DIGITS: usize = 4;
/// The digits of half an id.
const HALF: u32 = 16;

impl TraceIdQuery {
    /// Whether this id is looked for.
    #[must_use]
    pub fn matches(self, id: TraceId) -> bool {
        let id = id.get();
        let begins_so = id >> (4 * (DIGITS - self.digits)) == self.number;
        begins_so || self.digits == HALF && u128::from(id as u64) == self.number
    }
}

impl FromStr for TraceIdQuery {
    type Err = TraceIdQueryError;

    fn from_str(text: &str) -> Result<Self, TraceIdQueryError> {
        let are_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if are_digits && (MIN_DIGITS..=DIGITS as usize).contains(&text.len()) {
            let number = u128::from_str_radix(text, 16).map_err(|_| TraceIdQueryError)?;
            let digits = text.len() as u32;
            return Ok(Self { number, digits });
        }
        let number = TraceId::parse(text).ok_or(TraceIdQueryError)?.get();
        let digits = DIGITS;
        Ok(Self { number, digits })
    }
}

/// The user tasks of [`Options::trace_id`](crate::Options::trace_id).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundUserTasks {
    /// In the order in which they ended; those that are open at the end are the last.
    pub tasks: Vec<UserTaskInstance>,
    /// How many were left out because there were more than [`MAX_FOUND`].
    pub left_out: u64,
    /// When the first of all began, since the begin of the trace; `None` if that was not seen.
    pub begin_ns: Option<u64>,
    /// When the last of all ended; `None` if any is open at the end.
    pub end_ns: Option<u64>,
}

/// So many user tasks of a distributed trace are kept.
pub const MAX_FOUND: usize = 1 << 16;

/// Gathers [`FoundUserTasks`].
#[derive(Debug)]
pub(super) struct Finder {
    query: TraceIdQuery,
    found: FoundUserTasks,
    count: u64,
}

impl Finder {
    pub(super) fn new(query: TraceIdQuery) -> Self {
        Self {
            query,
            found: FoundUserTasks::default(),
            count: 0,
        }
    }

    pub(super) fn wants(&self, id: Option<TraceId>) -> bool {
        id.is_some_and(|id| self.query.matches(id))
    }

    pub(super) fn push(&mut self, task: UserTaskInstance) {
        let (begin_ns, end_ns) = (task.begin_ns, task.end_ns);
        let found = &mut self.found;
        match self.count {
            0 => (found.begin_ns, found.end_ns) = (begin_ns, end_ns),
            // `None` is less than any time.
            _ => {
                found.begin_ns = found.begin_ns.min(begin_ns);
                found.end_ns = found.end_ns.and_then(|last| Some(last.max(end_ns?)));
            }
        }
        self.count += 1;
        match found.tasks.len() < MAX_FOUND {
            true => found.tasks.push(task),
            false => found.left_out += 1,
        }
    }

    pub(super) fn finish(self) -> FoundUserTasks {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extent_is_open_where_any_of_the_tasks_is() {
        let extent = |tasks: &[(Option<u64>, Option<u64>)]| {
            let mut finder = Finder::new(TraceIdQuery {
                number: 1,
                digits: DIGITS,
            });
            for &(begin_ns, end_ns) in tasks {
                finder.push(UserTaskInstance {
                    begin_ns,
                    end_ns,
                    ..UserTaskInstance::default()
                });
            }
            let found = finder.finish();
            (found.begin_ns, found.end_ns)
        };
        let closed = [(Some(5), Some(9)), (Some(3), Some(6))];
        assert_eq!(extent(&closed), (Some(3), Some(9)));
        assert_eq!(extent(&[closed[0], (None, Some(6))]), (None, Some(9)));
        assert_eq!(extent(&[(None, Some(6)), closed[0]]), (None, Some(9)));
        assert_eq!(extent(&[(Some(3), None), closed[0]]), (Some(3), None));
    }

    #[test]
    fn a_query_is_an_id_or_its_first_digits() {
        for text in ["", "4bf", "xyzw", "4bf92f35-77b3", &"a".repeat(33), "0-1"] {
            assert_eq!(
                text.parse::<TraceIdQuery>(),
                Err(TraceIdQueryError),
                "{text}"
            );
        }
        let id = |number| TraceId::new(number).expect("not zero");
        let matches = |text: &str, number| {
            let query: TraceIdQuery = text.parse().expect("a query");
            query.matches(id(number))
        };
        assert!(matches("0000", 7), "leading zeros are digits");
        assert!(!matches("0001", 7));
        assert!(matches("00000000000000AB", 0xab));
        assert!(
            matches("00000000000000ab", (5 << 64) | 0xab),
            "the lower half"
        );
        assert!(!matches("0000000000000ab", (5 << 64) | 0xab));
    }
}
