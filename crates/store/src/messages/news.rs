//! What WAHA says of messages: one row each, whichever of its words comes first.
//!
//! WAHA tells of one message several times: as `message` and as `message.any`, in the answer to the call that
//! sent it, and with every acknowledgement. Each adds what it knows to the row with the message's key, and what
//! is counted follows from the row; so neither their order nor their number matters. Whoever calls these
//! functions holds the lock of the session's row.

use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel};
use wahana_domain::{DeliveryStatus, Direction, MessageId, MessageKind, SessionId, Timestamp};

use crate::{
    StoreError, TenantTx,
    activity::{Counts, Tally},
    entity::message::{self, Column, Model},
};

/// A message as one of WAHA's events describes it. Its content is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageNews {
    /// WhatsApp's own key of it.
    pub key: String,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// The chat that it is in; also a kind of chat that nothing can be sent to.
    pub chat_id: String,
    /// Whether it was sent or came in.
    pub direction: Direction,
    /// What it carries.
    pub kind: MessageKind,
    /// Who sent it, if it came in.
    pub sender: Option<String>,
    /// How far it came.
    pub status: DeliveryStatus,
    /// When it was sent.
    pub happened_at: Timestamp,
}

/// An acknowledgement of a message that the session sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// WhatsApp's own key of the message.
    pub key: String,
    /// WAHA's id for it.
    pub waha_message_id: String,
    /// The chat that it is in.
    pub chat_id: String,
    /// How far it came.
    pub status: DeliveryStatus,
}

/// A message that wahana sent and WAHA took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// wahana's id for it.
    pub id: MessageId,
    /// WhatsApp's own key of it.
    pub key: &'a str,
    /// WAHA's id for it.
    pub waha_message_id: &'a str,
    /// When it was sent.
    pub happened_at: Timestamp,
}

/// Takes in that there is a message.
pub async fn hear(
    tx: &TenantTx,
    session: SessionId,
    news: &MessageNews,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let known = with_key(tx, session, &news.key).await?;
    let before = known.clone();
    // A row without a time came from an acknowledgement, which knows no more than the key and the chat.
    let is_described = known.as_ref().is_some_and(|row| row.happened_at.is_some());
    let mut row = known.unwrap_or_else(|| new_row(tx, session, &news.key, news.direction));
    if !is_described {
        row.chat_id.clone_from(&news.chat_id);
        news.direction.as_str().clone_into(&mut row.direction);
        news.kind.as_str().clone_into(&mut row.kind);
        row.sender.clone_from(&news.sender);
    }
    row.waha_message_id
        .get_or_insert_with(|| news.waha_message_id.clone());
    row.happened_at = earlier(row.happened_at, Some(news.happened_at.as_micros()));
    advance(&mut row, news.status);
    write(tx, before, row, tally).await
}

/// Takes in how far a message came. One that nothing else is known of gets a row that counts as nothing, so that
/// its acknowledgements may come before it.
pub async fn acknowledge(
    tx: &TenantTx,
    session: SessionId,
    news: &Acknowledgement,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let before = with_key(tx, session, &news.key).await?;
    let mut row = match &before {
        Some(row) if row.direction == Direction::Incoming.as_str() => return Ok(()),
        Some(row) => row.clone(),
        None => {
            let mut row = new_row(tx, session, &news.key, Direction::Outgoing);
            row.chat_id.clone_from(&news.chat_id);
            row.waha_message_id = Some(news.waha_message_id.clone());
            row
        }
    };
    advance(&mut row, news.status);
    write(tx, before, row, tally).await
}

