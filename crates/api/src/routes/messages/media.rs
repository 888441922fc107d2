//! `GET /api/waha/messages/{messageId}/media`

use axum::{extract::State, http::HeaderMap, response::Response};
use utoipa::ToSchema;
use wahana_service::{access::ReadMessages, media};

use crate::{
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfKnownMessage},
    file_response::file_response,
    state::ApiState,
};

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the answer, which is sent piece by piece")]
pub(crate) struct FileBytes(Vec<u8>);

/// The file of a message, or a part of it.
///
/// A file that is still being fetched is 409, one that is not kept any more 404. What a browser could run, such
/// as HTML and SVG, comes as an attachment.
#[utoipa::path(
    get, path = "/api/waha/messages/{messageId}/media", operation_id = "messages.media", tag = "messages",
    params(
        ("messageId" = String, Path, description = "The message's id"),
        ("range" = Option<String>, Header, description = "Which part, as in `bytes=0-1023`; one part at a time"),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of what the caller has"),
        ("if-range" = Option<String>, Header, description = "The `ETag` of what the caller has a part of"),
    ),
    responses(
        (
            status = OK, description = "The file, with its type", body = FileBytes,
            content_type = "application/octet-stream",
        ),
        (
            status = PARTIAL_CONTENT, description = "A part of the file", body = FileBytes,
            content_type = "application/octet-stream",
        ),
        (status = NOT_MODIFIED, description = "The caller has it"), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn media(
    State(state): State<ApiState>,
    allowed: Allowed<OfKnownMessage, ReadMessages>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let services = state.services();
    let media = media::of_message(services, &allowed.access, &allowed.found).await?;
    file_response(services, &media, &headers).await
}
