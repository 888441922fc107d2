//! `/api/platform/sessions`: sessions that were on a WAHA server before wahana was, and moving sessions

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{OrganizationId, PhoneNumber, ServerId, SessionId, SessionName, SessionStatus};
use wahana_service::{
    FieldErrors,
    adoption::{self, Assignment, AssignmentOutcome, UnassignedSession},
    platform::moving::{self, Move, Moved},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Json, OfAnySession, Operated, Query},
    state::ApiState,
};

/// Which sessions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListUnassigned {
    /// On the server of this name only.
    server: Option<String>,
}

/// A session on a WAHA server that belongs to no organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnassignedResource {
    #[schema(value_type = String, format = Uuid)]
    server_id: ServerId,
    server: String,
    /// Its name on that server.
    waha_name: String,
    /// WAHA's word for what it is doing.
    waha_status: String,
    #[schema(value_type = Option<String>)]
    phone_number: Option<PhoneNumber>,
}

/// Sessions to be given to organizations: all of them, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignSessions {
    #[schema(min_items = 1, max_items = 1000)]
    assignments: Vec<AssignmentFields>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// A session to be given to an organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignmentFields {
    /// The WAHA server's name.
    server: String,
    /// The session's name there.
    waha_name: String,
    #[schema(format = Uuid)]
    organization_id: String,
    /// Its name in the organization.
    #[schema(max_length = 54)]
    session_name: String,
}

/// What became of an assignment, or would.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssignmentResource {
    server: String,
    waha_name: String,
    #[schema(value_type = String, format = Uuid)]
    organization_id: OrganizationId,
    #[schema(value_type = String)]
    session_name: SessionName,
    /// Whether it can be, or was, assigned.
    possible: bool,
    /// The session's id, once it was assigned.
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// Why not.
    reason: Option<String>,
}

const MAX_ASSIGNMENTS: usize = 1000;

impl AssignSessions {
    fn check(self) -> Result<(Vec<Assignment>, bool), FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.assignments.is_empty() || self.assignments.len() > MAX_ASSIGNMENTS {
            errors.add("assignments", format!("must be 1 to {MAX_ASSIGNMENTS} lines"));
        }
        let mut assignments = Vec::with_capacity(self.assignments.len());
        for (line, fields) in self.assignments.into_iter().enumerate() {
            let organization = fields
                .organization_id
                .parse()
                .map_err(|_| "must be the id of an organization");
            let organization = errors.take(&format!("assignments[{line}].organization_id"), organization);
            let name = SessionName::parse(&fields.session_name);
            let name = errors.take(&format!("assignments[{line}].session_name"), name);
            assignments.extend(organization.zip(name).map(|(organization, name)| Assignment {
                server: fields.server,
                waha_name: fields.waha_name,
                organization,
                name,
            }));
        }
        errors.finish(Some((assignments, self.dry_run)))
    }
}

impl From<UnassignedSession> for UnassignedResource {
    fn from(session: UnassignedSession) -> Self {
        Self {
            server_id: session.server_id,
            server: session.server_name,
            waha_name: session.waha_name,
            waha_status: session.waha_status,
            phone_number: session.phone_number,
        }
    }
}

impl From<AssignmentOutcome> for AssignmentResource {
    fn from(AssignmentOutcome { assignment, outcome }: AssignmentOutcome) -> Self {
        let (possible, session_id, reason) = match outcome {
            Ok(session_id) => (true, session_id, None),
            Err(reason) => (false, None, Some(reason)),
        };
        Self {
            server: assignment.server,
            waha_name: assignment.waha_name,
            organization_id: assignment.organization,
            session_name: assignment.name,
            possible,
            session_id,
            reason,
        }
    }
}

