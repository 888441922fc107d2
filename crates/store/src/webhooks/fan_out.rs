//! Making deliveries of what has happened.

use sea_orm::{ActiveValue::Set, ColumnTrait, Order};
use wahana_domain::{
    DeliveryState, EndpointState, MessageId, SessionId, WebhookDeliveryId, WebhookEndpoint, WebhookEndpointId,
};

use super::endpoints::from_row;
use crate::{
    StoreError, TenantTx,
    entity::{
        webhook_delivery,
        webhook_endpoint::{Column, Entity},
    },
    organization_events::{self, WrittenEvent},
    readable,
};

/// How many rows are written in one statement: databases take some tens of thousands of values in one.
const ROWS_AT_ONCE: usize = 500;

/// What came of looking for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FannedOut {
    /// How many deliveries were made.
    pub deliveries: usize,
    /// How many events were deleted before they could become deliveries.
    pub lost: i64,
    /// Whether more events follow.
    pub has_more: bool,
}

/// Under which names an endpoint is told an event; none if it is not told of it.
pub type ToldAs<'a> = &'a (dyn Fn(&WebhookEndpoint, &WrittenEvent) -> Vec<String> + Send + Sync);

/// Makes deliveries of the first events that follow the organization's enabled endpoints' positions, and moves these.
/// Whoever does so at the same moment is waited for, and finds it done.
pub async fn fan_out(tx: &TenantTx, told_as: ToldAs<'_>, limit: u64) -> Result<FannedOut, StoreError> {
    // Before the rows, or an event that is committed between the two questions would seem to be read.
    let last = organization_events::last_number(tx).await?;
    let rows = tx
        .find::<Entity>()
        .filter(Column::State.eq(EndpointState::Enabled.as_str()))
        .filter(Column::Position.lt(last))
        .order_by(Column::Id, Order::Asc)
        .lock()
        .all()
        .await?;
    let endpoints: Vec<_> = readable(rows.into_iter().map(from_row)).collect();
    let Some(position) = endpoints.iter().map(|endpoint| endpoint.position).min() else {
        return Ok(FannedOut {
            deliveries: 0,
            lost: 0,
            has_more: false,
        });
    };
    // Numbers have no gaps but where the oldest events were deleted, so nothing comes between these any more.
    let events = organization_events::after(tx, position, limit).await?;
    let deliveries: Vec<_> = endpoints
        .iter()
        .flat_map(|endpoint| {
            let own = events.iter().filter(|event| event.number > endpoint.position);
            own.flat_map(|event| {
                let names = told_as(endpoint, event).into_iter();
                names.map(|name| new_row(tx, endpoint.id, event, name))
            })
        })
        .collect();
    for rows in deliveries.chunks(ROWS_AT_ONCE) {
        tx.insert_many(rows.to_vec()).await?;
    }
    let first = events.first().map_or(last + 1, |event| event.number);
    let reached = events.last().map_or(last, |event| event.number);
    tx.update::<Entity>()
        .set(Column::Position, reached)
        .filter(Column::Id.is_in(endpoints.iter().map(|endpoint| endpoint.id.as_uuid())))
        .filter(Column::Position.lt(reached))
        .run()
        .await?;
    Ok(FannedOut {
        deliveries: deliveries.len(),
        lost: first - position - 1,
        has_more: reached < last,
    })
}

/// The delivery of an event to an endpoint under a name, due at once.
pub(super) fn new_row(
    tx: &TenantTx,
    endpoint: WebhookEndpointId,
    event: &WrittenEvent,
    name: String,
) -> webhook_delivery::ActiveModel {
    let now = tx.now().as_micros();
    webhook_delivery::ActiveModel {
        organization_id: Set(tx.organization_id().as_uuid()),
        id: Set(WebhookDeliveryId::new().as_uuid()),
        endpoint_id: Set(endpoint.as_uuid()),
        event_number: Set(event.number),
        event_id: Set(event.id.as_uuid()),
        session_id: Set(event.session.map(SessionId::as_uuid)),
        event_name: Set(name),
        state: Set(DeliveryState::Waiting.as_str().to_owned()),
        attempts: Set(0),
        due_at: Set(Some(now)),
        lease_epoch: Set(0),
        last_status: Set(None),
        last_error: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        message_id: Set(event.message.map(MessageId::as_uuid)),
    }
}
