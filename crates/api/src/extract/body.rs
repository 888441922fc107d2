//! JSON bodies: read once, whole, and strictly.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, de::DeserializeOwned};
use wahana_service::FieldErrors;

use super::objects::StructsAreObjects;
use crate::{error::ApiError, state::ApiState};
use wahana_domain::ErrorCode;

/// A JSON body. Refused in this order: too large (413), not JSON (415), not parseable (400), wrong or
/// unknown fields (422).
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (headers, bytes) = read(request, state.settings().body_limit).await?;
        require_json(&headers)?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<ApiState> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (headers, bytes) = read(request, state.settings().body_limit).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        parse(&bytes).map(Self)
    }
}

/// Reads the whole body, if it is not larger than `limit` bytes.
pub(crate) async fn read(request: Request, limit: usize) -> Result<(HeaderMap, Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    if announced_length(&parts.headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok((parts.headers, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(_) => Err(ApiError::new(
            ErrorCode::BadRequest,
            "The body broke off before its end.",
        )),
    }
}

/// How long a body is, if its head says it.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        ErrorCode::PayloadTooLarge,
        format!("The body is larger than the {limit} bytes allowed here."),
    )
}

pub(super) fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    // What two readers could choose differently from is no media type.
    let mut content_types = headers.get_all(header::CONTENT_TYPE).iter();
    let content_type = content_types
        .next()
        .filter(|_| content_types.next().is_none())
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let mut parameters = content_type.split(';').map(str::trim);
    let is_json = parameters
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parameters.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_plain = encodings.all(|encoding| encoding == "identity");
    if is_json && is_utf8 && is_plain {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "The body must be application/json in UTF-8, without a content encoding.",
    ))
}

pub(super) fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(StructsAreObjects(&mut deserializer));
    match parsed {
        Ok(value) => match deserializer.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(unparseable(&error)),
        },
        Err(error) if error.inner().is_data() => {
            // The rest may still be no JSON at all, which counts first.
            serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| unparseable(&error))?;
            Err(faulty_field(&error.path().to_string(), error.inner()))
        }
        Err(error) => Err(unparseable(error.inner())),
    }
}

/// Says where the body stops being JSON, and nothing of its content.
fn unparseable(error: &serde_json::Error) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!(
            "The body is not valid JSON (line {}, column {}).",
            error.line(),
            error.column()
        ),
    )
}

fn faulty_field(path: &str, error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    // For a missing or unknown field, the path is that of the object it is missing from.
    let named = text.split('`').nth(1).filter(|_| text.contains("field `"));
    let field = match (path, named) {
        (".", Some(named)) => named.to_owned(),
        (path, Some(named)) if !path.ends_with(named) => format!("{path}.{named}"),
        (".", None) => "body".to_owned(),
        (path, _) => path.to_owned(),
    };
    let fault = if text.starts_with("unknown field") {
        "is not a field of this request".to_owned()
    } else if text.starts_with("missing field") {
        "is required".to_owned()
    } else if text.starts_with("duplicate field") {
        "is given twice".to_owned()
    } else {
        expectation(text)
    };
    FieldErrors::one(&field, fault).into()
}

/// Serde quotes the faulty value; the answer says only what was expected.
fn expectation(text: &str) -> String {
    match text.rsplit_once("expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None => text.to_owned(),
    }
}
