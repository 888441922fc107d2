//! Bodies that bring a file: JSON with base64 in it, or a form's upload.

mod form;
mod json;
mod timed;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use wahana_domain::ErrorCode;

use super::body::{announced_length, require_json, too_large};
use crate::{error::ApiError, state::ApiState};

pub(crate) use form::{Form, MediaForm};
pub(crate) use json::{Base64, NotBase64, UnreadJson};

/// A body that brings a file, which is still to be read: by then it is known whose it is. Refused in the order of
/// other bodies: too large (413), of another type (415), not parseable (400), wrong or unknown fields (422).
pub(crate) enum MediaBody {
    /// As JSON.
    Json(UnreadJson),
    /// As `multipart/form-data`.
    Form(Form),
}

/// What a body may hold besides the file: its other fields, and what lies between them.
const BESIDES_THE_FILE: usize = 64 * 1024;

impl FromRequest<ApiState> for MediaBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let limit = state.settings().media_limit;
        let headers = request.headers();
        let announced = announced_length(headers);
        if is_form(headers) {
            let limit_of_all = limit.saturating_add(BESIDES_THE_FILE);
            if announced.is_some_and(|length| length > limit_of_all as u64) {
                return Err(too_large(limit));
            }
            return Form::open(request, state, limit_of_all).await.map(Self::Form);
        }
        // Base64 makes four bytes of three.
        let json_limit = limit
            .div_ceil(3)
            .saturating_mul(4)
            .saturating_add(BESIDES_THE_FILE);
        if announced.is_some_and(|length| length > json_limit as u64) {
            return Err(too_large(json_limit));
        }
        require_json(headers).map_err(|_| unsupported())?;
        Ok(Self::Json(UnreadJson::new(request, json_limit)))
    }
}

fn unsupported() -> ApiError {
    ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "The body must be application/json in UTF-8 or multipart/form-data, without a content encoding.",
    )
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut content_types = headers.get_all(header::CONTENT_TYPE).iter();
    let content_type = content_types
        .next()
        .filter(|_| content_types.next().is_none())
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}
