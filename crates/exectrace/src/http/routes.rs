//! Which request asks for what.

use std::sync::Arc;

use ::http::header::{HOST, ORIGIN};
use ::http::request::Parts;
use ::http::{HeaderValue, Method, Request, Response};
use bytes::Bytes;

use super::answer::{Refused, moved, of_type};
use super::body::Body;
use super::posted::Posted;
use super::service::Shared;
use super::{control, status, trace};

/// What the page of paths is.
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const INDEX: &str = include_str!("index.html");

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Index,
    /// The page's path without the slash at its end, from where its links would lead elsewhere.
    ToIndex,
    Trace,
    Status,
    Snapshot,
    Filter,
    Start,
    Stop,
}

impl Route {
    /// By the end of the path: what comes before is where the service stands.
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.rsplit('/');
        let (last, before) = (parts.next()?, parts.next()?);
        Some(match (before, last) {
            ("pprof", "") => Self::Index,
            (_, "pprof") => Self::ToIndex,
            ("pprof", "trace") => Self::Trace,
            ("exectrace", "status") => Self::Status,
            ("exectrace", "snapshot") => Self::Snapshot,
            ("exectrace", "filter") => Self::Filter,
            ("exectrace", "start") => Self::Start,
            ("exectrace", "stop") => Self::Stop,
            _ => return None,
        })
    }

    /// The methods that it has.
    fn methods(self) -> &'static str {
        match self {
            Self::Index | Self::ToIndex | Self::Trace | Self::Status | Self::Snapshot => {
                "GET, HEAD"
            }
            Self::Filter => "GET, HEAD, POST",
            Self::Start | Self::Stop => "POST",
        }
    }
}

/// Answers a request.
pub(super) async fn answer<B>(shared: Arc<Shared>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
{
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let mut answer = match find(&shared, &parts, body).await {
        Ok(answer) => answer,
        Err(refused) => refused.answer(),
    };
    if is_head {
        *answer.body_mut() = Body::from(Bytes::new());
    }
    answer
}

async fn find<B>(shared: &Arc<Shared>, parts: &Parts, body: B) -> Result<Response<Body>, Refused>
where
    B: http_body::Body,
{
    let route = Route::of(parts.uri.path()).ok_or(Refused::NoSuchPath)?;
    let method = &parts.method;
    if !route.methods().split(", ").any(|known| method == known) {
        return Err(Refused::Method(route.methods()));
    }
    let changes = method == Method::POST;
    if changes && is_of_other_origin(parts) {
        return Err(Refused::OtherOrigin);
    }
    let query = parts.uri.query();
    match route {
        Route::Index => Ok(of_type(HTML, Bytes::from_static(INDEX.as_bytes()))),
        Route::ToIndex => Ok(moved(HeaderValue::from_static("pprof/"))),
        Route::Trace => trace::answer(shared, query, method == Method::HEAD).await,
        Route::Status => status::answer(shared, query, &parts.headers),
        Route::Snapshot => Err(Refused::NotThere(
            "there is no flight recorder yet; /debug/pprof/trace records from now on",
        )),
        Route::Filter => {
            let posted = match changes {
                true => Some(Posted::read(&parts.headers, body).await?),
                false => None,
            };
            control::filter(shared, query, posted).await
        }
        Route::Start | Route::Stop => {
            let posted = Posted::read(&parts.headers, body).await?;
            let parameters = posted.with_query(query)?;
            match route {
                Route::Start => control::start(shared, &parameters).await,
                _ => control::stop(shared, &parameters).await,
            }
        }
    }
}

/// Whether a browser asks for a page that is not from here. Others than browsers do not say where they come from.
fn is_of_other_origin(parts: &Parts) -> bool {
    let Some(origin) = parts.headers.get(ORIGIN) else {
        return false;
    };
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(parts.uri.authority().map(|authority| authority.as_str()));
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some((_, origin)), Some(host)) => !origin.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_its_end() {
        for (path, route) in [
            ("/debug/pprof/trace", Some(Route::Trace)),
            ("/pprof/trace", Some(Route::Trace)),
            ("/admin/debug/exectrace/status", Some(Route::Status)),
            ("/debug/pprof/", Some(Route::Index)),
            ("/debug/pprof", Some(Route::ToIndex)),
            ("/debug/exectrace/start", Some(Route::Start)),
            ("/debug/pprof/profile", None),
            ("/debug/exectrace/start/", None),
            ("/trace", None),
            ("/", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
