//! `/api/platform/organizations/{organizationId}/erasure`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{OrganizationErasure, Timestamp};
use wahana_service::platform::erasures;

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Json, OfAnyOrganization, Operated},
    state::ApiState,
};

/// The erasure of a whole organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationErasureResource {
    /// `running` or `done`.
    state: &'static str,
    /// How many rows were deleted so far.
    rows: u64,
    /// What it waits for, in words, as long as it does: a WAHA server that is away, for example.
    waits_for: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When nothing was left; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<OrganizationErasure> for OrganizationErasureResource {
    fn from(erasure: OrganizationErasure) -> Self {
        Self {
            state: erasure.state(),
            rows: erasure.rows,
            waits_for: erasure.waits_for,
            created_at: erasure.created_at,
            finished_at: erasure.finished_at,
        }
    }
}

/// Which organization is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseOrganization {
    /// Its name, so that it is the right one.
    name: String,
}

/// Erases everything that wahana keeps of a closed organization. This cannot be undone.
///
/// Its sessions are deleted on WAHA, with their pairing. Then everything goes but its id and its audit log, which ends
/// when it is past its time; people go who belong to no other organization and operate nothing. It goes on in the
/// background.
#[utoipa::path(
    post, path = "/api/platform/organizations/{organizationId}/erasure",
    operation_id = "platform.organizations.erase", tag = "platform",
    params(("organizationId" = String, Path)), request_body = EraseOrganization,
    responses(
        (status = ACCEPTED, body = Envelope<OrganizationErasureResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
    Json(body): Json<EraseOrganization>,
) -> Result<Response, ApiError> {
    let id = operated.found.id;
    let erasure = erasures::create(state.services(), &operated.operator, id, &body.name).await?;
    let resource = OrganizationErasureResource::from(erasure);
    let reply = operated.reply("The organization is being erased.", resource);
    Ok(reply.with_status(StatusCode::ACCEPTED).into_response())
}

/// How far the erasure of an organization came.
#[utoipa::path(
    get, path = "/api/platform/organizations/{organizationId}/erasure",
    operation_id = "platform.organizations.erasure", tag = "platform",
    params(("organizationId" = String, Path)),
    responses(
        (status = OK, body = Envelope<OrganizationErasureResource>), (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    operated: Operated<OfAnyOrganization>,
) -> Result<Response, ApiError> {
    let erasure = erasures::get(state.services(), &operated.operator, operated.found.id).await?;
    let resource = OrganizationErasureResource::from(erasure);
    Ok(operated.reply("Erasure retrieved.", resource).into_response())
}
