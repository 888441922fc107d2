//! Files whose time has ended, whosever they are, and what is deleted with them: one rule holds for every
//! organization. Each call changes no more than a batch, so that nobody waits long for the database.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};
use uuid::Uuid;
use wahana_domain::{MediaFileId, MediaState, OrganizationId, StorageKey, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{
        export,
        media_file::{Column, Entity},
    },
    transaction::within_database,
};

/// A file that is not wanted any more, whose bytes are still to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedMediaFile {
    /// Its id.
    pub id: MediaFileId,
    /// Where its bytes are, if it ever had any.
    pub key: Option<StorageKey>,
}

impl PlatformTx {
    /// Ends the stored files of an organization that it learned of before then and that are not kept on
    /// purpose, the oldest first; says how many. The same round goes through all organizations.
    pub async fn end_old_media(
        &self,
        organization: OrganizationId,
        before: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let condition =
            kept_for_nothing(organization, self.now()).add(Column::CreatedAt.lt(before.as_micros()));
        self.end_media(condition, limit).await
    }

    /// How many bytes of files an organization has, for the limit that the platform sets: without its export, of which
    /// it has one at most, and which no other file gives way to.
    pub async fn media_bytes(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        let stored = Condition::all()
            .add(Column::OrganizationId.eq(organization.as_uuid()))
            .add(Expr::cust("state = 'stored'"))
            .add(is_no_export(organization));
        self.bytes_of(stored).await
    }

    /// How many of them must be kept, because they are to be sent. The limit is the platform's.
    pub async fn waiting_media_bytes(&self, organization: OrganizationId) -> Result<u64, StoreError> {
        let waiting = Condition::all()
            .add(Column::OrganizationId.eq(organization.as_uuid()))
            .add(Expr::cust("state = 'stored'"))
            .add(Column::ExpiresAt.gt(self.now().as_micros()))
            .add(is_no_export(organization));
        self.bytes_of(waiting).await
    }

