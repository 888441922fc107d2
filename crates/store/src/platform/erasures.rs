//! Erasing everything that is kept of a closed organization: only the platform reaches all of it. Each call changes no
//! more than a batch, so that nobody waits long for the database.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict, Query},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wahana_domain::{MediaState, OrganizationErasure, OrganizationId, Timestamp, WahaAddress};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{
        access_token, access_token_session, erased_message, erased_waha_name, erasure, export,
        idempotency_key, invitation, job, media_file, membership, message, message_content, message_usage,
        organization, organization_erasure, organization_event, organization_event_counter, password_reset,
        platform_token, session, session_activity, session_leftover, session_transition, session_upkeep,
        sign_in, user, user_password, waha_event, webhook_delivery, webhook_endpoint,
    },
    transaction::within_database,
};

/// How long audit entries of an erased organization are kept that kept its own for ever, in days.
const AUDIT_DAYS: i32 = 400;
/// What a session is called that is still to be deleted on WAHA, while its organization is erased.
const EMPTIED_SESSION: &str = "erased";

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
            waits_for: Set(None),
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
            waits_for: row.waits_for,
            created_at: Timestamp::from_micros(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_micros),
        }))
    }

    /// Writes down what the erasure of an organization waits for, which is told to operators until it is done.
    pub async fn set_organization_erasure_wait(
        &self,
        id: OrganizationId,
        waits_for: &str,
    ) -> Result<(), StoreError> {
        use organization_erasure::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::WaitsFor, Expr::value(waits_for))
            .filter(Column::OrganizationId.eq(id.as_uuid()))
            .filter(Column::FinishedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Whether a message of an organization is just being handed to WAHA; asked by who erases it.
    pub async fn is_organization_sending(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let sending = message::Entity::find()
            .filter(message::Column::OrganizationId.eq(id.as_uuid()))
            .filter(Expr::cust("lane IS NOT NULL"))
            // What nobody came back for is on its way no more.
            .filter(message::Column::LeaseExpiresAt.gt(self.now().as_micros()));
        Ok(sending.limit(1).one(&self.transaction).await?.is_some())
    }

    /// Whether sessions of an organization are still to be deleted on WAHA; asked by who erases it.
    pub async fn has_leftovers(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let left = session_leftover::Entity::find()
            .filter(session_leftover::Column::OrganizationId.eq(id.as_uuid()));
        Ok(left.count(&self.transaction).await? > 0)
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

    /// Deletes a batch of what is kept of an organization, but for itself, its audit log, and sessions that live or are
    /// still to be deleted on WAHA, which keep nothing but where they are there; says how many rows, 0 when nothing is
    /// left. Its files were ended, and their bytes deleted.
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
        );
        let ended_files = Condition::all()
            .add(media_file::Column::OrganizationId.eq(id.as_uuid()))
            .add(media_file::Column::State.eq(MediaState::Expired.as_str()));
        let files = self
            .delete_batch::<media_file::Entity>(media_file::Column::Id, ended_files, limit)
            .await?;
        if files > 0 {
            return Ok(files);
        }
        let sessions = self.delete_gone_sessions(id, limit).await?;
        if sessions > 0 {
            return Ok(sessions);
        }
        delete_of_first!(self, id, limit:
            access_token by Id,
            invitation by Id,
            job by Id,
        );
        self.delete_members(id, limit).await
    }

    /// Deletes a batch of sessions that are deleted on WAHA too, and remembers for a while which names they had there;
    /// empties those that wait for that.
    async fn delete_gone_sessions(&self, id: OrganizationId, limit: u64) -> Result<u64, StoreError> {
        use session::{Column, Entity};
        let left = Query::select()
            .column(session_leftover::Column::SessionId)
            .from(session_leftover::Entity)
            .and_where(session_leftover::Column::OrganizationId.eq(id.as_uuid()))
            .take();
        let gone = Entity::find()
            .filter(Column::OrganizationId.eq(id.as_uuid()))
            .filter(Column::DeletedAt.is_not_null())
            .filter(Column::Id.not_in_subquery(left))
            .order_by_asc(Column::Id)
            .limit(within_database(limit))
            .all(&self.transaction)
            .await?;
        if gone.is_empty() {
            return self.empty_sessions(id).await;
        }
        let erased_at = self.now().as_micros();
        let names = gone.iter().map(|row| erased_waha_name::ActiveModel {
            waha_server_id: Set(row.waha_server_id),
            name_hash: Set(erased_name(row.waha_server_id, &row.waha_name)),
            erased_at: Set(erased_at),
        });
        // An operator may have assigned one of before once more.
        let known = OnConflict::columns([
            erased_waha_name::Column::WahaServerId,
            erased_waha_name::Column::NameHash,
        ])
        .update_column(erased_waha_name::Column::ErasedAt)
        .to_owned();
        erased_waha_name::Entity::insert_many(names)
            .on_conflict(known)
            .exec_without_returning(&self.transaction)
            .await?;
        let ids: Vec<Uuid> = gone.iter().map(|row| row.id).collect();
        session_upkeep::Entity::delete_many()
            .filter(session_upkeep::Column::SessionId.is_in(ids.iter().copied()))
            .exec(&self.transaction)
            .await?;
        let deleted = Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .exec(&self.transaction)
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Takes out of deleted sessions what people wrote and whose number they had; says of how many.
    async fn empty_sessions(&self, id: OrganizationId) -> Result<u64, StoreError> {
        use session::{Column, Entity};
        let mut update = Entity::update_many()
            .col_expr(Column::SessionName, Expr::value(EMPTIED_SESSION))
            .col_expr(Column::Configuration, Expr::value("{}"));
        for text in [
            Column::DisplayName,
            Column::PhoneNumber,
            Column::LastError,
            Column::Warning,
            Column::BusinessName,
            Column::BusinessDescription,
            Column::BusinessCategory,
            Column::BusinessWebsite,
            Column::BusinessEmail,
        ] {
            update = update.col_expr(text, Expr::value(None::<String>));
        }
        let emptied = update
            .filter(Column::OrganizationId.eq(id.as_uuid()))
            .filter(Column::DeletedAt.is_not_null())
            .filter(Column::SessionName.ne(EMPTIED_SESSION))
            .exec(&self.transaction)
            .await?;
        Ok(emptied.rows_affected)
    }

    /// Whether a name on a WAHA server was that of a session which was erased with its organization a short time ago:
    /// before anybody has it again, WAHA may still tell of what happened to the one before.
    pub async fn is_waha_name_erased(&self, address: &WahaAddress) -> Result<bool, StoreError> {
        let server = address.server.as_uuid();
        let key = (server, erased_name(server, address.name.as_str()));
        let found = erased_waha_name::Entity::find_by_id(key);
        Ok(found.one(&self.transaction).await?.is_some())
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

    /// Gives an organization that is erased another name, and nothing else that it could be known by.
    pub async fn forget_organization(&self, id: OrganizationId, name: &str) -> Result<(), StoreError> {
        use organization::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .col_expr(Column::Country, Expr::value(None::<String>))
            .col_expr(
                Column::AuditRetentionDays,
                Expr::col(Column::AuditRetentionDays).if_null(AUDIT_DAYS),
            )
            .col_expr(Column::UpdatedAt, Expr::value(self.now().as_micros()))
            .filter(Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Ends the erasure of a whole organization, of which its id and the rest of its audit log stay, until the log is
    /// past its time. Says whether nothing else is left: whoever adds something waits until the transaction ends.
    pub async fn finish_organization_erasure(&self, id: OrganizationId) -> Result<bool, StoreError> {
        // The lock of who changes an id, which is refused to everybody who refers to it.
        let organization = organization::Entity::find_by_id(id.as_uuid()).lock_exclusive();
        organization.one(&self.transaction).await?;
        let sessions = session::Entity::find().filter(session::Column::OrganizationId.eq(id.as_uuid()));
        let files = media_file::Entity::find().filter(media_file::Column::OrganizationId.eq(id.as_uuid()));
        if self.delete_of_organization(id, 1).await? > 0
            || sessions.count(&self.transaction).await? > 0
            || files.count(&self.transaction).await? > 0
        {
            return Ok(false);
        }
        organization_erasure::Entity::update_many()
            .col_expr(
                organization_erasure::Column::FinishedAt,
                Expr::value(self.now().as_micros()),
            )
            .col_expr(
                organization_erasure::Column::WaitsFor,
                Expr::value(None::<String>),
            )
            .filter(organization_erasure::Column::OrganizationId.eq(id.as_uuid()))
            .filter(organization_erasure::Column::FinishedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(true)
    }
}

fn erased_name(server: Uuid, name: &str) -> Vec<u8> {
    Sha256::new()
        .chain_update(server.as_bytes())
        .chain_update(name)
        .finalize()
        .to_vec()
}
