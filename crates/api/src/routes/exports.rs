//! `/api/waha/exports`

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{Export, ExportId, Timestamp};
use wahana_service::{access::ExportOrganization, exports};

use super::messages::FileBytes;
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfExport, OfOrganization},
    file_response::file_response,
    state::ApiState,
};

/// The export of what is kept of the organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportResource {
    #[schema(value_type = String, format = Uuid)]
    id: ExportId,
    /// `running`, `done`, `failed`, or `expired` when its file is not kept any more.
    state: &'static str,
    /// How many lines were written so far.
    lines: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was done or given up; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Until when its file can be fetched; null as long as there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl ExportResource {
    fn new(export: &Export, now: Timestamp) -> Self {
        Self {
            id: export.id,
            state: export.state(now).as_str(),
            lines: export.rows,
            created_at: export.created_at,
            finished_at: export.finished_at,
            expires_at: export.expires_at,
        }
    }
}

/// Exports everything that wahana keeps of the organization.
///
/// The organization, its members, invitations, tokens, webhooks, sessions, messages with what they say, and audit log,
/// as lines of JSON; without secrets, and without the bytes of files. It takes the place of the export before. It goes
/// on in the background.
#[utoipa::path(
    post, path = "/api/waha/exports", operation_id = "exports.create", tag = "exports",
    responses((status = ACCEPTED, body = Envelope<ExportResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ExportOrganization>,
) -> Result<Response, ApiError> {
    let export = exports::create(state.services(), &allowed.access).await?;
    let resource = ExportResource::new(&export, state.services().now());
    let reply = allowed.reply("The organization is being exported.", resource);
    Ok(reply.with_status(StatusCode::ACCEPTED).into_response())
}

/// How far an export came.
#[utoipa::path(
    get, path = "/api/waha/exports/{exportId}", operation_id = "exports.get", tag = "exports",
    params(("exportId" = String, Path)),
    responses((status = OK, body = Envelope<ExportResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    allowed: Allowed<OfExport, ExportOrganization>,
) -> Response {
    let resource = ExportResource::new(&allowed.found, state.services().now());
    allowed.reply("Export retrieved.", resource).into_response()
}

/// The file of an export, or a part of it.
///
/// While it is made this is 409, and when it is not kept any more 404. The audit log says who fetched it.
#[utoipa::path(
    get, path = "/api/waha/exports/{exportId}/file", operation_id = "exports.file", tag = "exports",
    params(
        ("exportId" = String, Path),
        ("range" = Option<String>, Header, description = "Which part, as in `bytes=0-1023`; one part at a time"),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of what the caller has"),
        ("if-range" = Option<String>, Header, description = "The `ETag` of what the caller has a part of"),
    ),
    responses(
        (
            status = OK, description = "Lines of JSON", body = FileBytes,
            content_type = "application/x-ndjson",
        ),
        (
            status = PARTIAL_CONTENT, description = "A part of them", body = FileBytes,
            content_type = "application/x-ndjson",
        ),
        (status = NOT_MODIFIED, description = "The caller has it"), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn file(
    State(state): State<ApiState>,
    allowed: Allowed<OfExport, ExportOrganization>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let services = state.services();
    let file = exports::file(services, &allowed.access, &allowed.found).await?;
    file_response(services, &file, &headers).await
}
