//! Whether a test has failed, by what it returns.

/// What a test has returned.
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

impl<T, E> Returned<'_, Result<T, E>> {
    /// Whether it is an error.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.0.is_err()
    }
}

/// What returns no result fails by a panic alone. A type's own method goes before that of a trait, so this is used
/// where there is no result.
pub trait NoFailure {
    /// No.
    fn is_failure(&self) -> bool {
        false
    }
}

impl<T> NoFailure for Returned<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_is_a_failure() {
        assert!(!Returned(&()).is_failure());
        assert!(!Returned(&Ok::<(), String>(())).is_failure());
        assert!(Returned(&Err::<(), _>("no")).is_failure());
    }
}
