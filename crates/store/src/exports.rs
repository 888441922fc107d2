//! Exports of what is kept of the organization.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, Order};
use wahana_domain::{Export, ExportId, MediaFileId, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::{
        erasure,
        export::{ActiveModel, Column, Entity, Model},
    },
    media_files::{self, NewFile},
    organizations,
};

/// Keeps an export that is still to be made.
pub async fn insert(tx: &TenantTx, id: ExportId) -> Result<Export, StoreError> {
    let now = tx.now();
    tx.insert(ActiveModel {
        id: Set(id.as_uuid()),
        rows: Set(0),
        media_file_id: Set(None),
        created_at: Set(now.as_micros()),
        finished_at: Set(None),
        expires_at: Set(None),
        ..Default::default()
    })
    .await?;
    Ok(Export {
        id,
        rows: 0,
        file: None,
        created_at: now,
        finished_at: None,
        expires_at: None,
    })
}

/// One export.
pub async fn get(tx: &TenantTx, id: ExportId) -> Result<Option<Export>, StoreError> {
    let found = tx.find::<Entity>().filter(Column::Id.eq(id.as_uuid()));
    found.one().await?.as_ref().map(from_row).transpose()
}

/// The last export that was asked for since then and is still to be made.
pub async fn unfinished(tx: &TenantTx, since: Timestamp) -> Result<Option<Export>, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::FinishedAt.is_null())
        .filter(Column::CreatedAt.gte(since.as_micros()))
        .order_by(Column::CreatedAt, Order::Desc)
        .limit(1);
    found.one().await?.as_ref().map(from_row).transpose()
}

/// Writes down how many lines an export has so far.
pub async fn set_rows(tx: &TenantTx, id: ExportId, rows: u64) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::Rows, i64::try_from(rows).unwrap_or(i64::MAX))
        .filter(Column::Id.eq(id.as_uuid()))
        .run()
        .await?;
    Ok(())
}

/// Whether a chat is being erased, or was after then, which may be in what was exported since.
pub async fn is_erasing(tx: &TenantTx, since: Timestamp) -> Result<bool, StoreError> {
    let erased_since = Condition::any()
        .add(erasure::Column::FinishedAt.is_null())
        .add(erasure::Column::FinishedAt.gte(since.as_micros()));
    let erasing = tx.find::<erasure::Entity>().filter(erased_since).limit(1);
    Ok(erasing.one().await?.is_some())
}

/// What came of the end of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Its file is the organization's only one of an export from now on.
    Kept,
    /// A chat is being erased, or was meanwhile, which may be in it.
    Erasing,
    /// It ended before: it has a file, or was given up.
    Before,
}

/// Ends an export that was begun at a moment with its file, unless a chat was to be erased since. Whoever asks for an
/// erasure waits until the transaction ends. If it is not kept, nobody knows of its bytes, and they are to be deleted.
pub async fn finish(
    tx: &TenantTx,
    id: ExportId,
    begun_at: Timestamp,
    file: &NewFile,
) -> Result<Finished, StoreError> {
    organizations::get_locked(tx).await?;
    if is_erasing(tx, begun_at).await? {
        return Ok(Finished::Erasing);
    }
    set_file(tx, id, file).await
}

/// Ends an export with its file, which takes the place of those of earlier exports.
pub async fn set_file(tx: &TenantTx, id: ExportId, file: &NewFile) -> Result<Finished, StoreError> {
    let finished = tx
        .update::<Entity>()
        .set(Column::FinishedAt, tx.now().as_micros())
        .set(Column::ExpiresAt, file.expires_at.as_micros())
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::FinishedAt.is_null())
        .run()
        .await?;
    if finished == 0 {
        return Ok(Finished::Before);
    }
    end_files(tx).await?;
    let written = media_files::insert(tx, file).await?;
    tx.update::<Entity>()
        .set(Column::MediaFileId, written.id.as_uuid())
        .filter(Column::Id.eq(id.as_uuid()))
        .run()
        .await?;
    Ok(Finished::Kept)
}

/// Ends an export that cannot be made.
pub async fn give_up(tx: &TenantTx, id: ExportId) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::FinishedAt, tx.now().as_micros())
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::FinishedAt.is_null())
        .run()
        .await?;
    Ok(())
}

/// Ends the files of all exports, because something is in them that is erased, or a newer one takes their place.
pub async fn end_files(tx: &TenantTx) -> Result<(), StoreError> {
    let rows = tx
        .find::<Entity>()
        .filter(Column::MediaFileId.is_not_null())
        .all()
        .await?;
    let files: Vec<_> = rows.iter().filter_map(|row| row.media_file_id).collect();
    media_files::end(tx, &files).await?;
    tx.update::<Entity>()
        .set(Column::MediaFileId, None::<uuid::Uuid>)
        .filter(Column::MediaFileId.is_in(files))
        .run()
        .await?;
    Ok(())
}

fn from_row(row: &Model) -> Result<Export, StoreError> {
    let rows = u64::try_from(row.rows).map_err(|_| StoreError::Inconsistent {
        table: "exports",
        column: "rows",
        row: row.id.to_string(),
    })?;
    Ok(Export {
        id: row.id.into(),
        rows,
        file: row.media_file_id.map(MediaFileId::from),
        created_at: Timestamp::from_micros(row.created_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
        expires_at: row.expires_at.map(Timestamp::from_micros),
    })
}
