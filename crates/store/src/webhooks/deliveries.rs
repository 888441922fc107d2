//! Events on their way to endpoints, as people look at them.

use std::sync::Arc;

use sea_orm::{
    ColumnTrait, Condition, Order,
    sea_query::{Expr, IntoCondition as _, SimpleExpr},
};
use uuid::Uuid;
use wahana_domain::{
    DeliveryState, SessionId, Timestamp, WebhookDelivery, WebhookDeliveryId, WebhookEndpointId,
};

use crate::{
    StoreError, TenantTx,
    entity::{
        webhook_delivery::{Column, Entity, Model},
        webhook_endpoint,
    },
};

/// The number that tests have, which are no event's.
pub(super) const TEST_NUMBER: i64 = 0;

/// Which deliveries of an endpoint are wanted.
#[derive(Clone, Debug)]
pub struct DeliveryQuery {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of events of these sessions, and tests; `None` for all.
    pub sessions: Option<Arc<[SessionId]>>,
    /// That were written down before this one.
    pub before: Option<WebhookDeliveryId>,
    /// At most so many.
    pub limit: u64,
}

/// Spelled out, because only then do both databases see that the partial index holds all of them.
pub(crate) fn is_waiting() -> SimpleExpr {
    Expr::cust("state = 'waiting'")
}

pub(super) fn has_failed() -> SimpleExpr {
    Expr::cust("state = 'failed'")
}

/// An endpoint's deliveries, the newest first.
pub async fn page(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    query: &DeliveryQuery,
) -> Result<Vec<WebhookDelivery>, StoreError> {
    let state = query.state.map(|state| match state {
        DeliveryState::Waiting => is_waiting(),
        DeliveryState::Failed => has_failed(),
        DeliveryState::Delivered => Column::State.eq(state.as_str()),
    });
    let seen = query.sessions.as_deref().map(|sessions| {
        Condition::any()
            .add(Column::EventNumber.eq(TEST_NUMBER))
            .add(Column::SessionId.is_in(sessions.iter().map(|session| session.as_uuid())))
    });
    let condition = Condition::all()
        .add(Column::EndpointId.eq(endpoint.as_uuid()))
        .add_option(state)
        .add_option(seen)
        .add_option(query.before.map(|before| Column::Id.lt(before.as_uuid())));
    let rows = tx
        .find::<Entity>()
        .filter(condition)
        .order_by(Column::Id, Order::Desc)
        .limit(query.limit)
        .all()
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// One delivery.
pub async fn delivery(tx: &TenantTx, id: WebhookDeliveryId) -> Result<Option<WebhookDelivery>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.one().await?.map(from_row).transpose()
}

/// Gives up some of what waits for an endpoint; says how many deliveries.
pub(super) async fn fail_waiting(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    reason: &str,
    limit: u64,
) -> Result<u64, StoreError> {
    let waiting = some(tx, endpoint, is_waiting().into_condition(), limit).await?;
    tx.update::<Entity>()
        .set(Column::State, DeliveryState::Failed.as_str())
        .set(Column::DueAt, None::<i64>)
        .set(Column::LastError, reason)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.is_in(waiting))
        .run()
        .await
}

/// Lets what would be tried after then be tried now; says how many deliveries.
pub(super) async fn hasten(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    after: Timestamp,
) -> Result<u64, StoreError> {
    tx.update::<Entity>()
        .set(Column::DueAt, tx.now().as_micros())
        .filter(Column::EndpointId.eq(endpoint.as_uuid()))
        .filter(is_waiting())
        .filter(Column::DueAt.gt(after.as_micros()))
        .run()
        .await
}

/// Deletes some of an endpoint's deliveries with their attempts; says how many.
pub(super) async fn delete_some(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    limit: u64,
) -> Result<u64, StoreError> {
    let ids = some(tx, endpoint, Condition::all(), limit).await?;
    tx.delete::<Entity>(Column::Id.is_in(ids)).await
}

/// The first of an endpoint's deliveries of which this is so: few enough for one statement, so that nobody waits long.
/// The caller holds the endpoint's lock.
pub(super) async fn some(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    which: Condition,
    limit: u64,
) -> Result<Vec<Uuid>, StoreError> {
    tx.find::<Entity>()
        .filter(Column::EndpointId.eq(endpoint.as_uuid()))
        .filter(which)
        .order_by(Column::Id, Order::Asc)
        .limit(limit)
        .distinct_uuids(Column::Id)
        .await
}

pub(super) fn from_row(row: Model) -> Result<WebhookDelivery, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "webhook_deliveries",
        column,
        row: row.id.to_string(),
    };
    Ok(WebhookDelivery {
        id: row.id.into(),
        endpoint_id: row.endpoint_id.into(),
        event_number: row.event_number,
        event_id: row.event_id.into(),
        session_id: row.session_id.map(Into::into),
        state: DeliveryState::from_word(&row.state).ok_or_else(|| inconsistent("state"))?,
        last_status: row
            .last_status
            .map(u16::try_from)
            .transpose()
            .map_err(|_| inconsistent("last_status"))?,
        event_name: row.event_name,
        attempts: row.attempts,
        next_attempt_at: row.due_at.map(Timestamp::from_micros),
        last_error: row.last_error,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

/// Deletes what was told or is to be told of these messages, and what receivers answered. What is being tried is over
/// with it.
pub(crate) async fn forget_messages(tx: &TenantTx, messages: &[Uuid]) -> Result<(), StoreError> {
    lock_endpoints(tx).await?;
    tx.delete::<Entity>(Column::MessageId.is_in(messages.iter().copied()))
        .await?;
    Ok(())
}

/// The same of these events, which are of no message.
pub(crate) async fn forget_events(
    tx: &TenantTx,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<(), StoreError> {
    let endpoints = lock_endpoints(tx).await?;
    let told = Condition::all()
        // With the endpoints, because events are found by them.
        .add(Column::EndpointId.is_in(endpoints))
        .add(Column::EventNumber.is_in(numbers));
    tx.delete::<Entity>(told).await?;
    Ok(())
}

/// Whoever makes deliveries of events holds these, and must find gone what is told of, or be done.
async fn lock_endpoints(tx: &TenantTx) -> Result<Vec<Uuid>, StoreError> {
    let endpoints = tx
        .find::<webhook_endpoint::Entity>()
        .order_by(webhook_endpoint::Column::Id, Order::Asc)
        .lock()
        .all()
        .await?;
    Ok(endpoints.into_iter().map(|endpoint| endpoint.id).collect())
}

/// Lets the deliveries of a message that turned out to be another one be of that.
pub(crate) async fn point_to(tx: &TenantTx, from: Uuid, to: Uuid) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::MessageId, to)
        .filter(Column::MessageId.eq(from))
        .run()
        .await?;
    Ok(())
}
