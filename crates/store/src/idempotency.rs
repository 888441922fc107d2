//! The keys by which a request is recognized that is made again. Each belongs to one message, and to one
//! organization.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
use wahana_domain::MessageId;

use crate::{
    StoreError, TenantTx,
    entity::idempotency_key::{ActiveModel, Column, Entity},
};

/// How long a key is remembered.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body, which holds no text of a message.
    pub body: String,
}

/// What is remembered of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// What the request was, as a hash.
    pub fingerprint: Vec<u8>,
    /// The message that it made.
    pub message: MessageId,
    /// What it was answered, if that is decided.
    pub answer: Option<KeptAnswer>,
}

/// What is remembered of a key, while it is remembered.
pub async fn find(tx: &TenantTx, key: &str) -> Result<Option<KnownKey>, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::Key.eq(key))
        .filter(Column::ExpiresAt.gt(tx.now().as_micros()));
    let Some(row) = found.one().await? else {
        return Ok(None);
    };
    let status = row.status.and_then(|status| u16::try_from(status).ok());
    let answer = status.zip(row.body);
    Ok(Some(KnownKey {
        fingerprint: row.fingerprint,
        message: row.message_id.into(),
        answer: answer.map(|(status, body)| KeptAnswer { status, body }),
    }))
}

/// Reserves a key, in the transaction that makes its message; says whether it was free.
pub async fn reserve(
    tx: &TenantTx,
    key: &str,
    fingerprint: &[u8],
    message: MessageId,
) -> Result<bool, StoreError> {
    let now = tx.now();
    let past = Condition::all()
        .add(Column::Key.eq(key))
        .add(Column::ExpiresAt.lte(now.as_micros()));
    tx.delete::<Entity>(past).await?;
    tx.insert_if_absent(ActiveModel {
        key: Set(key.to_owned()),
        fingerprint: Set(fingerprint.to_vec()),
        message_id: Set(message.as_uuid()),
        status: Set(None),
        body: Set(None),
        created_at: Set(now.as_micros()),
        expires_at: Set(now.plus(KEPT_FOR).as_micros()),
        ..Default::default()
    })
    .await
}

/// Keeps the answer of a message's key, unless one is kept already; says whether it was kept.
pub async fn answer(tx: &TenantTx, message: MessageId, answer: &KeptAnswer) -> Result<bool, StoreError> {
    let updated = tx
        .update::<Entity>()
        .set(Column::Status, i32::from(answer.status))
        .set(Column::Body, answer.body.clone())
        .filter(Column::MessageId.eq(message.as_uuid()))
        .filter(Column::Status.is_null())
        .run()
        .await?;
    Ok(updated == 1)
}

/// Forgets the key of a message that was not handed over, so that the request can be made again. One that was
/// answered stays.
pub async fn release(tx: &TenantTx, message: MessageId) -> Result<(), StoreError> {
    let unanswered = Condition::all()
        .add(Column::MessageId.eq(message.as_uuid()))
        .add(Column::Status.is_null());
    tx.delete::<Entity>(unanswered).await?;
    Ok(())
}
