//! `/api/waha/members`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wahana_domain::{EmailAddress, Member, Role, Timestamp, UserId};
use wahana_service::{
    FieldErrors,
    access::{BeMember, ManageMembers},
    members,
};

use crate::{
    envelope::{Envelope, Nothing, Pagination},
    error::{ApiError, ErrorBody},
    extract::{Allowed, Json, OfMember, OfOrganization, Paging, Query},
    state::ApiState,
};

/// A member of the organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberResource {
    #[schema(value_type = String, format = Uuid)]
    user_id: UserId,
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    display_name: String,
    #[schema(value_type = String)]
    role: Role,
    /// Whether the platform disabled the person.
    is_disabled: bool,
    /// Since when they are a member.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What to change of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMember {
    /// `owner`, `admin`, `agent` or `viewer`.
    role: String,
}

impl From<Member> for MemberResource {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user_id,
            email: member.email,
            display_name: member.display_name,
            role: member.role,
            is_disabled: member.is_disabled,
            created_at: member.created_at,
        }
    }
}

/// The organization's members, the oldest first.
#[utoipa::path(
    get, path = "/api/waha/members", operation_id = "members.list", tag = "members", params(Paging),
    responses((status = OK, body = Envelope<Vec<MemberResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ManageMembers>,
    Query(paging): Query<Paging>,
) -> Result<Response, ApiError> {
    let page = paging.check()?;
    let (members, total) = members::page(state.services(), &allowed.access, page.offset(), page.size).await?;
    let pagination = Pagination::of(page.number, page.size, total, members.len());
    let resources: Vec<MemberResource> = members.into_iter().map(Into::into).collect();
    Ok(allowed
        .reply("Members retrieved.", resources)
        .with_pagination(pagination)
        .into_response())
}

/// One member.
#[utoipa::path(
    get, path = "/api/waha/members/{userId}", operation_id = "members.get", tag = "members",
    params(("userId" = String, Path)),
    responses((status = OK, body = Envelope<MemberResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn get(allowed: Allowed<OfMember, ManageMembers>) -> Response {
    let resource = MemberResource::from((*allowed.found).clone());
    allowed.reply("Member retrieved.", resource).into_response()
}

/// Gives a member another role.
///
/// Admins manage all but owners; an organization keeps an owner.
#[utoipa::path(
    patch, path = "/api/waha/members/{userId}", operation_id = "members.update", tag = "members",
    params(("userId" = String, Path)), request_body = UpdateMember,
    responses((status = OK, body = Envelope<MemberResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn update(
    State(state): State<ApiState>,
    allowed: Allowed<OfMember, ManageMembers>,
    Json(body): Json<UpdateMember>,
) -> Result<Response, ApiError> {
    let mut errors = FieldErrors::default();
    let role = errors.take("role", body.role.parse::<Role>());
    let role = errors.finish(role)?;
    let member = members::set_role(state.services(), &allowed.access, &allowed.found, role).await?;
    Ok(allowed
        .reply("Member updated.", MemberResource::from(member))
        .into_response())
}

/// Takes a member out of the organization; their tokens for it end.
///
/// Everybody may leave by themselves.
#[utoipa::path(
    delete, path = "/api/waha/members/{userId}", operation_id = "members.remove", tag = "members",
    params(("userId" = String, Path)),
    responses((status = OK, body = Envelope<Nothing>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    allowed: Allowed<OfMember, BeMember>,
) -> Result<Response, ApiError> {
    members::remove(state.services(), &allowed.access, &allowed.found).await?;
    Ok(allowed.reply("Member removed.", Nothing).into_response())
}
