//! `GET /api/waha/sessions/{sessionId}/groups`

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::Timestamp;
use wahana_service::{
    access::ReadContacts,
    groups::{self, Group},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession, Query},
    part::{ListIdentity, PartMeta, PartParams},
    state::ApiState,
};

/// A group.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupResource {
    /// Such as `120363041234567890@g.us`.
    id: String,
    name: Option<String>,
    description: Option<String>,
    /// How many people are in it; null if WAHA does not say it.
    participant_count: Option<u64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// Who made it, as a chat id.
    owner: Option<String>,
}

impl From<Group> for GroupResource {
    fn from(group: Group) -> Self {
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            participant_count: group.participant_count,
            created_at: group.created_at,
            owner: group.owner,
        }
    }
}

/// The groups that the session's account is in.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/groups", operation_id = "groups.list", tag = "groups",
    params(("sessionId" = String, Path, description = "The session's name or id"), PartParams),
    responses(
        (status = OK, body = Envelope<Vec<GroupResource>, PartMeta>), (status = "4XX", body = ErrorBody),
        (status = "5XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadContacts>,
    Query(params): Query<PartParams>,
) -> Result<Response, ApiError> {
    let list = ListIdentity::new("groups.list", allowed.found.id);
    let query = params.check(&list)?;
    let part = groups::list(state.services(), &allowed.access, &allowed.found, query).await?;
    Ok(list.answer(&allowed, "Groups retrieved.", part, GroupResource::from))
}
