//! What the numbers mean.

use std::sync::Arc;

use axum::extract::{Query, State};
use maud::{Markup, html};

use crate::question::Parameters;
use crate::trace::Opened;

use super::layout::Page;

const WORDS: [(&str, &str); 14] = [
    (
        "async task",
        "what an async runtime polls: a future that was spawned. In a Go trace, a goroutine.",
    ),
    (
        "user task",
        "one operation of the program, such as a request: a root span, or a task that the program began.",
    ),
    (
        "region",
        "an interval inside one async task: a span, each time that it is entered.",
    ),
    (
        "run, poll",
        "the task had a thread and ran, until it gave it back.",
    ),
    (
        "delay",
        "the task was ready, and waited for a worker. From the wake that was seen to the run.",
    ),
    (
        "wait",
        "the task waited for something. The reason is that of its innermost wait.",
    ),
    ("syscall", "a call of the system that can block."),
    (
        "own code",
        "what a thread runs outside all async tasks. Whether it ran then, slept or waited is not in the trace.",
    ),
    (
        "longest",
        "the longest of all; p50, p99: so many percent were shorter. Distributions are kept with an error of at most 6%.",
    ),
    (
        "-",
        "the trace does not have the number. Point at it: it says why, and what would be needed.",
    ),
    (
        "counted",
        "calls that were short, or of a kind that is not recorded one by one.",
    ),
    (
        "concluded",
        "nobody saw it happen, and it follows from what came after.",
    ),
    (
        "critical path",
        "what an operation was waiting for at each moment, going back from its end along the wakes.",
    ),
    (
        "finding",
        "something that a rule noticed. Each says its rule, its evidence, and what usually helps.",
    ),
];

pub(super) async fn page(
    State(opened): State<Arc<Opened>>,
    Query(parameters): Query<Parameters>,
) -> Markup {
    let question = parameters.question();
    let page = Page::new(opened.trace.label(), &question, "");
    let content = html! {
        h1 { "What the numbers mean" }
        dl.words { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } }
        p {
            "Times are since the begin of the trace. Each page is about the part of the time and the tasks that its address says: "
            code { "t0" } " and " code { "t1" } " in nanoseconds, " code { "filter" } " as the command line has it. "
            "The command line prints the same numbers, and some more: " code { "exectrace --help" } "."
        }
    };
    page.document(None, &content)
}
