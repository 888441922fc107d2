//! Erasing everything that is kept of a closed organization: only the platform reaches all of it. Each call changes no
//! more than a batch, so that nobody waits long for the database.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict, Query},
};
use uuid::Uuid;
use wahana_domain::{MediaState, OrganizationErasure, OrganizationId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{
        access_token, access_token_session, erased_message, erasure, export, idempotency_key, invitation,
        job, media_file, membership, message, message_content, message_usage, organization,
        organization_erasure, organization_event, organization_event_counter, password_reset, platform_token,
        session, session_activity, session_leftover, session_transition, session_upkeep, sign_in, user,
        user_password, waha_event, webhook_delivery, webhook_endpoint,
    },
    transaction::within_database,
};

/// How long audit entries of an erased organization are kept that kept its own for ever, in days.
const AUDIT_DAYS: i32 = 400;

/// Deletes a batch of the organization's rows of the first of these tables that has any. Rows that others refer to
/// come after those.
macro_rules! delete_of_first {
    ($tx:ident, $organization:ident, $limit:ident: $($entity:ident by $order:ident),+ $(,)?) => {$(
        let deleted = $tx
            .delete_batch::<$entity::Entity>(
                $entity::Column::$order,
                $entity::Column::OrganizationId.eq($organization.as_uuid()).into(),
                $limit,
            )
            .await?;
        if deleted > 0 {
            return Ok(deleted);
        }
    )+};
}

impl PlatformTx {
    /// Writes down that a whole organization is to be erased; says whether that is new.
    pub async fn begin_organization_erasure(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let new = organization_erasure::ActiveModel {
            organization_id: Set(id.as_uuid()),
            rows: Set(0),
            created_at: Set(self.now().as_micros()),
            finished_at: Set(None),
        };
        let inserted = organization_erasure::Entity::insert(new)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(inserted == 1)
    }

    /// How far the erasure of a whole organization came, for operators.
    pub async fn organization_erasure(
        &self,
        id: OrganizationId,
    ) -> Result<Option<OrganizationErasure>, StoreError> {
        let found = organization_erasure::Entity::find_by_id(id.as_uuid());
        let Some(row) = found.one(&self.transaction).await? else {
            return Ok(None);
        };
        Ok(Some(OrganizationErasure {
            organization: id,
            rows: u64::try_from(row.rows).map_err(|_| StoreError::Inconsistent {
                table: "organization_erasures",
                column: "rows",
                row: id.to_string(),
            })?,
            created_at: Timestamp::from_micros(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_micros),
        }))
    }

    /// Whether something of an organization is still on its way: a message that is being handed to WAHA, or a session
    /// that is still to be deleted there.
    pub async fn is_organization_busy(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let sending = message::Entity::find()
            .filter(message::Column::OrganizationId.eq(id.as_uuid()))
            .filter(Expr::cust("lane IS NOT NULL"))
            // What nobody came back for is on its way no more.
            .filter(message::Column::LeaseExpiresAt.gt(self.now().as_micros()));
        if sending.limit(1).one(&self.transaction).await?.is_some() {
            return Ok(true);
        }
        let leftovers = session_leftover::Entity::find()
            .filter(session_leftover::Column::OrganizationId.eq(id.as_uuid()));
        Ok(leftovers.count(&self.transaction).await? > 0)
    }

