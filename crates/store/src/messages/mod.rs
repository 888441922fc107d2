//! Messages: those that were handed to wahana, and those that WAHA tells of. Their content is not kept.

mod news;

use sea_orm::{ActiveValue::Set, ColumnTrait};
use wahana_domain::{ChatId, DeliveryStatus, Direction, MessageId, MessageKind, OutgoingMessage, Timestamp};

pub use news::{Accepted, Acknowledgement, Ledger, MessageNews, accept};

use crate::{StoreError, TenantTx, entity::message};

/// Keeps a message before WAHA is called.
pub async fn insert(tx: &TenantTx, new: &OutgoingMessage) -> Result<(), StoreError> {
    tx.insert(message::ActiveModel {
        id: Set(new.id.as_uuid()),
        session_id: Set(new.session_id.as_uuid()),
        chat_id: Set(new.chat_id.as_str().to_owned()),
        direction: Set(Direction::Outgoing.as_str().to_owned()),
        kind: Set(new.kind.as_str().to_owned()),
        status: Set(new.status.as_str().to_owned()),
        waha_message_id: Set(new.waha_message_id.clone()),
        created_at: Set(new.created_at.as_micros()),
        updated_at: Set(new.updated_at.as_micros()),
        ..Default::default()
    })
    .await
}

/// Writes down what became of a message that WAHA did not take, or perhaps did not take.
pub async fn set_outcome(tx: &TenantTx, id: MessageId, status: DeliveryStatus) -> Result<(), StoreError> {
    tx.update::<message::Entity>()
        .set(message::Column::Status, status.as_str())
        .set(message::Column::UpdatedAt, tx.now().as_micros())
        .filter(message::Column::Id.eq(id.as_uuid()))
        .run()
        .await?;
    Ok(())
}

/// One message.
pub async fn get(tx: &TenantTx, id: MessageId) -> Result<Option<OutgoingMessage>, StoreError> {
    let found = tx
        .find::<message::Entity>()
        .filter(message::Column::Id.eq(id.as_uuid()));
    found.one().await?.map(from_row).transpose()
}

fn from_row(row: message::Model) -> Result<OutgoingMessage, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "messages",
        column,
        row: row.id.to_string(),
    };
    Ok(OutgoingMessage {
        id: row.id.into(),
        session_id: row.session_id.into(),
        chat_id: ChatId::parse(&row.chat_id).map_err(|_| inconsistent("chat_id"))?,
        kind: MessageKind::from_word(&row.kind).ok_or_else(|| inconsistent("kind"))?,
        status: DeliveryStatus::from_word(&row.status).ok_or_else(|| inconsistent("status"))?,
        waha_message_id: row.waha_message_id,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
