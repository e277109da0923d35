//! The body of a request, which may not be long, and what it says.

use std::pin::pin;

use ::http::HeaderMap;
use ::http::header::CONTENT_TYPE;
use bytes::Buf;

use super::answer::Refused;

/// A body that is larger is no filter.
const MAX_BODY_BYTES: usize = 64 << 10;

/// The type that browsers give to forms, and curl to all that it posts.
const FORM: &str = "application/x-www-form-urlencoded";

/// What was posted.
#[derive(Debug)]
pub(super) struct Posted {
    text: String,
    is_form: bool,
}

impl Posted {
    /// Reads the body of a request with these headers.
    pub(super) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Self, Refused>
    where
        B: http_body::Body,
    {
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next());
        Ok(Self {
            text: String::from_utf8_lossy(&bytes_of(body).await?)
                .trim()
                .to_owned(),
            is_form: media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(FORM)),
        })
    }

    /// The query, and behind it what was posted as a form. All other bodies are refused.
    pub(super) fn with_query(&self, query: Option<&str>) -> Result<String, Refused> {
        let query = query.unwrap_or("");
        match (self.text.is_empty(), self.is_form) {
            (true, _) => Ok(query.to_owned()),
            (false, true) => Ok(format!("{query}&{}", self.text)),
            (false, false) => Err(Refused::Bad(
                "this path takes no body but a form's; give parameters in the query".to_owned(),
            )),
        }
    }

    /// What was posted, if it is neither nothing nor the parameter `name` of a form. What curl posts is called a form also
    /// where it is not.
    #[cfg(feature = "tracing")]
    pub(super) fn text_unless_form_of(&self, name: &str) -> Option<&str> {
        let (first, has_value) = match self.text.split_once('=') {
            Some((first, _)) => (first, true),
            None => ("", false),
        };
        let is_parameter = self.is_form && has_value && first == name;
        (!self.text.is_empty() && !is_parameter).then_some(&self.text)
    }
}

async fn bytes_of<B: http_body::Body>(body: B) -> Result<Vec<u8>, Refused> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let cut_off = |_| Refused::Bad("the body did not come to its end".to_owned());
        // Trailers are of no interest.
        let Ok(mut data) = frame.map_err(cut_off)?.into_data() else {
            continue;
        };
        if data.remaining() > MAX_BODY_BYTES - bytes.len() {
            return Err(Refused::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            bytes.extend_from_slice(chunk);
            let read = chunk.len();
            data.advance(read);
        }
    }
    Ok(bytes)
}
