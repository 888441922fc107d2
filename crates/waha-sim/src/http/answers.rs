//! Answers the way Express writes them.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use data_encoding::BASE64_NOPAD;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use sha1::{Digest, Sha1};

/// JSON with Express's content type.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

/// 200 with JSON.
pub(crate) fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}

/// 201 with JSON: what WAHA answers to every POST that works, also to reads.
pub(crate) fn created(body: &Value) -> Response {
    json_response(StatusCode::CREATED, body)
}

/// A status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// Text, which WAHA calls HTML.
pub(crate) fn html(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Bytes of some type.
pub(crate) fn bytes(content_type: &str, bytes: impl Into<Body>) -> Response {
    let mut response = Response::new(bytes.into());
    if let Ok(value) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// Express's weak tag: the body's length and the beginning of its SHA-1.
pub(crate) fn etag(body: &[u8]) -> String {
    let hash = BASE64_NOPAD.encode(&Sha1::digest(body));
    format!("W/\"{:x}-{}\"", body.len(), hash.get(..27).unwrap_or(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_those_that_express_wrote() {
        assert_eq!(etag(b"[]"), "W/\"2-l9Fw4VUO7kr8CvBlt4zaMCqXZ0w\"");
        assert_eq!(
            etag(b"{\"message\":\"pong\"}"),
            "W/\"12-6FyCUNJCdUkgXM8yXmM99u6fQw0\""
        );
    }
}