/// The sessions on WAHA servers that belong to no organization.
#[utoipa::path(
    get, path = "/api/platform/sessions/unassigned", operation_id = "platform.sessions.unassigned",
    tag = "platform", params(ListUnassigned),
    responses((status = OK, body = Envelope<Vec<UnassignedResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn unassigned(
    State(state): State<ApiState>,
    operated: Operated,
    Query(query): Query<ListUnassigned>,
) -> Result<Response, ApiError> {
    let found = adoption::unassigned(state.services(), &operated.operator, query.server.as_deref()).await?;
    let resources: Vec<UnassignedResource> = found.into_iter().map(Into::into).collect();
    Ok(operated
        .reply("Unassigned sessions retrieved.", resources)
        .into_response())
}

/// Gives sessions to organizations: all of them, or none.
///
/// If one of them cannot be given, none is: 422 says why for each line, a dry run in its answer. Nothing
/// changes on WAHA.
#[utoipa::path(
    post, path = "/api/platform/sessions/assign", operation_id = "platform.sessions.assign", tag = "platform",
    request_body = AssignSessions,
    responses((status = OK, body = Envelope<Vec<AssignmentResource>>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn assign(
    State(state): State<ApiState>,
    operated: Operated,
    Json(body): Json<AssignSessions>,
) -> Result<Response, ApiError> {
    let (assignments, is_dry_run) = body.check()?;
    let outcomes = adoption::assign(state.services(), &operated.operator, assignments, is_dry_run).await?;
    let resources: Vec<AssignmentResource> = outcomes.into_iter().map(Into::into).collect();
    let mut errors = FieldErrors::default();
    for (line, resource) in resources.iter().enumerate() {
        if let Some(reason) = &resource.reason {
            errors.add(&format!("assignments[{line}]"), reason);
        }
    }
    let is_possible = errors.by_field().is_empty();
    let message = match (is_possible, is_dry_run) {
        (true, true) => "All sessions can be assigned.",
        (true, false) => "Sessions assigned.",
        (false, true) => "Nothing would be assigned; see the reasons.",
        (false, false) => return Err(errors.into()),
    };
    Ok(operated.reply(message, resources).into_response())
}

/// Where a session goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveSession {
    /// The WAHA server.
    #[schema(format = Uuid)]
    server_id: String,
    /// Move it although WhatsApp restricts its account.
    #[serde(default)]
    force: bool,
}

/// A session that was moved. It must be paired again.
#[derive(Serialize, ToSchema)]
pub(crate) struct MovedResource {
    #[schema(value_type = String, format = Uuid)]
    id: SessionId,
    #[schema(value_type = String, format = Uuid)]
    organization_id: OrganizationId,
    #[schema(value_type = String)]
    session_name: SessionName,
    /// The WAHA server on which it is now.
    #[schema(value_type = String, format = Uuid)]
    server_id: ServerId,
    #[schema(value_type = String)]
    status: SessionStatus,
    /// Whether it was deleted on its old server; if not, that is done when the server is back.
    deleted_on_old_server: bool,
    /// Whether all of its configuration came along: what others than wahana configured can be had only from
    /// the old server.
    whole_configuration: bool,
}

impl From<Moved> for MovedResource {
    fn from(moved: Moved) -> Self {
        Self {
            id: moved.session.id,
            organization_id: moved.session.organization_id,
            session_name: moved.session.name,
            server_id: moved.session.waha.server,
            status: moved.session.status,
            deleted_on_old_server: moved.is_deleted_there,
            whole_configuration: moved.has_whole_configuration,
        }
    }
}

/// Moves a session to another WAHA server. It keeps its id, name, counters, messages and configuration, and must
/// be paired again.
#[utoipa::path(
    post, path = "/api/platform/sessions/{anySessionId}/move", operation_id = "platform.sessions.move",
    tag = "platform", params(("anySessionId" = String, Path, description = "The id of any organization's session.")),
    request_body = MoveSession,
    responses((status = OK, body = Envelope<MovedResource>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn move_to(
    State(state): State<ApiState>,
    operated: Operated<OfAnySession>,
    Json(body): Json<MoveSession>,
) -> Result<Response, ApiError> {
    let to = body
        .server_id
        .parse()
        .map_err(|_| FieldErrors::one("server_id", "must be the id of a WAHA server"))?;
    let wanted = Move {
        session: operated.found,
        to,
        is_forced: body.force,
    };
    let moved = moving::carry_out(state.services(), &operated.operator, wanted).await?;
    let message = if moved.is_deleted_there {
        "Session moved. It must be paired again."
    } else {
        "Session moved. It must be paired again, and is deleted on its old server when that is back."
    };
    Ok(operated
        .reply(message, MovedResource::from(moved))
        .into_response())
}