/// Writes down that WAHA took a message which wahana sent. What events said of it before WAHA's answer was here
/// becomes part of its row.
pub async fn accept(
    tx: &TenantTx,
    session: SessionId,
    accepted: Accepted<'_>,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let own = tx
        .find::<message::Entity>()
        .filter(Column::Id.eq(accepted.id.as_uuid()));
    let Some(before) = own.one().await? else {
        return Ok(());
    };
    let mut row = before.clone();
    let heard = with_key(tx, session, accepted.key)
        .await?
        .filter(|heard| heard.id != before.id);
    if let Some(heard) = heard {
        if let Some(status) = DeliveryStatus::from_word(&heard.status) {
            advance(&mut row, status);
        }
        row.happened_at = heard.happened_at;
        uncount(&heard, tally);
        tx.delete::<message::Entity>(Column::Id.eq(heard.id)).await?;
    }
    row.message_key = Some(accepted.key.to_owned());
    row.waha_message_id = Some(accepted.waha_message_id.to_owned());
    row.happened_at = earlier(row.happened_at, Some(accepted.happened_at.as_micros()));
    advance(&mut row, DeliveryStatus::Accepted);
    write(tx, Some(before), row, tally).await
}

async fn with_key(tx: &TenantTx, session: SessionId, key: &str) -> Result<Option<Model>, StoreError> {
    tx.find::<message::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::MessageKey.eq(key))
        .one()
        .await
}

fn new_row(tx: &TenantTx, session: SessionId, key: &str, direction: Direction) -> Model {
    let now = tx.now().as_micros();
    Model {
        id: MessageId::new().as_uuid(),
        organization_id: tx.organization_id().as_uuid(),
        session_id: session.as_uuid(),
        chat_id: String::new(),
        direction: direction.as_str().to_owned(),
        kind: MessageKind::Other.as_str().to_owned(),
        status: match direction {
            Direction::Outgoing => DeliveryStatus::Accepted,
            Direction::Incoming => DeliveryStatus::Received,
        }
        .as_str()
        .to_owned(),
        waha_message_id: None,
        created_at: now,
        updated_at: now,
        message_key: Some(key.to_owned()),
        sender: None,
        happened_at: None,
    }
}

/// Messages only advance.
fn advance(row: &mut Model, status: DeliveryStatus) {
    if DeliveryStatus::from_word(&row.status).is_none_or(|known| known < status) {
        status.as_str().clone_into(&mut row.status);
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

async fn write(
    tx: &TenantTx,
    before: Option<Model>,
    after: Model,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    if let Some(before) = &before {
        uncount(before, tally);
    }
    if let Some(at) = after.happened_at.map(Timestamp::from_micros) {
        tally.add(at, &counts(&after));
        tally.message_at(at);
    }
    if before.is_none() {
        return tx.insert(after.into_active_model().reset_all()).await;
    }
    tx.update::<message::Entity>()
        .set(Column::ChatId, after.chat_id)
        .set(Column::Direction, after.direction)
        .set(Column::Kind, after.kind)
        .set(Column::Status, after.status)
        .set(Column::WahaMessageId, after.waha_message_id)
        .set(Column::MessageKey, after.message_key)
        .set(Column::Sender, after.sender)
        .set(Column::HappenedAt, after.happened_at)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(after.id))
        .run()
        .await?;
    Ok(())
}

fn uncount(row: &Model, tally: &mut Tally) {
    if let Some(at) = row.happened_at {
        tally.take_back(Timestamp::from_micros(at), &counts(row));
    }
}

/// What a message that is described counts as.
fn counts(row: &Model) -> Counts {
    let media = i64::from(MessageKind::from_word(&row.kind).is_some_and(MessageKind::is_media));
    if row.direction == Direction::Incoming.as_str() {
        return Counts {
            messages_received: 1,
            media_received: media,
            ..Default::default()
        };
    }
    let status = DeliveryStatus::from_word(&row.status);
    let is = |wanted: DeliveryStatus| i64::from(status == Some(wanted));
    Counts {
        messages_sent: 1,
        media_sent: media,
        messages_delivered: is(DeliveryStatus::Delivered) + is(DeliveryStatus::Read),
        messages_read: is(DeliveryStatus::Read),
        messages_failed: is(DeliveryStatus::Failed),
        ..Default::default()
    }
}
