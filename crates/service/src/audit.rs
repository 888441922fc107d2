//! The audit log: who did what, and what came of it.

use wahana_domain::{
    ActorKind, AuditEntry, AuditEntryId, AuditOutcome, ErrorCode, OrganizationId, SessionId, Timestamp,
};
pub use wahana_store::audit::{AuditQuery, Position};
use wahana_store::{PlatformTx, TenantTx};

use crate::{
    Context, Operator, Person, RequestOrigin, ServiceError, Services,
    access::{Granted, ReadAudit},
    context::Actor,
};

/// A page of the log and where the next one begins.
#[derive(Debug)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

impl AuditPage {
    /// Of the first `limit` entries, and whether there was one more.
    pub(crate) fn of(mut entries: Vec<AuditEntry>, limit: u64) -> Self {
        let has_more = u64::try_from(entries.len()).unwrap_or(u64::MAX) > limit;
        if has_more {
            entries.pop();
        }
        let last = entries.last().filter(|_| has_more);
        let next = last.map(|entry| Position {
            created_at: entry.created_at,
            id: entry.id,
        });
        Self { entries, next }
    }
}

/// A page of the organization's log.
pub async fn page(
    services: &Services,
    access: &Granted<ReadAudit>,
    query: &AuditQuery,
    limit: u64,
) -> Result<AuditPage, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let entries = wahana_store::audit::page(&tx, query, limit + 1).await?;
    Ok(AuditPage::of(entries, limit))
}

/// Writes that something was refused to a caller, unless the log already says how the request ended.
pub async fn record_refusal(
    services: &Services,
    context: &Context,
    operation: &str,
    session: Option<SessionId>,
    error_code: ErrorCode,
) -> Result<(), ServiceError> {
    if context.origin.outcome_is_recorded() {
        return Ok(());
    }
    let tx = services.store.write(context.caller.tenant()).await?;
    record(&tx, context, operation, session, failure(error_code)).await?;
    Ok(tx.commit().await?)
}

/// The same for an operator.
pub async fn record_refusal_to_operator(
    services: &Services,
    operator: &Operator,
    operation: &str,
    error_code: ErrorCode,
) -> Result<(), ServiceError> {
    record_refusal_on_platform(services, &operator.actor(), operation, error_code).await
}

/// The same for a person who is known, but not as a caller of an organization.
pub async fn record_refusal_to_person(
    services: &Services,
    person: &Person,
    operation: &str,
    error_code: ErrorCode,
) -> Result<(), ServiceError> {
    record_refusal_on_platform(services, &person.actor(), operation, error_code).await
}

async fn record_refusal_on_platform(
    services: &Services,
    actor: &Actor<'_>,
    operation: &str,
    error_code: ErrorCode,
) -> Result<(), ServiceError> {
    if actor.origin.is_some_and(RequestOrigin::outcome_is_recorded) {
        return Ok(());
    }
    let tx = services.store.platform_write().await?;
    add_to_platform(&tx, actor, None, operation, failure(error_code)).await?;
    Ok(tx.commit().await?)
}

/// The outcome of something that did not succeed.
pub(crate) fn failure(error_code: ErrorCode) -> AuditOutcome {
    AuditOutcome::Failure {
        error_code: error_code.as_str().to_owned(),
    }
}

/// Writes what a caller did, in the transaction that does it.
pub(crate) async fn record(
    tx: &TenantTx,
    context: &Context,
    operation: &str,
    session: Option<SessionId>,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    add(tx, &context.actor(), operation, session, outcome).await
}

/// Writes what came of what somebody asked for earlier, in the transaction that ends it.
pub(crate) async fn record_for(
    tx: &TenantTx,
    actor: &Actor<'_>,
    operation: &str,
    session: SessionId,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    add(tx, actor, operation, Some(session), outcome).await
}

/// Writes that a caller did what concerns no session, in the transaction that does it.
pub(crate) async fn record_success(
    tx: &TenantTx,
    context: &Context,
    operation: &str,
) -> Result<(), ServiceError> {
    record(tx, context, operation, None, AuditOutcome::Success).await
}

/// Writes that an operator did something in an organization, in the organization's transaction that does
/// it.
pub(crate) async fn record_by_operator_in(
    tx: &TenantTx,
    operator: &Operator,
    operation: &str,
    session: Option<SessionId>,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    add(tx, &operator.actor(), operation, session, outcome).await
}

/// Writes what wahana itself did in an organization, in the transaction that does it.
pub(crate) async fn record_by_system(
    tx: &TenantTx,
    operation: &str,
    session: Option<SessionId>,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    add(tx, &SYSTEM, operation, session, outcome).await
}

/// Writes that an operator did something, in the transaction that does it; in an organization's log if it
/// concerned one.
pub(crate) async fn record_by_operator(
    tx: &PlatformTx,
    operator: &Operator,
    organization: Option<OrganizationId>,
    operation: &str,
) -> Result<(), ServiceError> {
    record_on_platform(tx, &operator.actor(), organization, operation).await
}

/// Writes that a person did something who may belong to no organization, in the transaction that does it;
/// in an organization's log if it concerned one.
pub(crate) async fn record_on_platform(
    tx: &PlatformTx,
    actor: &Actor<'_>,
    organization: Option<OrganizationId>,
    operation: &str,
) -> Result<(), ServiceError> {
    add_to_platform(tx, actor, organization, operation, AuditOutcome::Success).await
}

async fn add(
    tx: &TenantTx,
    actor: &Actor<'_>,
    operation: &str,
    session: Option<SessionId>,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    let organization = Some(tx.organization_id());
    let entry = entry(actor, organization, operation, session, outcome, tx.now());
    Ok(wahana_store::audit::insert(tx, &entry).await?)
}

/// Writes what wahana itself did, in the platform's transaction that does it; in an organization's log if it
/// concerned one.
pub(crate) async fn record_by_system_on_platform(
    tx: &PlatformTx,
    organization: Option<OrganizationId>,
    operation: &str,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    add_to_platform(tx, &SYSTEM, organization, operation, outcome).await
}

/// wahana itself.
const SYSTEM: Actor<'static> = Actor {
    kind: ActorKind::System,
    user: None,
    token: None,
    origin: None,
};

async fn add_to_platform(
    tx: &PlatformTx,
    actor: &Actor<'_>,
    organization: Option<OrganizationId>,
    operation: &str,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    let entry = entry(actor, organization, operation, None, outcome, tx.now());
    Ok(tx.record(&entry).await?)
}

/// The row, after which the log says how the request ended.
fn entry(
    actor: &Actor<'_>,
    organization_id: Option<OrganizationId>,
    operation: &str,
    session_id: Option<SessionId>,
    outcome: AuditOutcome,
    created_at: Timestamp,
) -> AuditEntry {
    if outcome != AuditOutcome::Intent
        && let Some(origin) = actor.origin
    {
        origin.set_outcome_recorded();
    }
    AuditEntry {
        id: AuditEntryId::new(),
        organization_id,
        actor: actor.kind,
        user_id: actor.user,
        token_id: actor.token.cloned(),
        session_id,
        operation: operation.to_owned(),
        outcome,
        source_address: actor.origin.and_then(|origin| origin.source_address),
        request_id: actor.origin.map(|origin| origin.request_id.clone()),
        created_at,
    }
}
