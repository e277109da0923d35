//! What the tests of async tasks share: records, and the states that a file has.

use std::panic::Location;

use exectrace_format::{GoState, StateChange};

use super::*;
use crate::calls::{Call, CallClass};
use crate::input::WakerKey;
use crate::runtime::AsyncTaskKind;

pub(super) const T: u64 = START_NS;

pub(super) fn spawn(number: u64, name: &'static str) -> Input<'static> {
    Input::AsyncSpawn {
        task: task(number),
        kind: AsyncTaskKind::Future,
        place: Location::caller(),
        name: Some(name),
    }
}

pub(super) fn begin(number: u64) -> Input<'static> {
    Input::PollBegin(task(number))
}

pub(super) fn end(number: u64) -> Input<'static> {
    Input::PollEnd {
        task: task(number),
        stack: 0,
    }
}

pub(super) fn unpark(worker: u64) -> Input<'static> {
    Input::Unpark { runtime: 1, worker }
}

/// The states of the flow of this name: when, which, and why.
pub(super) fn states(events: &[TraceEvent], name: &str) -> Vec<(u64, GoState, String)> {
    let mut wanted = None;
    let mut states = Vec::new();
    for event in events {
        if let TraceEventKind::StateTransition {
            change: StateChange::Go { go, to, .. },
            reason,
            stack,
            ..
        } = &event.kind
        {
            let root = stack.as_ref().and_then(|stack| stack.last());
            if root.is_some_and(|root| &*root.function == name) {
                wanted = Some(*go);
            }
            if wanted == Some(*go) {
                states.push((ns(event), *to, reason.to_string()));
            }
        }
    }
    states
}

fn is_of_driver(call: Call) -> bool {
    call.class() == CallClass::Driver
}

/// Applies records that a flush thread would look at first.
pub(super) fn play(trial: &mut Trial, records: &[(u64, u32, Input<'static>)]) {
    for &(at, thread, input) in records {
        let index = ThreadIndex(thread + 1);
        let ahead = match input {
            Input::PollBegin(task) => Upcoming::PollBegin {
                task,
                waited_ns: None,
            },
            Input::PollEnd { .. } => Upcoming::PollEnd,
            Input::Wake(task) => Upcoming::Wake(task),
            Input::WakeBy(waker) => Upcoming::WakeBy(waker),
            Input::WakerOf { task, address } => Upcoming::WakerOf {
                task,
                waker: WakerKey::of_address(address),
            },
            Input::Call(called) if called.call.is_some_and(is_of_driver) => Upcoming::DriverWait {
                took: called.took_ns,
                result: called.result,
            },
            Input::Park => Upcoming::Park(true),
            Input::Unpark { .. } => Upcoming::Park(false),
            _ => continue,
        };
        trial
            .model
            .look_ahead(|after| T + at + after, index, &ahead);
    }
    for &(at, thread, input) in records {
        trial.apply(T + at, thread, input);
    }
}
