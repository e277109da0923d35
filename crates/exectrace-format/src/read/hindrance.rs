//! What keeps an event from happening, on its way up.

use super::error::{EventError, ReadCause};
use super::order_error::OrderError;

/// Why an event does not happen now. It fits a register: it is returned for each event.
#[derive(Debug)]
pub(super) enum Hindrance {
    /// It must wait; [`Order::waits_for`](super::order::Order::waits_for) says for what.
    Wait,
    /// It can never happen.
    Refused(Box<ReadCause>),
}

impl From<OrderError> for Hindrance {
    #[cold]
    fn from(cause: OrderError) -> Self {
        Self::Refused(Box::new(cause.into()))
    }
}

impl From<EventError> for Hindrance {
    #[cold]
    fn from(cause: EventError) -> Self {
        Self::Refused(Box::new(cause.into()))
    }
}