    async fn bytes_of(&self, files: Condition) -> Result<u64, StoreError> {
        // A sum is a number of any size on PostgreSQL.
        let sum = Expr::col(Column::Size).sum().cast_as("bigint");
        let bytes: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(sum, "bytes")
            .filter(files)
            .into_tuple()
            .one(&self.transaction)
            .await?;
        Ok(bytes
            .flatten()
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0))
    }

    /// Ends so many of an organization's oldest files that it has `bytes` less, or as many as a batch has; says
    /// how many. The limit is the platform's.
    pub async fn end_oldest_media(
        &self,
        organization: OrganizationId,
        bytes: u64,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let oldest: Vec<(Uuid, Option<i64>)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::Size)
            .filter(kept_for_nothing(organization, self.now()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let mut freed = 0_u64;
        let mut ended = Vec::new();
        for (id, size) in oldest {
            if freed >= bytes {
                break;
            }
            freed = freed.saturating_add(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0));
            ended.push(id);
        }
        self.end_media(Column::Id.is_in(ended).into(), limit).await
    }

    /// Ends files of every organization that nobody will use: uploads whose message never came, and files that
    /// were expected before then and never came. Says how many.
    pub async fn end_abandoned_media(
        &self,
        expected_before: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let uploads = Condition::all()
            .add(Expr::cust("message_id IS NULL"))
            .add(Expr::cust("state = 'stored'"))
            .add(Column::ExpiresAt.lt(self.now().as_micros()));
        let ended = self.end_media(uploads, limit).await?;
        let expected = Condition::all()
            .add(Expr::cust("state <> 'stored'"))
            .add(Column::State.eq(MediaState::Waiting.as_str()))
            .add(Column::CreatedAt.lt(expected_before.as_micros()));
        Ok(ended + self.end_media(expected, limit).await?)
    }

    /// Files of an organization, or of every one, that have ended and of which something is left to delete: bytes, or a
    /// row that belongs to no message. In the order of their ids, from behind `after`, so that whoever cannot delete
    /// some comes to the others.
    pub async fn ended_media(
        &self,
        organization: Option<OrganizationId>,
        after: Option<MediaFileId>,
        limit: u64,
    ) -> Result<Vec<EndedMediaFile>, StoreError> {
        let which = Condition::all()
            .add_option(organization.map(|id| Column::OrganizationId.eq(id.as_uuid())))
            .add_option(after.map(|id| Column::Id.gt(id.as_uuid())));
        let rows: Vec<(Uuid, Option<String>)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::StorageKey)
            .filter(Expr::cust("state <> 'stored'"))
            .filter(Column::State.is_in([MediaState::Expired.as_str(), MediaState::Failed.as_str()]))
            .filter(
                Condition::any()
                    .add(Column::StorageKey.is_not_null())
                    .add(Column::MessageId.is_null()),
            )
            .filter(which)
            .order_by_asc(Column::Id)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        rows.into_iter()
            .map(|(id, key)| {
                let key = key.as_deref().map(StorageKey::parse).transpose();
                Ok(EndedMediaFile {
                    id: id.into(),
                    key: key.map_err(|_| StoreError::Inconsistent {
                        table: "media_files",
                        column: "storage_key",
                        row: id.to_string(),
                    })?,
                })
            })
            .collect()
    }

    /// Forgets the bytes of ended files, which were deleted, and the rows of those that belong to no message:
    /// whosever they were.
    pub async fn forget_ended_media(&self, files: &[MediaFileId]) -> Result<(), StoreError> {
        let these = || Column::Id.is_in(files.iter().map(|id| id.as_uuid()));
        Entity::delete_many()
            .filter(these())
            .filter(Column::MessageId.is_null())
            .exec(&self.transaction)
            .await?;
        Entity::update_many()
            .col_expr(Column::StorageKey, Expr::value(None::<String>))
            .filter(these())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Which of these keys a row names: what is found in the media store and named by none is nobody's.
    pub async fn known_storage_keys(&self, keys: &[StorageKey]) -> Result<Vec<String>, StoreError> {
        Ok(Entity::find()
            .select_only()
            .column(Column::StorageKey)
            .filter(Expr::cust("storage_key IS NOT NULL"))
            .filter(Column::StorageKey.is_in(keys.iter().map(StorageKey::as_str)))
            .into_tuple()
            .all(&self.transaction)
            .await?)
    }

    /// Ends the files of messages, and takes them from these, which are deleted.
    pub(super) async fn end_media_of(&self, messages: &[Uuid]) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(MediaState::Expired.as_str()))
            .col_expr(Column::MessageId, Expr::value(None::<Uuid>))
            .col_expr(Column::Source, Expr::value(None::<String>))
            .col_expr(Column::Filename, Expr::value(None::<String>))
            .filter(Column::MessageId.is_in(messages.iter().copied()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    async fn end_media(&self, condition: Condition, limit: u64) -> Result<u64, StoreError> {
        let due = Query::select()
            .column(Column::Id)
            .from(Entity)
            .cond_where(condition)
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(within_database(limit))
            .take();
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(MediaState::Expired.as_str()))
            .col_expr(Column::Source, Expr::value(None::<String>))
            .filter(Column::Id.in_subquery(due))
            .exec(&self.transaction)
            .await?;
        Ok(ended.rows_affected)
    }
}

/// Files that are not of an organization's exports.
fn is_no_export(organization: OrganizationId) -> SimpleExpr {
    let of_exports = Query::select()
        .column(export::Column::MediaFileId)
        .from(export::Entity)
        .and_where(export::Column::OrganizationId.eq(organization.as_uuid()))
        .and_where(export::Column::MediaFileId.is_not_null())
        .take();
    Column::Id.not_in_subquery(of_exports)
}

/// Stored files of an organization that are not kept on purpose, such as for a message that is still to be sent.
fn kept_for_nothing(organization: OrganizationId, now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(organization.as_uuid()))
        // Spelled out, because only then do both databases see that the partial index holds all of them.
        .add(Expr::cust("state = 'stored'"))
        .add(
            Condition::any()
                .add(Column::ExpiresAt.is_null())
                .add(Column::ExpiresAt.lte(now.as_micros())),
        )
}
