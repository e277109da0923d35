//! Answers that are text.

use ::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderValue, Response, StatusCode};

use super::body::Body;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer that is not what was asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// A parameter is wrong.
    Bad(String),
    /// A page of another origin asks.
    OtherOrigin,
    /// A page asks that had this name resolved to a loopback address, for all that is known.
    #[cfg(feature = "http-server")]
    OtherHost(String),
    NoSuchPath,
    /// The methods that there are.
    Method(&'static str),
    /// The state is another, such as a recording that runs already.
    Conflict(String),
    TooLarge,
    /// The tracer could not do it.
    Failed(String),
    /// It is not configured, or does not exist yet.
    NotThere(&'static str),
    /// As many do it as may be.
    Busy(String),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::OtherOrigin => StatusCode::FORBIDDEN,
            #[cfg(feature = "http-server")]
            Self::OtherHost(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotThere(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Bad(reason)
            | Self::Conflict(reason)
            | Self::Failed(reason)
            | Self::Busy(reason) => reason.clone(),
            Self::OtherOrigin => "a page of another origin may not do this".to_owned(),
            #[cfg(feature = "http-server")]
            Self::OtherHost(name) => format!(
                "this server on a loopback address answers to localhost and to addresses, not to {name:?}; \
                 `exectrace::http::Builder::host` names further hosts"
            ),
            Self::NoSuchPath => {
                "there is no such path; /debug/pprof/ lists those there are".to_owned()
            }
            Self::Method(allowed) => format!("this path takes {allowed}"),
            Self::TooLarge => "the body is too large".to_owned(),
            Self::NotThere(reason) => (*reason).to_owned(),
        }
    }

    pub(super) fn answer(&self) -> Response<Body> {
        let mut answer = text(self.reason() + "\n");
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        match self {
            Self::Method(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Busy(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        answer
    }
}

pub(super) fn text(text: String) -> Response<Body> {
    of_type(TEXT, text)
}

/// It is elsewhere.
pub(super) fn moved(to: HeaderValue) -> Response<Body> {
    let mut answer = text("moved\n".to_owned());
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    answer.headers_mut().insert(LOCATION, to);
    answer
}

pub(super) fn of_type(content_type: HeaderValue, body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(body.into());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
