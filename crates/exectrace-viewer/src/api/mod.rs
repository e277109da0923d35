//! What the time line asks for: rows, blocks of them, and what is under the pointer.

mod block;
mod inspect;
mod rows;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::trace::Opened;

/// The paths below `api/v1`.
pub(crate) fn routes() -> Router<Arc<Opened>> {
    Router::new()
        .route("/trace", get(rows::trace))
        .route("/rows", get(rows::rows))
        .route("/loads", get(rows::loads))
        .route("/block", get(block::block))
        .route("/slice", get(inspect::slice))
}

/// Why a request has no answer.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    message: String,
    /// What to do.
    hint: &'static str,
}

impl Refusal {
    /// The request asks for what there cannot be.
    pub(crate) fn bad(message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            hint,
        }
    }

    /// The trace cannot be read.
    pub(crate) fn unreadable(message: String) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message,
            hint: "`exectrace check` says what is wrong with the file",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(self)).into_response()
    }
}

/// Runs what takes long, or waits, on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refusal::unreadable(error.to_string())))
}
