//! What messages say. It lies in one table, so that there is one place from which it is deleted.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition,
    sea_query::{Expr, Query},
};
use uuid::Uuid;
use wahana_domain::{MessageId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::{
        message_content::{ActiveModel, Column, Entity},
        organization,
    },
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

/// Keeps the texts of messages of which it is not known yet what they say; for good, or for who is told of them.
pub(super) async fn insert_missing(
    tx: &TenantTx,
    texts: Vec<(Uuid, String)>,
    forget_after: Option<Timestamp>,
) -> Result<(), StoreError> {
    if texts.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<Uuid> = tx
        .find::<Entity>()
        .filter(Column::MessageId.is_in(texts.iter().map(|(message, _)| *message)))
        .all()
        .await?
        .into_iter()
        .map(|row| row.message_id)
        .collect();
    let rows = texts
        .into_iter()
        .filter(|(message, _)| !known.contains(message))
        .map(|(message, text)| ActiveModel {
            message_id: Set(message),
            text: Set(Some(text)),
            details: Set(None),
            forget_after: Set(forget_after.map(Timestamp::as_micros)),
            ..Default::default()
        });
    tx.insert_many(rows.collect()).await
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

/// The texts of those of these messages of which they are kept.
pub async fn texts(
    tx: &TenantTx,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<HashMap<MessageId, String>, StoreError> {
    let messages: Vec<_> = messages.into_iter().map(MessageId::as_uuid).collect();
    if messages.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx
        .find::<Entity>()
        .filter(Column::MessageId.is_in(messages))
        .all()
        .await?;
    let texts = rows
        .into_iter()
        .filter_map(|row| Some((row.message_id.into(), row.text?)));
    Ok(texts.collect())
}

/// Deletes what messages say that are not to be sent any more, if their organization does not keep it.
pub(super) async fn forget_unkept(tx: &TenantTx, messages: &[Uuid]) -> Result<(), StoreError> {
    let does_not_keep = Query::select()
        .expr(Expr::val(1))
        .from(organization::Entity)
        .and_where(organization::Column::Id.eq(tx.organization_id().as_uuid()))
        .and_where(organization::Column::KeepsMessageTexts.eq(false))
        .take();
    let condition = Condition::all()
        .add(Column::MessageId.is_in(messages.iter().copied()))
        .add(Expr::exists(does_not_keep));
    tx.delete::<Entity>(condition).await?;
    Ok(())
}

/// Deletes what a message says.
pub async fn forget_content(tx: &TenantTx, message: MessageId) -> Result<(), StoreError> {
    tx.delete::<Entity>(Column::MessageId.eq(message.as_uuid()))
        .await?;
    Ok(())
}
