//! Events on their way to endpoints, as people look at them.

use sea_orm::{
    ColumnTrait, Condition, Order,
    sea_query::{Expr, SimpleExpr},
};
use wahana_domain::{DeliveryState, Timestamp, WebhookDelivery, WebhookDeliveryId, WebhookEndpointId};

use crate::{
    StoreError, TenantTx,
    entity::webhook_delivery::{Column, Entity, Model},
};

/// Which deliveries of an endpoint are wanted.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryQuery {
    /// In this state.
    pub state: Option<DeliveryState>,
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
    let condition = Condition::all()
        .add(Column::EndpointId.eq(endpoint.as_uuid()))
        .add_option(state)
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

/// Gives up what waits for an endpoint.
pub(super) async fn fail_waiting(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    reason: &str,
) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::State, DeliveryState::Failed.as_str())
        .set(Column::DueAt, None::<i64>)
        .set(Column::LastError, reason)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::EndpointId.eq(endpoint.as_uuid()))
        .filter(is_waiting())
        .run()
        .await?;
    Ok(())
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
