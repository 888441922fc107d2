//! Files of messages. What they consist of is in the media store; here is which there are, and where.
//!
//! Bytes are never written over: whoever stores a file stores it under a key of its own and then writes down
//! that key, once. So what a row names is whole, and bytes that no row names are nobody's.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, sea_query::Expr};
use wahana_domain::{
    FileName, MediaFile, MediaFileId, MediaState, MediaType, MessageId, StorageKey, StoredBytes, Timestamp,
};

use crate::{
    StoreError, TenantTx,
    entity::media_file::{self, Column, Entity, Model},
    messages::DescribedMessage,
    readable,
};

/// A file that a message which came in is said to have.
#[derive(Clone, Debug)]
pub struct ExpectedFile {
    /// The message.
    pub message: MessageId,
    /// Where its WAHA server keeps it; `None` where WAHA does not say.
    pub source: Option<String>,
    /// What it is, as its sender says.
    pub media_type: MediaType,
    /// What it is called.
    pub name: Option<FileName>,
}

/// A file whose bytes are in the media store, and which is to belong to a message.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its bytes.
    pub stored: StoredBytes,
    /// What it is.
    pub media_type: MediaType,
    /// What it is called.
    pub name: Option<FileName>,
    /// Until then it is kept for a message that is still to be written.
    pub expires_at: Timestamp,
}

/// Writes down that a message has a file which is to be fetched, unless one is known already; says which file
/// that is if it is new.
pub async fn expect(tx: &TenantTx, file: &ExpectedFile) -> Result<Option<MediaFileId>, StoreError> {
    let id = MediaFileId::new();
    let row = media_file::ActiveModel {
        message_id: Set(Some(file.message.as_uuid())),
        state: Set(MediaState::Waiting.as_str().to_owned()),
        source: Set(file.source.clone()),
        mimetype: Set(file.media_type.as_str().to_owned()),
        filename: Set(file.name.as_ref().map(|name| name.as_str().to_owned())),
        ..empty_row(tx, id)
    };
    Ok(tx.insert_if_absent(row).await?.then_some(id))
}

/// Writes down a file whose bytes are stored.
pub async fn insert(tx: &TenantTx, new: &NewFile) -> Result<MediaFile, StoreError> {
    let id = MediaFileId::new();
    let size = i64::try_from(new.stored.size).unwrap_or(i64::MAX);
    tx.insert(media_file::ActiveModel {
        state: Set(MediaState::Stored.as_str().to_owned()),
        storage_key: Set(Some(new.stored.key.as_str().to_owned())),
        size: Set(Some(size)),
        sha256: Set(Some(new.stored.sha256.clone())),
        mimetype: Set(new.media_type.as_str().to_owned()),
        filename: Set(new.name.as_ref().map(|name| name.as_str().to_owned())),
        expires_at: Set(Some(new.expires_at.as_micros())),
        ..empty_row(tx, id)
    })
    .await?;
    Ok(MediaFile {
        id,
        organization_id: tx.organization_id(),
        message_id: None,
        state: MediaState::Stored,
        stored: Some(new.stored.clone()),
        source: None,
        media_type: new.media_type.clone(),
        name: new.name.clone(),
        created_at: tx.now(),
        expires_at: Some(new.expires_at),
    })
}

fn empty_row(tx: &TenantTx, id: MediaFileId) -> media_file::ActiveModel {
    media_file::ActiveModel {
        id: Set(id.as_uuid()),
        organization_id: Set(tx.organization_id().as_uuid()),
        message_id: Set(None),
        storage_key: Set(None),
        size: Set(None),
        sha256: Set(None),
        source: Set(None),
        filename: Set(None),
        created_at: Set(tx.now().as_micros()),
        expires_at: Set(None),
        ..Default::default()
    }
}

/// Gives a stored file to a message, in the transaction that writes the message. It is kept until `expires_at`,
/// if that is given, and after that as long as the organization keeps files. Says whether it was still there
/// and belonged to no message.
pub async fn attach(
    tx: &TenantTx,
    id: MediaFileId,
    message: MessageId,
    expires_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let attached = tx
        .update::<Entity>()
        .set(Column::MessageId, message.as_uuid())
        .set(Column::ExpiresAt, expires_at.map(Timestamp::as_micros))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::MessageId.is_null())
        .filter(Column::State.eq(MediaState::Stored.as_str()))
        .run()
        .await?;
    Ok(attached == 1)
}

/// One file.
pub async fn get(tx: &TenantTx, id: MediaFileId) -> Result<Option<MediaFile>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.one().await?.map(from_row).transpose()
}

/// The file of a message.
pub async fn of_message(tx: &TenantTx, message: MessageId) -> Result<Option<MediaFile>, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::MessageId.eq(message.as_uuid()));
    found.one().await?.map(from_row).transpose()
}

