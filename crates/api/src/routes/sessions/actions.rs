//! `POST /api/waha/sessions/{sessionId}/{stop,restart,logout}` and `DELETE /api/waha/sessions/{sessionId}`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use wahana_service::{access::ManageSessions, sessions};

use super::SessionResource;
use crate::{
    envelope::{Envelope, Nothing},
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession},
    state::ApiState,
};

/// Stops a session; it stays paired.
///
/// Repeatable.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/stop", operation_id = "sessions.stop", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn stop(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
) -> Result<Response, ApiError> {
    let session = sessions::stop(state.services(), &allowed.access, &allowed.found).await?;
    let resource = SessionResource::of(&session, session.observed_at);
    Ok(allowed.reply("Session stopped.", resource).into_response())
}

/// Stops and starts a session.
///
/// Repeatable.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/restart", operation_id = "sessions.restart", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn restart(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
) -> Result<Response, ApiError> {
    let session = sessions::restart(state.services(), &allowed.access, &allowed.found).await?;
    let resource = SessionResource::of(&session, session.observed_at);
    Ok(allowed.reply("Session restarted.", resource).into_response())
}

/// Ends a session's pairing with its phone.
///
/// Repeatable.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/logout", operation_id = "sessions.logout", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn logout(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
) -> Result<Response, ApiError> {
    let session = sessions::logout(state.services(), &allowed.access, &allowed.found).await?;
    let resource = SessionResource::of(&session, session.observed_at);
    Ok(allowed.reply("Session logged out.", resource).into_response())
}

/// Deletes a session on WAHA and here.
///
/// A second time there is none.
#[utoipa::path(
    delete, path = "/api/waha/sessions/{sessionId}", operation_id = "sessions.delete", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn delete(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ManageSessions>,
) -> Result<Response, ApiError> {
    sessions::delete(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed.reply("Session deleted.", Nothing).into_response())
}
