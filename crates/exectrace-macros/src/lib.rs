//! The attributes `#[exectrace::main]` and `#[exectrace::test]`.
//!
//! Programs use them through the crate `exectrace`, with its feature `macros`: its documentation says what they
//! do, and what the environment can ask for. What they expand to calls functions of that crate.
//!
//! `arguments` reads what stands in the attribute, `function` what it is on, and `expand` puts both together.

#![forbid(unsafe_code)]

mod arguments;
mod expand;
mod function;

use proc_macro::TokenStream;

/// Has a program traced as its environment says, and runs an `async fn main` on a traced runtime of Tokio.
///
/// It takes the place of `#[tokio::main]`, and takes the same arguments with the same defaults:
///
/// | argument | what it sets |
/// |---|---|
/// | `flavor = "multi_thread"` | the kind of runtime: this, which is the default, `"current_thread"` or `"local"` |
/// | `worker_threads = 2` | how many workers a multi-thread runtime has |
/// | `start_paused = true` | that the clock of another runtime stands still; needs Tokio's feature `test-util` |
/// | `unhandled_panic = "ignore"` | what another runtime does when a task panics, or `"shutdown_runtime"`; needs `--cfg tokio_unstable` |
/// | `name = "main"` | the name of the runtime, which is part of the names of its workers in the trace |
/// | `crate = "tokio"` | the path under which the program has Tokio |
/// | `exectrace = "exectrace"` | the path under which the program has exectrace |
///
/// The function may also be one that is not `async`. Then it runs as it is, and there are no arguments but the last.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::main(arguments.into(), item.into()).into()
}

/// A test that can be traced, each test as a user task; an `async` one runs on a runtime of Tokio.
///
/// It takes the place of `#[tokio::test]`, and takes the arguments of [`main`](macro@main); here the default of
/// `flavor` is `"current_thread"`. It also takes the place of `#[test]`, on a function that is not `async`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(arguments.into(), item.into()).into()
}
