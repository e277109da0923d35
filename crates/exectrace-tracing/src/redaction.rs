//! Fields that are hidden, by name, before their values reach a buffer.

use std::collections::BTreeSet;

/// Names of the fields whose values are hidden by default. See [`Builder::redact`](crate::Builder::redact).
///
/// A field is hidden if the last segment of its name (that of `user.password` is `password`) is one of
/// these, in upper or lower case.
pub const REDACTED_BY_DEFAULT: &[&str] = &[
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "cookie",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "refresh_token",
    "secret",
    "secret_key",
    "session_token",
    "set_cookie",
    "token",
];

/// A set of field names, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redaction {
    names: BTreeSet<Box<str>>,
    /// A bit for each length of a name; bit 63 stands for length 63 and above. Most fields can be ruled out by
    /// the length of their names.
    lengths: u64,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::of(REDACTED_BY_DEFAULT)
    }
}

impl Redaction {
    pub(crate) fn of<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut redaction = Self {
            names: BTreeSet::new(),
            lengths: 0,
        };
        redaction.add(names);
        redaction
    }

    pub(crate) fn add<N: AsRef<str>>(&mut self, names: impl IntoIterator<Item = N>) {
        for name in names {
            let name = last_segment(name.as_ref()).to_ascii_lowercase();
            self.lengths |= length_mark(&name);
            self.names.insert(name.into());
        }
    }

    /// The names, in lower case.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Whether the field of this name is hidden. Allocates nothing.
    pub(crate) fn hides(&self, field: &str) -> bool {
        let name = last_segment(field);
        if self.lengths & length_mark(name) == 0 {
            return false;
        }
        self.names().any(|hidden| hidden.eq_ignore_ascii_case(name))
    }
}

fn length_mark(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// The part of a field's name after the last dot.
pub(crate) fn last_segment(field: &str) -> &str {
    match field.rfind('.') {
        Some(dot) => &field[dot + 1..],
        None => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_hidden_in_any_case_and_below_any_prefix() {
        let redaction = Redaction::default();
        for hidden in ["password", "PassWord", "user.password", "a.b.API_KEY"] {
            assert!(redaction.hides(hidden), "{hidden}");
        }
        for shown in ["passwords", "password.length", "tokens", "pass", "", "."] {
            assert!(!redaction.hides(shown), "{shown}");
        }
    }

    #[test]
    fn a_name_of_any_length_can_be_hidden() {
        let long = "x".repeat(100);
        let redaction = Redaction::of([long.as_str()]);
        assert!(redaction.hides(&long.to_uppercase()));
        assert!(!redaction.hides(&"y".repeat(100)));
        assert!(!redaction.hides("password"));
    }
}
