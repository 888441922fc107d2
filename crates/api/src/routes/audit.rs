//! `/api/waha/audit-log`

use std::net::IpAddr;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{AuditEntry, AuditEntryId, SessionId, Timestamp, TokenId, UserId};
use wahana_service::{
    FieldErrors,
    access::ReadAudit,
    audit::{self, AuditQuery},
};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, NextCursor, OfOrganization, Query, limit, position},
    state::ApiState,
};

/// Who did what, and what came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntryResource {
    #[schema(value_type = String, format = Uuid)]
    id: AuditEntryId,
    /// `user`, `token`, `platform_administrator`, `command_line` or `system`.
    actor: &'static str,
    /// The user behind it, if there is one.
    #[schema(value_type = Option<String>, format = Uuid)]
    user_id: Option<UserId>,
    /// The token that was used, if one was.
    #[schema(value_type = Option<String>)]
    token_id: Option<TokenId>,
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// What was done, by its `operationId`.
    operation: String,
    /// `intent` before WAHA is asked, and then `success` or `failure`.
    outcome: &'static str,
    /// Why not, if it failed.
    error_code: Option<String>,
    #[schema(value_type = Option<String>)]
    source_address: Option<IpAddr>,
    request_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditFilter {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// Where to go on: the `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Of this user.
    #[param(format = Uuid)]
    user_id: Option<String>,
    /// Of the session with this id, which may be deleted.
    #[param(format = Uuid)]
    session_id: Option<String>,
    /// Of this operation, such as `members.remove`.
    operation: Option<String>,
    /// Since then.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before then.
    #[param(format = DateTime)]
    until: Option<String>,
}

impl AuditFilter {
    fn check(self) -> Result<(AuditQuery, u64), FieldErrors> {
        let mut errors = FieldErrors::default();
        let limit = limit(self.limit, &mut errors);
        let before = position(self.cursor, &mut errors);
        let user = self
            .user_id
            .and_then(|text| errors.take("user_id", text.parse().map_err(|_| "must be the id of a user")));
        let session = self.session_id.and_then(|text| {
            errors.take(
                "session_id",
                text.parse().map_err(|_| "must be the id of a session"),
            )
        });
        let mut time =
            |field, text: Option<String>| text.and_then(|text| errors.take(field, Timestamp::parse(&text)));
        let (since, until) = (time("since", self.since), time("until", self.until));
        let query = AuditQuery {
            user,
            session,
            operation: self.operation,
            since,
            until,
            before,
        };
        errors.finish(limit.map(|limit| (query, limit)))
    }
}

impl From<AuditEntry> for AuditEntryResource {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            actor: entry.actor.as_str(),
            user_id: entry.user_id,
            token_id: entry.token_id,
            session_id: entry.session_id,
            operation: entry.operation,
            outcome: entry.outcome.as_str(),
            error_code: entry.outcome.error_code().map(str::to_owned),
            source_address: entry.source_address,
            request_id: entry.request_id,
            created_at: entry.created_at,
        }
    }
}

/// The organization's audit log, newest first.
#[utoipa::path(
    get, path = "/api/waha/audit-log", operation_id = "audit_log.list", tag = "audit log", params(AuditFilter),
    responses(
        (status = OK, body = Envelope<Vec<AuditEntryResource>, NextCursor>),
        (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    allowed: Allowed<OfOrganization, ReadAudit>,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, ApiError> {
    let (query, limit) = filter.check()?;
    let page = audit::page(state.services(), &allowed.access, &query, limit).await?;
    let resources: Vec<AuditEntryResource> = page.entries.into_iter().map(Into::into).collect();
    Ok(allowed
        .reply("Audit log retrieved.", resources)
        .with_meta(NextCursor::of(page.next))
        .into_response())
}
