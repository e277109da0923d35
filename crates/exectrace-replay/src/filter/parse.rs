//! Parses the filter language, by recursive descent.

use thiserror::Error;

use crate::state::GoroutineState;

use super::{Node, Pattern, Term};

/// Expressions may be nested so deep.
const MAX_DEPTH: u32 = 64;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct FilterError {
    /// The character at which it goes wrong, counted from 1.
    pub column: usize,
    /// What would be right there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

struct Parser<'a> {
    text: &'a str,
    /// Where the rest begins, in bytes.
    at: usize,
    depth: u32,
}

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    let node = parser.or()?;
    parser.skip_spaces();
    if parser.rest().is_empty() {
        Ok(node)
    } else {
        Err(parser.error(parser.at, "and, or, or the end"))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_.:/*-".contains(c)
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn error(&self, at: usize, expected: &'static str) -> FilterError {
        let rest = &self.text[at..];
        let end = rest
            .find([' ', ')'])
            .filter(|&end| end > 0)
            .unwrap_or(rest.len());
        FilterError {
            column: self.text[..at].chars().count() + 1,
            expected,
            found: if rest.is_empty() {
                "the end".to_owned()
            } else {
                rest[..end].to_owned()
            },
        }
    }

    /// Takes the word if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let is_next = self
            .rest()
            .strip_prefix(word)
            .is_some_and(|rest| word == "(" || word == ")" || !rest.starts_with(is_word));
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn or(&mut self) -> Result<Node, FilterError> {
        let mut node = self.and()?;
        while self.takes("or") {
            node = Node::Or(Box::new(node), Box::new(self.and()?));
        }
        Ok(node)
    }

    fn and(&mut self) -> Result<Node, FilterError> {
        let mut node = self.not()?;
        loop {
            let is_joined = self.takes("and");
            self.skip_spaces();
            let rest = self.rest();
            let ends = rest.is_empty() || rest.starts_with(')') || self.is_or();
            if ends && !is_joined {
                return Ok(node);
            }
            node = Node::And(Box::new(node), Box::new(self.not()?));
        }
    }

    fn is_or(&self) -> bool {
        let rest = self.rest().strip_prefix("or");
        rest.is_some_and(|rest| !rest.starts_with(is_word) && !rest.starts_with('~'))
    }

    fn not(&mut self) -> Result<Node, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.at, "an expression that is not nested so deep"));
        }
        let node = if self.takes("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.takes("(") {
            let node = self.or()?;
            if !self.takes(")") {
                return Err(self.error(self.at, "a closing parenthesis"));
            }
            node
        } else {
            Node::Term(self.term()?)
        };
        self.depth -= 1;
        Ok(node)
    }

    fn term(&mut self) -> Result<Term, FilterError> {
        const FIELDS: &str = "one of group, label, task, state, reason, dur, worker, thread";
        self.skip_spaces();
        let begin = self.at;
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(rest.len());
        let field = &rest[..end];
        self.at += end;
        if ![
            "group", "label", "task", "state", "reason", "dur", "worker", "thread",
        ]
        .contains(&field)
        {
            return Err(self.error(begin, FIELDS));
        }
        let operator = self.rest().chars().next().unwrap_or(' ');
        let (fits, expected) = match field {
            "group" | "label" | "reason" => (operator == ':' || operator == '~', ": or ~"),
            "dur" => (operator == '>' || operator == '<', ">, >=, < or <="),
            _ => (operator == ':', ":"),
        };
        if !fits {
            return Err(self.error(self.at, expected));
        }
        self.at += 1;
        let or_equal = field == "dur" && self.rest().starts_with('=');
        self.at += usize::from(or_equal);
        match field {
            "group" => self.pattern(operator).map(Term::Group),
            "label" => self.pattern(operator).map(Term::Label),
            "reason" => self.pattern(operator).map(Term::Reason),
            "task" => self.number().map(Term::Task),
            "worker" => self.number().map(Term::Worker),
            "thread" => self.number().map(Term::Thread),
            "state" => self.state().map(Term::State),
            _ => self.duration().map(match (operator, or_equal) {
                ('>', false) => Term::LongerThan,
                ('>', true) => Term::AtLeast,
                (_, false) => Term::ShorterThan,
                (_, true) => Term::AtMost,
            }),
        }
    }

    fn pattern(&mut self, operator: char) -> Result<Pattern, FilterError> {
        let text = self.value()?;
        Ok(if operator == '~' {
            Pattern::Contains(text)
        } else {
            Pattern::Is(text)
        })
    }

    /// A word, or a text in quotation marks with `\"` and `\\` in it.
    fn value(&mut self) -> Result<String, FilterError> {
        let Some(quoted) = self.rest().strip_prefix('"') else {
            return self
                .word("a word or a text in quotation marks")
                .map(str::to_owned);
        };
        let mut text = String::new();
        let mut characters = quoted.char_indices();
        while let Some((place, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += 1 + place + 1;
                    return Ok(text);
                }
                '\\' => text.extend(characters.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        Err(self.error(self.text.len(), "a closing quotation mark"))
    }

    fn word(&mut self, expected: &'static str) -> Result<&'a str, FilterError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error(self.at, expected));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn number(&mut self) -> Result<u64, FilterError> {
        let begin = self.at;
        let number = self.word("a number")?.parse();
        number.map_err(|_| self.error(begin, "a number"))
    }

    fn state(&mut self) -> Result<GoroutineState, FilterError> {
        const STATES: &str = "one of running, runnable, waiting, syscall";
        let begin = self.at;
        let word = self.word(STATES)?;
        let states = [
            GoroutineState::Running,
            GoroutineState::Runnable,
            GoroutineState::Waiting,
            GoroutineState::Syscall,
        ];
        let state = states.into_iter().find(|state| state.name() == word);
        state.ok_or_else(|| self.error(begin, STATES))
    }

    fn duration(&mut self) -> Result<u64, FilterError> {
        const DURATION: &str = "a length of time such as 5ms";
        let begin = self.at;
        let word = self.word(DURATION)?;
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(word.len());
        let (number, unit) = word.split_at(end);
        let unit_ns = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            _ => return Err(self.error(begin, DURATION)),
        };
        let number: f64 = number.parse().map_err(|_| self.error(begin, DURATION))?;
        Ok((number * unit_ns).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        fn show(node: &Node) -> String {
            match node {
                Node::And(a, b) => format!("({} & {})", show(a), show(b)),
                Node::Or(a, b) => format!("({} | {})", show(a), show(b)),
                Node::Not(a) => format!("!{}", show(a)),
                Node::Term(Term::Task(task)) => task.to_string(),
                Node::Term(term) => format!("{term:?}"),
            }
        }
        parse(text).map_or_else(|error| error.to_string(), |node| show(&node))
    }

    #[test]
    fn not_binds_stronger_than_and_and_that_stronger_than_or() {
        for (text, meaning) in [
            ("task:1 task:2 or task:3", "((1 & 2) | 3)"),
            ("task:1 or task:2 and not task:3", "(1 | (2 & !3))"),
            ("(task:1 or task:2)task:3", "((1 | 2) & 3)"),
            ("not not task:1 and task:2", "(!!1 & 2)"),
        ] {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn terms_mean_what_they_say() {
        for (text, meaning) in [
            (r#"group:"a \"b\" c""#, r#"Group(Is("a \"b\" c"))"#),
            ("reason~async::recv", r#"Reason(Contains("async::recv"))"#),
            ("dur>1.5us", "LongerThan(1500)"),
            ("dur<2s", "ShorterThan(2000000000)"),
            ("dur>=20ms", "AtLeast(20000000)"),
            ("dur<=1us", "AtMost(1000)"),
            ("state:syscall", "State(Syscall)"),
            ("worker:3", "Worker(3)"),
        ] {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn an_error_points_at_its_column() {
        for (text, message) in [
            (
                "",
                "column 1: expected one of group, label, task, state, reason, dur, worker, thread, found the end",
            ),
            (
                "task:1 or",
                "column 10: expected one of group, label, task, state, reason, dur, worker, thread, found the end",
            ),
            ("task:x", "column 6: expected a number, found x"),
            (
                "é:1",
                "column 1: expected one of group, label, task, state, reason, dur, worker, thread, found é:1",
            ),
            (
                "group:é dur=1",
                "column 12: expected >, >=, < or <=, found =1",
            ),
            (
                "(task:1",
                "column 8: expected a closing parenthesis, found the end",
            ),
            ("task:1)", "column 7: expected and, or, or the end, found )"),
            (
                "group:\"a",
                "column 9: expected a closing quotation mark, found the end",
            ),
            (
                "state:idle",
                "column 7: expected one of running, runnable, waiting, syscall, found idle",
            ),
        ] {
            assert_eq!(shown(text), message, "{text}");
        }
        let deep = "(".repeat(1_000_000);
        assert!(parse(&deep).is_err());
    }
}
