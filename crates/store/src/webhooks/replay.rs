//! Delivering again.
//!
//! What is delivered again is the same delivery, of the same event: it goes from its end, or from wherever it is, back
//! to its beginning. Whoever tries it at the moment does not decide about it any more.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ExprTrait, sea_query::Expr};
use uuid::Uuid;
use wahana_domain::{
    DeliveryState, EventId, Timestamp, WebhookDelivery, WebhookDeliveryId, WebhookEndpoint, WebhookEndpointId,
};

use super::{
    deliveries::{self, TEST_NUMBER, has_failed, some},
    fan_out::{ToldAs, new_row},
};
use crate::{
    StoreError, TenantTx,
    entity::webhook_delivery::{ActiveModel, Column, Entity},
    organization_events::{self, EventRange, WrittenEvent},
};

/// What was found to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many deliveries that are.
    pub deliveries: u64,
    /// The number of the first event that was not looked at; `None` if all of the range were.
    pub next_number: Option<i64>,
}

/// Writes down a test, told under this name. The caller holds the endpoint's lock.
pub async fn send_test(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    name: &str,
) -> Result<WebhookDelivery, StoreError> {
    let test = WrittenEvent {
        number: TEST_NUMBER,
        id: EventId::new(),
        event_type: String::new(),
        session: None,
        message: None,
        data: String::new(),
        happened_at: tx.now(),
        created_at: tx.now(),
    };
    let id = WebhookDeliveryId::new();
    tx.insert(ActiveModel {
        id: Set(id.as_uuid()),
        ..new_row(tx, endpoint, &test, name.to_owned())
    })
    .await?;
    deliveries::delivery(tx, id)
        .await?
        .ok_or_else(|| StoreError::Database("a delivery that was written is not there".to_owned()))
}

/// Delivers one delivery again. The caller holds its endpoint's lock.
pub async fn replay_delivery(tx: &TenantTx, id: WebhookDeliveryId) -> Result<bool, StoreError> {
    Ok(begin_again(tx, Condition::all().add(Column::Id.eq(id.as_uuid()))).await? == 1)
}

/// Delivers some of what failed up to then again; says how much that is. The caller holds the endpoint's lock.
pub async fn replay_failed(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    until: Timestamp,
    limit: u64,
) -> Result<u64, StoreError> {
    let failed = Condition::all()
        .add(has_failed())
        .add(Column::UpdatedAt.lte(until.as_micros()));
    let failed = some(tx, endpoint, failed, limit).await?;
    begin_again(tx, Condition::all().add(Column::Id.is_in(failed))).await
}

/// Delivers those of a range of events that are the endpoint's, whether they were delivered before or not, looking at
/// `limit` events at most. Events that are yet to become deliveries are left out. The caller holds the endpoint's lock.
pub async fn replay_range(
    tx: &TenantTx,
    endpoint: &WebhookEndpoint,
    range: &EventRange,
    told_as: ToldAs<'_>,
    limit: u64,
) -> Result<Replayed, StoreError> {
    let to_number = std::cmp::min(range.to_number, endpoint.position);
    let events = organization_events::of_range(tx, &EventRange { to_number, ..*range }, limit).await?;
    let is_all = u64::try_from(events.len()).unwrap_or(u64::MAX) < limit;
    let next_number = events.last().map(|event| event.number + 1);
    let wanted: Vec<_> = events
        .iter()
        .flat_map(|event| {
            told_as(endpoint, event)
                .into_iter()
                .map(move |name| (event, name))
        })
        .collect();
    let known = tx
        .find::<Entity>()
        .filter(Column::EndpointId.eq(endpoint.id.as_uuid()))
        .filter(Column::EventNumber.is_in(wanted.iter().map(|(event, _)| event.number)))
        .filter(Expr::cust("event_number > 0"))
        .all()
        .await?;
    let known: HashMap<(i64, String), Uuid> = known
        .into_iter()
        .map(|row| ((row.event_number, row.event_name), row.id))
        .collect();
    let count = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
    let (mut again, mut absent) = (Vec::new(), Vec::new());
    for (event, name) in wanted {
        match known.get(&(event.number, name.clone())) {
            Some(id) => again.push(*id),
            None => absent.push(new_row(tx, endpoint.id, event, name)),
        }
    }
    tx.insert_many(absent).await?;
    begin_again(tx, Condition::all().add(Column::Id.is_in(again))).await?;
    Ok(Replayed {
        deliveries: count,
        next_number: next_number.filter(|next| !is_all && *next <= to_number),
    })
}

async fn begin_again(tx: &TenantTx, which: Condition) -> Result<u64, StoreError> {
    let now = tx.now().as_micros();
    tx.update::<Entity>()
        .set(Column::State, DeliveryState::Waiting.as_str())
        .set(Column::Attempts, 0_i64)
        .set(Column::DueAt, now)
        .set_expression(Column::LeaseEpoch, Expr::col(Column::LeaseEpoch).add(1))
        .set(Column::UpdatedAt, now)
        .filter(which)
        .run()
        .await
}
