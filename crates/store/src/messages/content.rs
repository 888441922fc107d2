//! What messages say. It lies in one table, so that there is one place from which it is deleted.

use std::fmt;

use sea_orm::{ActiveValue::Set, ColumnTrait};
use wahana_domain::MessageId;

use crate::{
    StoreError, TenantTx,
    entity::message_content::{ActiveModel, Column, Entity},
};

/// What a message says. It is for WhatsApp alone, so it does not print itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MessageContent {
    /// Its text, or the text below its file.
    pub text: Option<String>,
    /// Everything else that is needed to send it, as JSON.
    pub details: Option<String>,
}

impl fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageContent")
            .field("bytes", &self.text.as_ref().map(String::len))
            .finish_non_exhaustive()
    }
}

/// Keeps what a message says.
pub async fn insert_content(
    tx: &TenantTx,
    message: MessageId,
    content: &MessageContent,
) -> Result<(), StoreError> {
    tx.insert(ActiveModel {
        message_id: Set(message.as_uuid()),
        text: Set(content.text.clone()),
        details: Set(content.details.clone()),
        ..Default::default()
    })
    .await
}

/// What a message says; `None` if that is not kept, or not any more.
pub async fn content(tx: &TenantTx, message: MessageId) -> Result<Option<MessageContent>, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::MessageId.eq(message.as_uuid()));
    Ok(found.one().await?.map(|row| MessageContent {
        text: row.text,
        details: row.details,
    }))
}

/// Deletes what a message says.
pub async fn forget_content(tx: &TenantTx, message: MessageId) -> Result<(), StoreError> {
    tx.delete::<Entity>(Column::MessageId.eq(message.as_uuid()))
        .await?;
    Ok(())
}
