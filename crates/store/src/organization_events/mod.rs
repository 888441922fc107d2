//! What happened in the organization, in the order in which it is told: numbered without gaps, until the oldest are
//! deleted.

pub(crate) mod outbox;

use sea_orm::{ColumnTrait, Condition, Order};
use uuid::Uuid;
use wahana_domain::{EventId, MessageId, NewOrganizationEvent, SessionId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::{
        organization_event::{Column, Entity, Model},
        organization_event_counter,
    },
    webhooks,
};

/// An event as it was written down. What it says depends on its type, which a newer release may have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenEvent {
    /// Its place among the organization's events, from 1.
    pub number: i64,
    /// Its id, the same each time that it is told.
    pub id: EventId,
    /// The word of its type.
    pub event_type: String,
    /// The session that it is about; `None` for what concerns the organization.
    pub session: Option<SessionId>,
    /// The message that it is about.
    pub message: Option<MessageId>,
    /// What is kept of it, as JSON.
    pub data: String,
    /// When it happened.
    pub happened_at: Timestamp,
    /// When it was written down.
    pub created_at: Timestamp,
}

/// Events that follow a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    /// These, without a gap; none if nothing has happened since.
    Events(Vec<WrittenEvent>),
    /// Some that followed are deleted, or the number was never given: the last that was given is this.
    Lost(i64),
}

/// Some events, by their numbers and by when they were written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRange {
    /// From this number on.
    pub from_number: i64,
    /// Up to this number.
    pub to_number: i64,
    /// That were written down then or later.
    pub since: Option<Timestamp>,
    /// That were written down then or earlier.
    pub until: Option<Timestamp>,
}

/// Notes what happened. It is written when the transaction commits, and not if it does not.
pub fn raise(tx: &TenantTx, event: NewOrganizationEvent) {
    tx.outbox().add(event);
}

/// The number of the last event; 0 if there never was any.
pub async fn last_number(tx: &TenantTx) -> Result<i64, StoreError> {
    let counter = tx.find::<organization_event_counter::Entity>().one().await?;
    Ok(counter.map_or(0, |counter| counter.last_number))
}

/// The first events after a number.
pub async fn following(tx: &TenantTx, number: i64, limit: u64) -> Result<Following, StoreError> {
    // Before the rows: what is committed between the two questions would else seem to be lost.
    let last = last_number(tx).await?;
    let rows = tx
        .find::<Entity>()
        .filter(Column::Number.gt(number))
        .order_by(Column::Number, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    // Numbers have no gaps but where rows were deleted.
    let mut places = (1..).zip(&rows);
    let is_whole = places.all(|(place, row)| row.number.saturating_sub(number) == place);
    if !is_whole || (rows.is_empty() && number != last) {
        return Ok(Following::Lost(last));
    }
    Ok(Following::Events(rows.into_iter().map(from_row).collect()))
}

/// The first events after a number that are still kept.
pub async fn after(tx: &TenantTx, number: i64, limit: u64) -> Result<Vec<WrittenEvent>, StoreError> {
    let range = EventRange {
        from_number: number.saturating_add(1),
        to_number: i64::MAX,
        since: None,
        until: None,
    };
    of_range(tx, &range, limit).await
}

/// The first events of a range that are still kept.
pub async fn of_range(
    tx: &TenantTx,
    range: &EventRange,
    limit: u64,
) -> Result<Vec<WrittenEvent>, StoreError> {
    let since = range.since.map(|since| Column::CreatedAt.gte(since.as_micros()));
    let until = range.until.map(|until| Column::CreatedAt.lte(until.as_micros()));
    let in_time = Condition::all().add_option(since).add_option(until);
    let rows = tx
        .find::<Entity>()
        .filter(Column::Number.gte(range.from_number))
        .filter(Column::Number.lte(range.to_number))
        .filter(in_time)
        .order_by(Column::Number, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Those of these events that are still kept.
pub async fn with_numbers(
    tx: &TenantTx,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<Vec<WrittenEvent>, StoreError> {
    let rows = tx
        .find::<Entity>()
        .filter(Column::Number.is_in(numbers))
        .all()
        .await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// How far back events of a message are looked for that turned out to be another one: WAHA told of it a moment ago.
const MOMENT: i64 = 10_000;

/// Lets the events of a message that turned out to be another one tell of that, and its deliveries be of that.
pub(crate) async fn point_to(tx: &TenantTx, from: Uuid, to: Uuid) -> Result<(), StoreError> {
    let since = last_number(tx).await?.saturating_sub(MOMENT);
    tx.update::<Entity>()
        .set(Column::MessageId, to)
        .filter(Column::Number.gt(since))
        .filter(Column::MessageId.eq(from))
        .run()
        .await?;
    webhooks::point_to(tx, from, to).await
}

fn from_row(row: Model) -> WrittenEvent {
    WrittenEvent {
        number: row.number,
        id: row.id.into(),
        event_type: row.r#type,
        session: row.session_id.map(SessionId::from),
        message: row.message_id.map(MessageId::from),
        data: row.data,
        happened_at: Timestamp::from_micros(row.happened_at),
        created_at: Timestamp::from_micros(row.created_at),
    }
}
