//! One test: its user task, and whether it fails.

use std::cell::Cell;

use tokio::runtime::{Builder, LocalRuntime, Runtime};

use super::expected::{Expectation, Expected};
use super::test_trace;
use crate::runtime::{BuilderExt, block_on, block_on_local};
use crate::{Region, Task};

/// A test, from its begin to its end.
///
/// Its user task has the name of the test, and lasts as long. What it spawns is a part of it: see
/// [`Task::region_with_spawned`].
#[derive(Debug)]
pub struct Test {
    /// Ended before its task, and so before it in this order.
    _region: Option<Region>,
    _task: Option<Task>,
    is_traced: bool,
    expectation: Expectation,
    has_returned_error: Cell<bool>,
}

/// The name of the regions of a test, on each thread and async task that it has.
const REGION: &str = "test";

impl Test {
    /// Begins a test. `path` is its whole path, of which the crate is left out, as the test program prints it.
    #[must_use]
    #[track_caller]
    pub fn begin(path: &'static str, expected: Expected) -> Self {
        let name = path.split_once("::").map_or(path, |(_, name)| name);
        let is_traced = test_trace::is_on(name);
        // Not in closures, whose place would not be that of the test.
        let (mut task, mut region) = (None, None);
        if is_traced {
            let of_test = Task::new(name);
            region = Some(of_test.region_with_spawned(REGION));
            task = Some(of_test);
        }
        Self {
            _region: region,
            _task: task,
            is_traced,
            expectation: Expectation::new(expected),
            has_returned_error: Cell::new(false),
        }
    }

    /// Has the runtime that is built traced, if tests are.
    pub fn prepare(&self, builder: &mut Builder, name: &str, is_named: bool) {
        if self.is_traced {
            builder.exectrace(name);
        } else if is_named {
            builder.name(name);
        }
    }

    /// Runs the body of a test that is not `async`.
    pub fn call<T>(&self, body: impl FnOnce() -> T) -> T {
        self.expectation.watch(body)
    }

    /// Runs the body.
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, body: F) -> F::Output {
        self.expectation.watch(|| match self.is_traced {
            true => block_on(runtime, body),
            false => runtime.block_on(body),
        })
    }

    /// Runs the body on a local runtime.
    #[track_caller]
    pub fn block_on_local<F: Future>(&self, runtime: &LocalRuntime, body: F) -> F::Output {
        self.expectation.watch(|| match self.is_traced {
            true => block_on_local(runtime, body),
            false => runtime.block_on(body),
        })
    }

    /// The test has returned an error.
    pub fn fails(&self) {
        self.has_returned_error.set(true);
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        let has_failed = self.expectation.has_failed() || self.has_returned_error.get();
        if self.is_traced && has_failed {
            test_trace::has_failed();
        }
    }
}
