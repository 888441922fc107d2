//! Messages as they are told of: what is known of them, whoever sent them.

use sea_orm::ColumnTrait;
use wahana_domain::{Direction, MessageId, MessageKind, SessionId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::message::{Column, Entity, Model},
    readable,
};

/// A message without its content.
#[derive(Clone, PartialEq, Eq)]
pub struct DescribedMessage {
    /// wahana's id for it.
    pub id: MessageId,
    /// The session through which it went.
    pub session: SessionId,
    /// WAHA's id for it, once WAHA took it.
    pub waha_message_id: Option<String>,
    /// WhatsApp's own key of it, once it is known.
    pub key: Option<String>,
    /// The chat that it is in.
    pub chat_id: String,
    /// Whether it was sent or came in.
    pub direction: Direction,
    /// What it carries.
    pub kind: MessageKind,
    /// Who sent it, if it came in.
    pub sender: Option<String>,
    /// When it was sent; until that is known, when it was handed to wahana.
    pub at: Timestamp,
    /// Whether it was handed to wahana to be sent.
    pub is_handed_in: bool,
}

/// Chat ids are phone numbers.
impl std::fmt::Debug for DescribedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DescribedMessage")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Those of these messages that are still kept and can be read.
pub async fn described(
    tx: &TenantTx,
    ids: impl IntoIterator<Item = MessageId>,
) -> Result<Vec<DescribedMessage>, StoreError> {
    let ids: Vec<_> = ids.into_iter().map(MessageId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.find::<Entity>().filter(Column::Id.is_in(ids)).all().await?;
    Ok(readable(rows.into_iter().map(from_row)).collect())
}

fn from_row(row: Model) -> Result<DescribedMessage, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "messages",
        column,
        row: row.id.to_string(),
    };
    Ok(DescribedMessage {
        id: row.id.into(),
        session: row.session_id.into(),
        direction: Direction::from_word(&row.direction).ok_or_else(|| inconsistent("direction"))?,
        kind: MessageKind::from_word(&row.kind).ok_or_else(|| inconsistent("kind"))?,
        waha_message_id: row.waha_message_id,
        key: row.message_key,
        chat_id: row.chat_id,
        sender: row.sender,
        at: Timestamp::from_micros(row.happened_at.unwrap_or(row.created_at)),
        is_handed_in: row.request_id.is_some(),
    })
}
