//! Organizations as operators see them: they make, list, suspend and close them.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Value, sea_query::Expr,
};
use wahana_domain::{
    EmailAddress, Membership, Organization, OrganizationId, OrganizationLimits, OrganizationState,
};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{membership, organization},
    members, organizations,
    transaction::within_database,
};

impl PlatformTx {
    /// One organization: operators know its id and belong to none.
    pub async fn organization(&self, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
        let row = organization::Entity::find_by_id(id.as_uuid())
            .one(&self.transaction)
            .await?;
        row.map(organizations::from_row).transpose()
    }

    /// Every organization, by name: only operators see more than their own.
    pub async fn organizations(&self, offset: u64, limit: u64) -> Result<Vec<Organization>, StoreError> {
        let rows = organization::Entity::find()
            .order_by_asc(organization::Column::Name)
            .order_by_asc(organization::Column::Id)
            .offset(within_database(offset))
            .limit(within_database(limit))
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(organizations::from_row).collect()
    }

    /// The organizations with exactly this name, for operators who write it on the command line.
    pub async fn organizations_named(&self, name: &str) -> Result<Vec<Organization>, StoreError> {
        let rows = organization::Entity::find()
            .filter(organization::Column::Name.eq(name))
            .order_by_asc(organization::Column::CreatedAt)
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(organizations::from_row).collect()
    }

    /// How many organizations there are.
    pub async fn organization_count(&self) -> Result<u64, StoreError> {
        Ok(organization::Entity::find().count(&self.transaction).await?)
    }

    /// Makes an organization: before it exists, nobody can act in it.
    pub async fn insert_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        self.insert(
            organizations::to_row(organization)
                .into_active_model()
                .reset_all(),
        )
        .await
    }

    /// Renames an organization, for operators who must tell two of one name apart. Says whether it exists.
    pub async fn rename_organization(&self, id: OrganizationId, name: &str) -> Result<bool, StoreError> {
        self.update_organization(id, organization::Column::Name, name)
            .await
    }

    /// Suspends, resumes or closes an organization: its own members may not. Says whether it exists.
    pub async fn set_organization_state(
        &self,
        id: OrganizationId,
        state: OrganizationState,
    ) -> Result<bool, StoreError> {
        self.update_organization(id, organization::Column::State, state.as_str())
            .await
    }

    /// Changes the limits of an organization: it may not raise its own. Says whether it exists.
    pub async fn set_organization_limits(
        &self,
        id: OrganizationId,
        limits: &OrganizationLimits,
    ) -> Result<bool, StoreError> {
        use organization::Column;
        let updated = organization::Entity::update_many()
            .col_expr(Column::SessionLimit, Expr::value(limits.sessions))
            .col_expr(Column::MessagesPerMinute, Expr::value(limits.messages_per_minute))
            .col_expr(Column::MessagesPerHour, Expr::value(limits.messages_per_hour))
            .col_expr(Column::MediaPerMinute, Expr::value(limits.media_per_minute))
            .col_expr(Column::MediaPerHour, Expr::value(limits.media_per_hour))
            .col_expr(Column::RequestsPerMinute, Expr::value(limits.requests_per_minute))
            .col_expr(
                Column::OrganizationMessagesPerMinute,
                Expr::value(limits.organization_messages_per_minute),
            )
            .col_expr(
                Column::OrganizationMessagesPerHour,
                Expr::value(limits.organization_messages_per_hour),
            )
            .col_expr(Column::MonthlyMessages, Expr::value(limits.monthly_messages))
            .col_expr(Column::QueuedMessages, Expr::value(limits.queued_messages))
            .col_expr(Column::UpdatedAt, Expr::value(self.now().as_micros()))
            .filter(Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(updated.rows_affected == 1)
    }

    async fn update_organization(
        &self,
        id: OrganizationId,
        column: organization::Column,
        value: impl Into<Value>,
    ) -> Result<bool, StoreError> {
        let updated = organization::Entity::update_many()
            .col_expr(column, Expr::value(value))
            .col_expr(
                organization::Column::UpdatedAt,
                Expr::value(self.now().as_micros()),
            )
            .filter(organization::Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Makes a person a member: they come from outside of the organization.
    pub async fn insert_membership(&self, new: &Membership) -> Result<(), StoreError> {
        self.insert(members::to_row(new).into_active_model().reset_all())
            .await
    }

    /// Whether a person with this address is a member; asked before somebody outside joins.
    pub async fn is_member(&self, id: OrganizationId, email: &EmailAddress) -> Result<bool, StoreError> {
        let Some(user) = self.user_by_email(email).await? else {
            return Ok(false);
        };
        let key = (id.as_uuid(), user.id.as_uuid());
        Ok(membership::Entity::find_by_id(key)
            .one(&self.transaction)
            .await?
            .is_some())
    }
}
