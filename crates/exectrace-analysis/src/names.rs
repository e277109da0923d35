//! Places in the program, and what they say of it.

use exectrace_format::conventions::CONCURRENT_SPAN;
use exectrace_replay::{Location, Names, Stack, Text};
use serde::Serialize;

/// A place in the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// The function.
    pub function: String,
    /// The source file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// The number that stands for the place in this trace. Other traces have other numbers.
    pub pc: u64,
}

/// What functions are called that Go programs wait in, and that say nothing of the program.
const GO_WAITS: [&str; 4] = ["runtime.", "internal/", "sync.", "time.Sleep"];

impl Place {
    /// The place of a stack (leaf first) that says most of the program: the first outside Go's
    /// runtime and locks; the leaf if all are inside. `None` for an empty stack.
    ///
    /// ```
    /// use exectrace_analysis::Place;
    ///
    /// let stack = ["runtime.chanrecv1", "main.serve", "main.main"].map(|function| Place {
    ///     function: function.to_owned(),
    ///     ..Place::default()
    /// });
    /// assert_eq!(Place::of_program(&stack), Some(&stack[1]));
    /// assert_eq!(Place::of_program(&stack[..1]), Some(&stack[0]));
    /// ```
    pub fn of_program(stack: &[Self]) -> Option<&Self> {
        let mut stack = stack.iter();
        let leaf = stack.clone().next();
        stack.find(|place| !is_go_wait(&place.function)).or(leaf)
    }
}

impl Place {
    /// Whether the function is Tokio's or of Rust's standard library.
    pub fn is_of_rust_library(&self) -> bool {
        !is_of_program(&self.function)
    }
}

fn is_go_wait(function: &str) -> bool {
    GO_WAITS.iter().any(|begin| function.starts_with(begin))
}

/// How the functions of a Tokio program begin in which it waits, and that are not its own.
const TOKIO_WAITS: [&str; 5] = ["tokio::", "std::", "core::", "alloc::", "futures_"];

/// Whether a function of a Rust program is neither Tokio's nor the standard library's.
pub(crate) fn is_of_program(function: &str) -> bool {
    let function = function.trim_start_matches('<');
    !TOKIO_WAITS.iter().any(|begin| function.starts_with(begin))
}

/// The goroutines of Go's runtime that run the program's own code: finalizers (`runfinq` up to Go
/// 1.24) and cleanups.
const GO_RUNS_PROGRAM: [&str; 3] = [
    "runtime.runFinalizers",
    "runtime.runfinq",
    "runtime.runCleanups",
];

/// Whether tasks of this name belong to Go itself: the collector's, the scavenger, timers.
pub(crate) fn is_of_go_runtime(name: &str) -> bool {
    name.starts_with("runtime.") && !GO_RUNS_PROGRAM.contains(&name)
}

/// Names and places of a trace, as results have them.
pub(crate) trait Places {
    fn owned(&self, text: Text) -> String;

    fn place(&self, at: &Location) -> Place;

    /// The places of a stack, leaf first.
    fn places(&self, stack: Stack) -> Vec<Place>;

    /// As [`Place::of_program`].
    fn place_of_program(&self, stack: Stack) -> Option<Place>;

    /// Where a span begins: the outermost frame of a stack that is a place of the program.
    fn span_place(&self, stack: Stack) -> Option<&Location>;
}

impl Places for Names {
    fn owned(&self, text: Text) -> String {
        self.get(text).to_owned()
    }

    fn place(&self, at: &Location) -> Place {
        Place {
            function: self.owned(at.function),
            file: self.owned(at.file),
            line: at.line,
            pc: at.pc,
        }
    }

    fn places(&self, stack: Stack) -> Vec<Place> {
        self.locations(stack).map(|at| self.place(at)).collect()
    }

    fn place_of_program(&self, stack: Stack) -> Option<Place> {
        Place::of_program(&self.places(stack)).cloned()
    }

    fn span_place(&self, stack: Stack) -> Option<&Location> {
        let mut outermost_first = self.locations(stack).rev();
        outermost_first.find(|at| self.get(at.function) != CONCURRENT_SPAN)
    }
}
