//! The frame of the time line: what the script draws in, and what stands there without it.

use std::sync::Arc;

use axum::extract::{Query, State};
use maud::{Markup, html};

use crate::question::Parameters;
use crate::trace::Opened;

use super::layout::Page;

const KEYS: [(&str, &str); 10] = [
    ("w, s", "zoom in, out, where the pointer is"),
    (
        "a, d, arrows",
        "to the left, to the right; up and down: other rows",
    ),
    ("f", "fit what is selected, or everything"),
    (
        ". ,",
        "the next slice in the row, the one before; the first, if none is selected",
    ),
    (
        "j, k",
        "the same instant in the next row, in the one before",
    ),
    ("[ ]", "to what woke it; to its end"),
    ("m", "mark this instant"),
    ("/", "search rows"),
    ("Esc", "select nothing"),
    ("?", "these keys"),
];

pub(super) async fn page(
    State(opened): State<Arc<Opened>>,
    Query(parameters): Query<Parameters>,
) -> Markup {
    let question = parameters.question();
    let page = Page::new(opened.trace.label(), &question, "");
    page.framed(html! {
        main.timeline {
            div.tools role="toolbar" aria-label="Time line" {
                div.views role="group" aria-label="Rows" {
                    @for (view, title) in [("workers", "Workers"), ("threads", "Threads"), ("tasks", "Async tasks"), ("usertasks", "User tasks")] {
                        button type="button" data-view=(view) { (title) }
                    }
                }
                input #search type="search" placeholder="name, or #42" aria-label="Search rows";
                span #range {}
                a #pages href="tasks" { "Numbers of this range" }
                button type="button" #fit { "Fit" }
                button type="button" #keys aria-expanded="false" aria-controls="key-list" { "?" }
            }
            dl #key-list hidden {
                @for (keys, what) in KEYS { dt { kbd { (keys) } } dd { (what) } }
            }
            div #missing role="alert" {}
            p #progress role="status" { "reading the trace" }
            p #trouble role="status" {}
            noscript { p.warning { "The time line is drawn by a script. All other pages work without." } }
            div.picture {
                canvas #picture tabindex="0" aria-label="Time line; the text below says what is selected" {}
                canvas #overlay {}
            }
            section #inspector aria-live="polite" { p.aside { "Click on a slice, or use the keys." } }
        }
        script type="module" src="ui/timeline.js" {}
    })
}
