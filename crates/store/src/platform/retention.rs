//! What is deleted when its time has come: one rule holds for every organization, and the platform keeps
//! it. Each call deletes no more than a batch, so that nobody waits long for the database.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, Iterable, PrimaryKeyToColumn, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{ColumnRef, Expr, JoinType, Query},
};
use uuid::Uuid;
use wahana_domain::{DeliveryStatus, EndpointState, Month, OrganizationId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{
        audit_entry, erased_message, erased_waha_name, erasure, export, idempotency_key, job, message,
        message_content, message_usage, organization_event, password_reset, process, session_activity,
        session_transition, sign_in, waha_event, webhook_attempt, webhook_delivery, webhook_endpoint,
    },
    transaction::within_database,
};

/// Messages that are still to be sent.
const OPEN: [DeliveryStatus; 2] = [DeliveryStatus::Queued, DeliveryStatus::Sending];

impl PlatformTx {
    /// Deletes events of every organization that came before then and have been dealt with; says how
    /// many.
    pub async fn delete_settled_events(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use waha_event::{Column, Entity};
        let condition = Condition::all()
            .add(Column::ReceivedAt.lt(before.as_micros()))
            .add(Column::State.is_in(["applied", "ignored"]));
        self.delete_batch::<Entity>(Column::ReceivedAt, condition, limit)
            .await
    }