/// Writes down where the bytes of an expected file are; says whether it was still waited for. If not, nobody
/// knows of these bytes, and they are to be deleted.
pub async fn set_stored(tx: &TenantTx, id: MediaFileId, stored: &StoredBytes) -> Result<bool, StoreError> {
    let size = i64::try_from(stored.size).unwrap_or(i64::MAX);
    let changed = tx
        .update::<Entity>()
        .set(Column::State, MediaState::Stored.as_str())
        .set(Column::StorageKey, stored.key.as_str())
        .set(Column::Size, size)
        .set(Column::Sha256, stored.sha256.clone())
        .set(Column::Source, None::<String>)
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(MediaState::Waiting.as_str()))
        .run()
        .await?;
    Ok(changed == 1)
}

/// Writes down that an expected file will not come.
pub async fn give_up(tx: &TenantTx, id: MediaFileId, state: MediaState) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::State, state.as_str())
        .set(Column::Source, None::<String>)
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(MediaState::Waiting.as_str()))
        .run()
        .await?;
    Ok(())
}

/// Gives the file of a message to another that takes its place. If that has one, the first is nobody's.
pub(crate) async fn move_to(tx: &TenantTx, from: MessageId, to: MessageId) -> Result<(), StoreError> {
    let has_one = of_message(tx, to).await?.is_some();
    let update = tx.update::<Entity>().filter(Column::MessageId.eq(from.as_uuid()));
    let update = if has_one {
        update
            .set_expression(Column::MessageId, Expr::value(None::<uuid::Uuid>))
            .set(Column::Source, None::<String>)
            .set(Column::State, MediaState::Expired.as_str())
    } else {
        update.set(Column::MessageId, to.as_uuid())
    };
    update.run().await?;
    Ok(())
}

/// Ends the files of messages that are deleted, and takes them from these.
pub(crate) async fn end_of(tx: &TenantTx, messages: &[uuid::Uuid]) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::State, MediaState::Expired.as_str())
        .set(Column::MessageId, None::<uuid::Uuid>)
        .set(Column::Source, None::<String>)
        .set(Column::Filename, None::<String>)
        .filter(Column::MessageId.is_in(messages.iter().copied()))
        .run()
        .await?;
    Ok(())
}

/// Ends the file of a message that is never sent.
pub async fn end_of_message(tx: &TenantTx, message: MessageId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::State, MediaState::Expired.as_str())
        .set(Column::Filename, None::<String>)
        .filter(Column::MessageId.eq(message.as_uuid()))
        .filter(Column::State.eq(MediaState::Stored.as_str()))
        .run()
        .await?;
    Ok(())
}

/// Ends these files.
pub(crate) async fn end(tx: &TenantTx, files: &[uuid::Uuid]) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::State, MediaState::Expired.as_str())
        .filter(Column::Id.is_in(files.iter().copied()))
        .run()
        .await?;
    Ok(())
}

/// The files of these messages.
pub async fn of_described(
    tx: &TenantTx,
    messages: &[DescribedMessage],
) -> Result<HashMap<MessageId, MediaFile>, StoreError> {
    let ids: Vec<_> = messages.iter().map(|message| message.id.as_uuid()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = rows_of_messages(tx, &ids).await?;
    let files = readable(rows.into_iter().map(from_row));
    Ok(files.filter_map(|file| Some((file.message_id?, file))).collect())
}

pub(crate) async fn of_messages(
    tx: &TenantTx,
    messages: &[uuid::Uuid],
) -> Result<Vec<MediaFile>, StoreError> {
    let rows = rows_of_messages(tx, messages).await?;
    rows.into_iter().map(from_row).collect()
}

async fn rows_of_messages(tx: &TenantTx, messages: &[uuid::Uuid]) -> Result<Vec<Model>, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::MessageId.is_in(messages.iter().copied()));
    found.all().await
}

fn from_row(row: Model) -> Result<MediaFile, StoreError> {
    let inconsistent = |column| StoreError::Inconsistent {
        table: "media_files",
        column,
        row: row.id.to_string(),
    };
    let stored = match (&row.storage_key, row.size, &row.sha256) {
        (Some(key), Some(size), Some(sha256)) => Some(StoredBytes {
            key: StorageKey::parse(key).map_err(|_| inconsistent("storage_key"))?,
            size: u64::try_from(size).map_err(|_| inconsistent("size"))?,
            sha256: sha256.clone(),
        }),
        (None, ..) => None,
        _ => return Err(inconsistent("storage_key")),
    };
    Ok(MediaFile {
        id: row.id.into(),
        organization_id: row.organization_id.into(),
        message_id: row.message_id.map(MessageId::from),
        state: MediaState::from_word(&row.state).ok_or_else(|| inconsistent("state"))?,
        stored,
        media_type: MediaType::parse(&row.mimetype).map_err(|_| inconsistent("mimetype"))?,
        name: row.filename.as_deref().and_then(FileName::sanitize),
        source: row.source,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: row.expires_at.map(Timestamp::from_micros),
    })
}
