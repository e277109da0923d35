//! What `#[exectrace::main]` and `#[exectrace::test]` expand to, but for the program's own code.

mod expected;
mod outcome;
mod test;
mod test_trace;

use tokio::runtime::{Builder, LocalRuntime, Runtime};

pub use expected::Expected;
pub use outcome::{NoFailure, Returned};
pub use test::Test;

use crate::env::{Guard, from_env, say};
use crate::runtime::{BuilderExt, block_on, block_on_local};

/// A `main` that is traced if the environment says so.
#[derive(Debug)]
pub struct Main {
    /// Dropped after the runtime, as it is made before.
    _guard: Option<Guard>,
}

impl Main {
    /// Starts what the environment asks for. If that cannot be, it says so, and the program goes on.
    #[must_use]
    pub fn begin() -> Self {
        let guard =
            from_env().map_err(|error| say(format_args!("{error}; the program is not traced")));
        Self { _guard: guard.ok() }
    }

    /// Has the runtime that is built traced, also by recordings that start later.
    pub fn prepare(&self, builder: &mut Builder, name: &str, _is_named: bool) {
        builder.exectrace(name);
    }

    /// Runs the body.
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, body: F) -> F::Output {
        block_on(runtime, body)
    }

    /// Runs the body on a local runtime.
    #[track_caller]
    pub fn block_on_local<F: Future>(&self, runtime: &LocalRuntime, body: F) -> F::Output {
        block_on_local(runtime, body)
    }
}
