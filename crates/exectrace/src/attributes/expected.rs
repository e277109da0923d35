//! Which end of a test is a success.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a test is to do, by its attribute `#[should_panic]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// To return.
    Return,
    /// To panic.
    Panic,
    /// To panic with a message that has this text in it.
    PanicWith(&'static str),
}

/// What is expected of a test, and what is known of its end.
#[derive(Debug)]
pub(super) struct Expectation {
    expected: Expected,
    /// Whether a panic with the right message has passed.
    has_right_message: Cell<bool>,
}

impl Expectation {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            expected,
            has_right_message: Cell::new(false),
        }
    }

    /// Runs a part of the test, and looks at the message if it panics and that counts.
    pub(super) fn watch<T>(&self, body: impl FnOnce() -> T) -> T {
        let Expected::PanicWith(text) = self.expected else {
            return body();
        };
        // The panic goes on, so that nobody sees what the body has left behind.
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
            let message = message(&*payload);
            let is_right = message.is_some_and(|message| message.contains(text));
            self.has_right_message.set(is_right);
            resume_unwind(payload)
        })
    }

    /// Whether the test has failed, if it ends now.
    pub(super) fn has_failed(&self) -> bool {
        let panics = std::thread::panicking();
        match self.expected {
            Expected::Return => panics,
            Expected::Panic => !panics,
            Expected::PanicWith(_) => !(panics && self.has_right_message.get()),
        }
    }
}

/// The message of a panic, where the test program looks for it.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&'static str>().copied())
}