    /// Ends files of an organization, however long they were to be kept; says how many. Their bytes are deleted like
    /// those of all that ended.
    pub async fn end_media_of_organization(&self, id: OrganizationId, limit: u64) -> Result<u64, StoreError> {
        use media_file::{Column, Entity};
        let due = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Column::OrganizationId.eq(id.as_uuid()))
            .cond_where(
                // One that ended before is still its message's.
                Condition::any()
                    .add(Column::State.ne(MediaState::Expired.as_str()))
                    .add(Column::MessageId.is_not_null()),
            )
            .limit(within_database(limit))
            .take();
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(MediaState::Expired.as_str()))
            .col_expr(Column::MessageId, Expr::value(None::<Uuid>))
            .col_expr(Column::Source, Expr::value(None::<String>))
            .col_expr(Column::Filename, Expr::value(None::<String>))
            .filter(Column::Id.in_subquery(due))
            .exec(&self.transaction)
            .await?;
        Ok(ended.rows_affected)
    }

    /// Deletes a batch of what is kept of an organization, but for itself, its audit log, and files whose bytes are
    /// still there; says how many rows, 0 when nothing is left.
    pub async fn delete_of_organization(&self, id: OrganizationId, limit: u64) -> Result<u64, StoreError> {
        delete_of_first!(self, id, limit:
            webhook_delivery by Id,
            webhook_endpoint by Id,
            export by Id,
            erasure by Id,
            erased_message by ErasedAt,
            organization_event by Number,
            organization_event_counter by OrganizationId,
            waha_event by ReceivedAt,
            idempotency_key by ExpiresAt,
            message_content by MessageId,
            message by Id,
            message_usage by OrganizationId,
            session_transition by HappenedAt,
            session_activity by Slot,
            access_token_session by TokenId,
            session_upkeep by SessionId,
            session by Id,
            access_token by Id,
            invitation by Id,
            job by Id,
        );
        self.delete_members(id, limit).await
    }

    /// Deletes a batch of memberships, and those people who belong to no other organization and operate nothing.
    async fn delete_members(&self, id: OrganizationId, limit: u64) -> Result<u64, StoreError> {
        let members: Vec<Uuid> = membership::Entity::find()
            .select_only()
            .column(membership::Column::UserId)
            .filter(membership::Column::OrganizationId.eq(id.as_uuid()))
            .order_by_asc(membership::Column::UserId)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let deleted = membership::Entity::delete_many()
            .filter(membership::Column::OrganizationId.eq(id.as_uuid()))
            .filter(membership::Column::UserId.is_in(members.iter().copied()))
            .exec(&self.transaction)
            .await?;
        let elsewhere = Query::select()
            .column(membership::Column::UserId)
            .from(membership::Entity)
            .take();
        // Of another organization that they left: its log says whose token it was.
        let had_tokens = Query::select()
            .column(access_token::Column::UserId)
            .from(access_token::Entity)
            .take();
        let gone: Vec<Uuid> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::Id.is_in(members))
            .filter(user::Column::Id.not_in_subquery(elsewhere))
            .filter(user::Column::Id.not_in_subquery(had_tokens))
            .filter(user::Column::IsPlatformAdministrator.eq(false))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        sign_in::Entity::delete_many()
            .filter(sign_in::Column::UserId.is_in(gone.iter().copied()))
            .exec(&self.transaction)
            .await?;
        password_reset::Entity::delete_many()
            .filter(password_reset::Column::UserId.is_in(gone.iter().copied()))
            .exec(&self.transaction)
            .await?;
        platform_token::Entity::delete_many()
            .filter(platform_token::Column::UserId.is_in(gone.iter().copied()))
            .exec(&self.transaction)
            .await?;
        user_password::Entity::delete_many()
            .filter(user_password::Column::UserId.is_in(gone.iter().copied()))
            .exec(&self.transaction)
            .await?;
        user::Entity::delete_many()
            .filter(user::Column::Id.is_in(gone))
            .exec(&self.transaction)
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Counts rows that were deleted of an organization that is being erased.
    pub async fn count_erased_rows(&self, id: OrganizationId, rows: u64) -> Result<(), StoreError> {
        use organization_erasure::{Column, Entity};
        let more = i64::try_from(rows).unwrap_or(i64::MAX);
        Entity::update_many()
            .col_expr(Column::Rows, Expr::col(Column::Rows).add(more))
            .filter(Column::OrganizationId.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Ends the erasure of a whole organization, of which its id and the rest of its audit log stay, until the log is
    /// past its time. Says whether nothing else is left.
    pub async fn finish_organization_erasure(
        &self,
        id: OrganizationId,
        name: &str,
    ) -> Result<bool, StoreError> {
        let files = media_file::Entity::find().filter(media_file::Column::OrganizationId.eq(id.as_uuid()));
        if files.count(&self.transaction).await? > 0 {
            return Ok(false);
        }
        let now = self.now().as_micros();
        organization::Entity::update_many()
            .col_expr(organization::Column::Name, Expr::value(name))
            .col_expr(organization::Column::Country, Expr::value(None::<String>))
            .col_expr(
                organization::Column::AuditRetentionDays,
                Expr::col(organization::Column::AuditRetentionDays).if_null(AUDIT_DAYS),
            )
            .col_expr(organization::Column::UpdatedAt, Expr::value(now))
            .filter(organization::Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        organization_erasure::Entity::update_many()
            .col_expr(organization_erasure::Column::FinishedAt, Expr::value(now))
            .filter(organization_erasure::Column::OrganizationId.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(true)
    }
}
