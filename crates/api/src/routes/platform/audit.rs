//! `/api/platform/audit-log`

use std::net::IpAddr;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wahana_domain::{AuditEntry, AuditEntryId, OrganizationId, SessionId, Timestamp, TokenId, UserId};
use wahana_service::{FieldErrors, audit::Position, platform::audit};

use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{NextCursor, Operated, Query, limit, position},
    state::ApiState,
};

/// A row of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlatformAuditEntryResource {
    #[schema(value_type = String, format = Uuid)]
    id: AuditEntryId,
    #[schema(value_type = Option<String>, format = Uuid)]
    organization_id: Option<OrganizationId>,
    /// `user`, `token`, `platform_administrator`, `command_line` or `system`.
    actor: &'static str,
    #[schema(value_type = Option<String>, format = Uuid)]
    user_id: Option<UserId>,
    #[schema(value_type = Option<String>)]
    token_id: Option<TokenId>,
    #[schema(value_type = Option<String>, format = Uuid)]
    session_id: Option<SessionId>,
    /// What was done, such as `platform.servers.create`.
    operation: String,
    /// `intent`, `success` or `failure`.
    outcome: &'static str,
    /// With `failure`.
    error_code: Option<String>,
    /// From where; null for the command line and wahana itself.
    #[schema(value_type = Option<String>)]
    source_address: Option<IpAddr>,
    request_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Which part of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditPaging {
    /// How many rows.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// Where the page begins: `meta.next_cursor` of the one before.
    cursor: Option<String>,
}

impl AuditPaging {
    fn check(self) -> Result<(Option<Position>, u64), FieldErrors> {
        let mut errors = FieldErrors::default();
        let limit = limit(self.limit, &mut errors);
        let before = position(self.cursor, &mut errors);
        errors.finish(limit.map(|limit| (before, limit)))
    }
}

impl From<AuditEntry> for PlatformAuditEntryResource {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            organization_id: entry.organization_id,
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

/// What concerns no organization, and what operators did to any, newest first.
#[utoipa::path(
    get, path = "/api/platform/audit-log", operation_id = "platform.audit_log.list", tag = "platform",
    params(AuditPaging),
    responses(
        (status = OK, body = Envelope<Vec<PlatformAuditEntryResource>, NextCursor>),
        (status = "4XX", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    operated: Operated,
    Query(paging): Query<AuditPaging>,
) -> Result<Response, ApiError> {
    let (before, limit) = paging.check()?;
    let page = audit::page(state.services(), &operated.operator, before.as_ref(), limit).await?;
    let resources: Vec<PlatformAuditEntryResource> = page.entries.into_iter().map(Into::into).collect();
    Ok(operated
        .reply("Audit log retrieved.", resources)
        .with_meta(NextCursor::of(page.next))
        .into_response())
}
