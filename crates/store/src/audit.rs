//! The audit log: rows are added and read, and nothing here can change one.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
};
use wahana_domain::{
    ActorKind, AuditEntry, AuditEntryId, AuditOutcome, OrganizationId, SessionId, Timestamp, TokenId, UserId,
};

use crate::{
    StoreError, TenantTx,
    entity::audit_entry,
    transaction::{Transaction, within_database},
};

/// Which entries a reader of the log wants.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this operation.
    pub operation: Option<String>,
    /// Since then.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
    /// Older than this entry: where the last page ended.
    pub before: Option<Position>,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the entry was written.
    pub created_at: Timestamp,
    /// Which of those written then.
    pub id: AuditEntryId,
}

/// Adds an entry to the organization's log.
pub async fn insert(tx: &TenantTx, entry: &AuditEntry) -> Result<(), StoreError> {
    tx.insert(row(entry)).await
}

/// A page of the organization's log, newest first.
pub async fn page(tx: &TenantTx, query: &AuditQuery, limit: u64) -> Result<Vec<AuditEntry>, StoreError> {
    use audit_entry::Column;
    let condition = Condition::all()
        .add_option(query.user.map(|user| Column::UserId.eq(user.as_uuid())))
        .add_option(
            query
                .session
                .map(|session| Column::SessionId.eq(session.as_uuid())),
        )
        .add_option(
            query
                .operation
                .as_deref()
                .map(|operation| Column::Operation.eq(operation)),
        )
        .add_option(query.since.map(|since| Column::CreatedAt.gte(since.as_micros())))
        .add_option(query.until.map(|until| Column::CreatedAt.lt(until.as_micros())))
        .add_option(query.before.as_ref().map(older_than));
    let rows = tx
        .find::<audit_entry::Entity>()
        .filter(condition)
        .order_by(Column::CreatedAt, Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(limit)
        .all()
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// A page of what belongs to no organization, and of what operators did to organizations.
pub(crate) async fn platform_page(
    transaction: &Transaction,
    before: Option<&Position>,
    limit: u64,
) -> Result<Vec<AuditEntry>, StoreError> {
    use audit_entry::Column;
    let rows = audit_entry::Entity::find()
        .filter(
            Condition::all()
                .add(operators_own())
                .add_option(before.map(older_than)),
        )
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(within_database(limit))
        .all(transaction)
        .await?;
    rows.into_iter().map(from_row).collect()
}

fn operators_own() -> Condition {
    use audit_entry::Column;
    let operators = [ActorKind::PlatformAdministrator, ActorKind::CommandLine];
    Condition::any()
        .add(Column::OrganizationId.is_null())
        .add(Column::Actor.is_in(operators.map(ActorKind::as_str)))
}

fn older_than(position: &Position) -> Condition {
    use audit_entry::Column;
    let at = position.created_at.as_micros();
    Condition::any().add(Column::CreatedAt.lt(at)).add(
        Condition::all()
            .add(Column::CreatedAt.eq(at))
            .add(Column::Id.lt(position.id.as_uuid())),
    )
}

pub(crate) fn row(entry: &AuditEntry) -> audit_entry::ActiveModel {
    audit_entry::ActiveModel {
        id: Set(entry.id.as_uuid()),
        organization_id: Set(entry.organization_id.map(OrganizationId::as_uuid)),
        actor: Set(entry.actor.as_str().to_owned()),
        user_id: Set(entry.user_id.map(UserId::as_uuid)),
        token_id: Set(entry.token_id.as_ref().map(|token| token.as_str().to_owned())),
        session_id: Set(entry.session_id.map(SessionId::as_uuid)),
        operation: Set(entry.operation.clone()),
        outcome: Set(entry.outcome.as_str().to_owned()),
        error_code: Set(entry.outcome.error_code().map(str::to_owned)),
        source_address: Set(entry.source_address.map(|address| address.to_string())),
        request_id: Set(entry.request_id.clone()),
        created_at: Set(entry.created_at.as_micros()),
    }
}

fn from_row(row: audit_entry::Model) -> Result<AuditEntry, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "audit_entries",
        column,
        row: row.id.to_string(),
    };
    let outcome = match (row.outcome.as_str(), row.error_code) {
        ("intent", _) => AuditOutcome::Intent,
        ("success", _) => AuditOutcome::Success,
        ("failure", Some(error_code)) => AuditOutcome::Failure { error_code },
        _ => return Err(inconsistent("outcome")),
    };
    Ok(AuditEntry {
        id: row.id.into(),
        organization_id: row.organization_id.map(OrganizationId::from),
        actor: ActorKind::from_word(&row.actor).ok_or_else(|| inconsistent("actor"))?,
        user_id: row.user_id.map(UserId::from),
        token_id: row
            .token_id
            .as_deref()
            .map(TokenId::parse)
            .transpose()
            .map_err(|_| inconsistent("token_id"))?,
        session_id: row.session_id.map(SessionId::from),
        operation: row.operation.clone(),
        outcome,
        source_address: row
            .source_address
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| inconsistent("source_address"))?,
        request_id: row.request_id.clone(),
        created_at: Timestamp::from_micros(row.created_at),
    })
}
