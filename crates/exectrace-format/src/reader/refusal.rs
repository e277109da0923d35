//! Errors on their way up.

use super::error::{EventError, OrderError, ReadCause, TableError};

/// Why an event cannot be. In a box, so that what is returned for each event fits registers.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Box<ReadCause>);

macro_rules! refusals {
    ($($cause:ident),*) => {$(
        impl From<$cause> for Refusal {
            #[cold]
            fn from(cause: $cause) -> Self {
                Self(Box::new(cause.into()))
            }
        }
    )*};
}

refusals!(EventError, OrderError, TableError);

impl From<std::io::Error> for Refusal {
    #[cold]
    fn from(cause: std::io::Error) -> Self {
        Self(Box::new(cause.into()))
    }
}