    /// Deletes what was told to every organization and was written down before then; says how much.
    pub async fn delete_organization_events(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use organization_event::{Column, Entity};
        let condition = Column::CreatedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::CreatedAt, condition, limit)
            .await
    }

    /// Deletes deliveries of webhooks of every organization that ended before then, with their attempts; says how many.
    pub async fn delete_ended_deliveries(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use webhook_delivery::{Column, Entity};
        let condition = Condition::all()
            .add(Column::UpdatedAt.lt(before.as_micros()))
            .add(Expr::cust("state <> 'waiting'"));
        self.delete_batch::<Entity>(Column::UpdatedAt, condition, limit)
            .await
    }

    /// Deletes jobs of every organization that were done or given up before then; says how many.
    pub async fn delete_finished_jobs(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use job::{Column, Entity};
        let condition = Column::FinishedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::FinishedAt, condition, limit)
            .await
    }

    /// Deletes what every organization's sessions went through before then; says how many rows.
    pub async fn delete_session_transitions(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use session_transition::{Column, Entity};
        let condition = Column::HappenedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::HappenedAt, condition, limit)
            .await
    }

    /// Deletes what went through every organization's sessions before then; says how many rows.
    pub async fn delete_session_activity(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use session_activity::{Column, Entity};
        let condition = Column::Slot.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::Slot, condition, limit).await
    }

    /// Deletes how much every organization sent in the months before this one; says how many rows.
    pub async fn delete_message_usage(&self, before: Month, limit: u64) -> Result<u64, StoreError> {
        use message_usage::{Column, Entity};
        let condition = Column::Month.lt(before.as_number()).into();
        self.delete_batch::<Entity>(Column::Month, condition, limit).await
    }

    /// Deletes sign-ins that ended before then; they are people's, and people belong to nobody.
    pub async fn delete_ended_sign_ins(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use sign_in::{Column, Entity};
        let condition = Column::ExpiresAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::ExpiresAt, condition, limit)
            .await
    }

    /// Deletes password links that ended before then; they are people's, too.
    pub async fn delete_ended_password_resets(
        &self,
        before: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use password_reset::{Column, Entity};
        let condition = Column::ExpiresAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::ExpiresAt, condition, limit)
            .await
    }

    /// Forgets processes that have not been seen since then; they belong to no organization.
    pub async fn delete_silent_processes(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use process::{Column, Entity};
        let condition = Column::SeenAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::SeenAt, condition, limit)
            .await
    }

    /// Deletes messages of an organization that were written before then, as its own retention says, ends their files,
    /// and deletes what receivers were told of them; says how many messages. Not the organization's transaction,
    /// because the same round goes through all of them.
    pub async fn delete_messages(
        &self,
        organization: OrganizationId,
        before: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use message::{Column, Entity};
        let due: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::OrganizationId.eq(organization.as_uuid()))
            .filter(Column::CreatedAt.lt(before.as_micros()))
            // What is still to be sent is not past its time.
            .filter(Column::Status.is_not_in(OPEN.map(DeliveryStatus::as_str)))
            .order_by_asc(Column::CreatedAt)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        self.end_media_of(&due).await?;
        // With what receivers answered when they were told, also those that are tried again.
        let told = Query::select()
            .column(webhook_delivery::Column::Id)
            .from(webhook_delivery::Entity)
            .and_where(webhook_delivery::Column::OrganizationId.eq(organization.as_uuid()))
            .and_where(webhook_delivery::Column::MessageId.is_in(due.iter().copied()))
            .take();
        webhook_attempt::Entity::update_many()
            .col_expr(webhook_attempt::Column::Answer, Expr::value(None::<String>))
            .filter(webhook_attempt::Column::OrganizationId.eq(organization.as_uuid()))
            .filter(webhook_attempt::Column::DeliveryId.in_subquery(told))
            .exec(&self.transaction)
            .await?;
        webhook_delivery::Entity::delete_many()
            .filter(webhook_delivery::Column::MessageId.is_in(due.iter().copied()))
            .filter(Expr::cust("state <> 'waiting'"))
            .exec(&self.transaction)
            .await?;
        let deleted = Entity::delete_many()
            .filter(Column::Id.is_in(due))
            .exec(&self.transaction)
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Deletes what messages of an organization say that it does not keep, except of those that are still to be
    /// sent, or perhaps sent again, or told of; says of how many. Not the organization's transaction, as above.
    pub async fn delete_unkept_contents(
        &self,
        organization: OrganizationId,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use message_content::{Column, Entity};
        let needed = Query::select()
            .column(message::Column::Id)
            .from(message::Entity)
            .and_where(message::Column::OrganizationId.eq(organization.as_uuid()))
            .cond_where(
                Condition::any()
                    .add(message::Column::Status.is_in(OPEN.map(DeliveryStatus::as_str)))
                    .add(message::Column::SettleAt.is_not_null()),
            )
            .take();
        let condition = Condition::all()
            .add(Column::OrganizationId.eq(organization.as_uuid()))
            .add(Column::ForgetAfter.is_null())
            .add(Column::MessageId.not_in_subquery(needed));
        self.delete_batch::<Entity>(Column::MessageId, condition, limit)
            .await
    }

    /// Forgets what receivers answered when they were told of messages, of an organization that does not keep what these
    /// say: they may repeat it. Says how many answers. Not the organization's transaction, as above.
    pub async fn forget_unkept_answers(
        &self,
        organization: OrganizationId,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use webhook_attempt::{Column, Entity};
        let of_messages = Query::select()
            .column(webhook_delivery::Column::Id)
            .from(webhook_delivery::Entity)
            .and_where(webhook_delivery::Column::OrganizationId.eq(organization.as_uuid()))
            .and_where(webhook_delivery::Column::MessageId.is_not_null())
            .take();
        let due: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::OrganizationId.eq(organization.as_uuid()))
            .filter(Column::Answer.is_not_null())
            .filter(Column::DeliveryId.in_subquery(of_messages))
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let forgotten = Entity::update_many()
            .col_expr(Column::Answer, Expr::value(None::<String>))
            .filter(Column::OrganizationId.eq(organization.as_uuid()))
            .filter(Column::Id.is_in(due))
            .exec(&self.transaction)
            .await?;
        Ok(forgotten.rows_affected)
    }

    /// Deletes texts that no organization keeps and whose time was over then, as soon as no webhook is still to be
    /// told them; says of how many messages.
    pub async fn delete_told_texts(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use message_content::{Column, Entity};
        let is_told = |organization: ColumnRef, message: ColumnRef| {
            Condition::all()
                .add(Expr::col(organization).equals(Column::OrganizationId.as_column_ref()))
                .add(Expr::col(message).equals(Column::MessageId.as_column_ref()))
        };
        let to_deliver = {
            use webhook_delivery::{Column, Entity};
            Query::select()
                .expr(Expr::val(1))
                .from(Entity)
                .cond_where(is_told(
                    Column::OrganizationId.as_column_ref().into(),
                    Column::MessageId.as_column_ref().into(),
                ))
                .and_where(Expr::cust("webhook_deliveries.state = 'waiting'"))
                .take()
        };
        let to_fan_out = {
            use organization_event::{Column, Entity};
            use webhook_endpoint::Column as Endpoint;
            let endpoint_of_organization = Condition::all()
                .add(
                    Expr::col(Endpoint::OrganizationId.as_column_ref())
                        .equals(Column::OrganizationId.as_column_ref()),
                )
                .add(Endpoint::State.eq(EndpointState::Enabled.as_str()));
            Query::select()
                .expr(Expr::val(1))
                .from(Entity)
                .join(
                    JoinType::InnerJoin,
                    webhook_endpoint::Entity,
                    endpoint_of_organization,
                )
                .cond_where(is_told(
                    Column::OrganizationId.as_column_ref().into(),
                    Column::MessageId.as_column_ref().into(),
                ))
                .and_where(
                    Expr::col(Column::Number.as_column_ref())
                        .gt(Expr::col(Endpoint::Position.as_column_ref())),
                )
                .take()
        };
        let condition = Condition::all()
            .add(Column::ForgetAfter.lt(before.as_micros()))
            .add(Expr::exists(to_deliver).not())
            .add(Expr::exists(to_fan_out).not());
        self.delete_batch::<Entity>(Column::ForgetAfter, condition, limit)
            .await
    }

    /// Deletes what is known of erasures of every organization that ended before then; says how many.
    pub async fn delete_ended_erasures(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use erasure::{Column, Entity};
        let condition = Column::FinishedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::FinishedAt, condition, limit)
            .await
    }

    /// Deletes what is known of exports that any organization asked for before then; says how many.
    pub async fn delete_exports(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use export::{Column, Entity};
        let condition = Column::CreatedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::CreatedAt, condition, limit)
            .await
    }

    /// Forgets by what messages of every organization are known that were erased before then; says how many.
    pub async fn forget_erased_messages(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use erased_message::{Column, Entity};
        let condition = Column::ErasedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::ErasedAt, condition, limit)
            .await
    }

    /// Forgets which names on WAHA servers were erased before then with their organizations; says how many.
    pub async fn forget_erased_waha_names(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use erased_waha_name::{Column, Entity};
        let condition = Column::ErasedAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::ErasedAt, condition, limit)
            .await
    }

    /// Forgets the keys of requests of every organization that ended before then; says how many.
    pub async fn delete_idempotency_keys(&self, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
        use idempotency_key::{Column, Entity};
        let condition = Column::ExpiresAt.lt(before.as_micros()).into();
        self.delete_batch::<Entity>(Column::ExpiresAt, condition, limit)
            .await
    }

    /// Deletes audit entries of an organization, or of none, that were written before then; says how many.
    /// The tenant role may not delete any, and on PostgreSQL the platform's own may only delete what is
    /// past its retention, whatever is asked here. The caller leaves a row.
    pub async fn delete_audit_entries(
        &self,
        organization: Option<OrganizationId>,
        before: Timestamp,
        limit: u64,
    ) -> Result<u64, StoreError> {
        use audit_entry::{Column, Entity};
        let owner = match organization {
            Some(organization) => Column::OrganizationId.eq(organization.as_uuid()),
            None => Column::OrganizationId.is_null(),
        };
        let condition = Condition::all()
            .add(owner)
            .add(Column::CreatedAt.lt(before.as_micros()));
        self.delete_batch::<Entity>(Column::CreatedAt, condition, limit)
            .await
    }

    /// Deletes the first rows for which the condition holds.
    pub(super) async fn delete_batch<E: EntityTrait + Default>(
        &self,
        order: E::Column,
        condition: Condition,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let key: Vec<E::Column> = E::PrimaryKey::iter()
            .map(PrimaryKeyToColumn::into_column)
            .collect();
        let due = Query::select()
            .columns(key.clone())
            .from(E::default())
            .cond_where(condition.clone())
            .order_by(order, sea_orm::Order::Asc)
            .limit(within_database(limit))
            .take();
        let key = Expr::tuple(key.into_iter().map(Expr::col));
        // Asked again of each row: somebody may have changed it since it was found.
        let deleted = E::delete_many()
            .filter(key.in_subquery(due))
            .filter(condition)
            .exec(&self.transaction)
            .await?;
        Ok(deleted.rows_affected)
    }
}
