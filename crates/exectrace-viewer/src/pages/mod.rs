//! The pages, as whole documents: what each says of the trace.
//!
//! `layout` is what they share, `parts` are tables, times and places as HTML, `chart` draws; then one file a page.

mod chart;
mod help;
mod latency;
mod layout;
mod logs;
mod overview;
mod parts;
mod profile;
mod regions;
mod syscalls;
mod task;
mod tasks;
mod timeline;
mod user_tasks;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::Markup;

use crate::question::{Parameters, Question};
use crate::trace::{Answer, Opened};

pub(crate) use parts::stack_lines;

use layout::Page;

/// What is on a page, by an answer.
type Content = fn(&Answer, &Page<'_>) -> Markup;

/// The first page.
pub(crate) async fn first(opened: State<Arc<Opened>>, query: Query<Parameters>) -> Response {
    answered(opened, query, overview::page).await
}

/// The paths of the other pages.
pub(crate) fn routes() -> Router<Arc<Opened>> {
    let page = |content: Content| get(move |opened, query| answered(opened, query, content));
    Router::new()
        .route("/tasks", page(tasks::page))
        .route("/latency", page(latency::page))
        .route("/usertasks", page(user_tasks::page))
        .route("/regions", page(regions::page))
        .route("/workers", page(workers::page))
        .route("/syscalls", page(syscalls::page))
        .route("/logs", page(logs::page))
        .route("/usertask/{id}", get(user_task))
        .route("/profile/{kind}", get(profile_of))
        .route("/task/{id}", get(one_task))
        .route("/timeline", get(timeline::page))
        .route("/help", get(help::page))
}

/// Makes a page of an answer.
async fn answered(
    State(opened): State<Arc<Opened>>,
    Query(parameters): Query<Parameters>,
    content: Content,
) -> Response {
    ask(opened, parameters.question(), "", content).await
}

/// Asks the trace, and shows what `content` makes of the answer. `root` leads from the page to the first one.
async fn ask(
    opened: Arc<Opened>,
    question: Question,
    root: &'static str,
    content: Content,
) -> Response {
    let work = move || match opened.answer(&question).get() {
        Ok(answer) => {
            let page = Page::new(opened.trace.label(), &question, root);
            let content = content(answer, &page);
            page.document(Some(&answer.analysis), &content)
                .into_response()
        }
        Err(error) => layout::unreadable(&opened, root, &error),
    };
    blocking(work).await
}

async fn user_task(
    State(opened): State<Arc<Opened>>,
    Path(id): Path<u64>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let question = Question {
        user_task: Some(id),
        ..parameters.question()
    };
    ask(opened, question, "../", user_tasks::one).await
}

async fn profile_of(
    State(opened): State<Arc<Opened>>,
    Path(kind): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let Some(kind) = profile::kind(&kind) else {
        return (StatusCode::NOT_FOUND, "there is no such profile\n").into_response();
    };
    let question = Question {
        profile: Some(kind),
        ..parameters.question()
    };
    ask(opened, question, "../", profile::page).await
}

async fn one_task(
    State(opened): State<Arc<Opened>>,
    Path(id): Path<u64>,
    Query(part): Query<task::Part>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let work = move || match opened.index() {
        Ok(index) => {
            let question = parameters.question();
            let page = Page::new(opened.trace.label(), &question, "../");
            match task::page(index, id, part, &page) {
                Some(content) => page.document(None, &content).into_response(),
                None => (StatusCode::NOT_FOUND, "there is no such async task\n").into_response(),
            }
        }
        Err(error) => layout::unreadable(&opened, "../", &error),
    };
    blocking(work).await
}

/// Makes a page on a thread that may wait.
async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
