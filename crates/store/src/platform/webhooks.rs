//! Webhooks of every organization: what is to be delivered, whosever it is.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};
use uuid::Uuid;
use wahana_domain::{
    EndpointState, LONGEST_DELIVERY_WAIT, OrganizationId, OrganizationState, Timestamp, WebhookEndpointId,
};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{organization, organization_event_counter, webhook_delivery, webhook_endpoint},
    tenant::Tenant,
    transaction::within_database,
    webhooks::{has_no_pause, is_waiting},
};

/// An endpoint for which something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueEndpoint {
    /// Its organization.
    pub tenant: Tenant,
    /// The endpoint.
    pub endpoint: WebhookEndpointId,
    /// Whether the last try to deliver anything to it failed.
    pub is_failing: bool,
}

/// An endpoint for which something waits that nobody comes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrandedEndpoint {
    /// Its organization.
    pub tenant: Tenant,
    /// The endpoint.
    pub endpoint: WebhookEndpointId,
    /// Whether anything is to be delivered to it.
    pub is_enabled: bool,
}

/// What waits to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingDeliveries {
    /// How many deliveries, those that failed and wait for their next try among them.
    pub deliveries: u64,
    /// Since when the first of those has been due that are due, and whose receiver did not ask to be left alone.
    pub oldest_due: Option<Timestamp>,
}

impl PlatformTx {
    /// Active organizations of which events have yet to become deliveries, whosever they are: whoever makes them serves
    /// every organization. In the order of their ids, from behind `after`; only some of these, if some are named.
    pub async fn organizations_with_new_events(
        &self,
        among: Option<&[OrganizationId]>,
        after: Option<OrganizationId>,
        limit: u64,
    ) -> Result<Vec<Tenant>, StoreError> {
        use webhook_endpoint::{Column, Entity};
        let has_new = Query::select()
            .expr(Expr::val(1))
            .from(organization_event_counter::Entity)
            .and_where(
                Expr::col((
                    organization_event_counter::Entity,
                    organization_event_counter::Column::OrganizationId,
                ))
                .equals((Entity, Column::OrganizationId)),
            )
            .and_where(
                Expr::col((
                    organization_event_counter::Entity,
                    organization_event_counter::Column::LastNumber,
                ))
                .gt(Expr::col((Entity, Column::Position))),
            )
            .take();
        let rows: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::OrganizationId)
            .distinct()
            .filter(enabled())
            .filter(Expr::exists(has_new))
            .filter(
                Condition::all()
                    .add_option(
                        among.map(|ids| Column::OrganizationId.is_in(ids.iter().map(|id| id.as_uuid()))),
                    )
                    .add_option(after.map(|id| Column::OrganizationId.gt(id.as_uuid()))),
            )
            .order_by_asc(Column::OrganizationId)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let tenants = rows.into_iter().map(|id| Tenant::of(OrganizationId::from(id)));
        Ok(tenants.collect())
    }

    /// Enabled endpoints of active organizations for which something is due, whosever they are: a process that died
    /// left it to nobody in particular. In the order of their ids, from behind `after`.
    pub async fn endpoints_with_due_deliveries(
        &self,
        after: Option<WebhookEndpointId>,
        limit: u64,
    ) -> Result<Vec<DueEndpoint>, StoreError> {
        use webhook_endpoint::{Column, Entity};
        let is_due = Query::select()
            .expr(Expr::val(1))
            .from(webhook_delivery::Entity)
            .and_where(
                Expr::col((webhook_delivery::Entity, webhook_delivery::Column::EndpointId))
                    .equals((Entity, Column::Id)),
            )
            .and_where(Expr::cust("webhook_deliveries.state = 'waiting'"))
            .and_where(webhook_delivery::Column::DueAt.lte(self.now().as_micros()))
            .take();
        let rows: Vec<(Uuid, Uuid, Option<i64>)> = Entity::find()
            .select_only()
            .column(Column::OrganizationId)
            .column(Column::Id)
            .column(Column::FailingSince)
            .filter(enabled())
            .filter(has_no_pause(self.now()))
            .filter(Expr::exists(is_due))
            .filter(Condition::all().add_option(after.map(|id| Column::Id.gt(id.as_uuid()))))
            .order_by_asc(Column::Id)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(organization, endpoint, failing_since)| DueEndpoint {
                tenant: Tenant::of(OrganizationId::from(organization)),
                endpoint: endpoint.into(),
                is_failing: failing_since.is_some(),
            })
            .collect())
    }

    /// Endpoints for which something waits that nobody comes back to, whosever they are: whoever should have given it up
    /// is gone, or a clock was ahead that wrote down when it is due.
    pub async fn endpoints_with_stranded_deliveries(
        &self,
        limit: u64,
    ) -> Result<Vec<StrandedEndpoint>, StoreError> {
        use webhook_endpoint::{Column, Entity};
        let waiting = || {
            Query::select()
                .expr(Expr::val(1))
                .from(webhook_delivery::Entity)
                .and_where(
                    Expr::col((webhook_delivery::Entity, webhook_delivery::Column::EndpointId))
                        .equals((Entity, Column::Id)),
                )
                .and_where(Expr::cust("webhook_deliveries.state = 'waiting'"))
                .take()
        };
        let latest = self.now().plus(LONGEST_DELIVERY_WAIT);
        let too_late = waiting()
            .and_where(webhook_delivery::Column::DueAt.gt(latest.as_micros()))
            .take();
        let is_enabled = Column::State.eq(EndpointState::Enabled.as_str());
        let rows: Vec<(Uuid, Uuid, String)> = Entity::find()
            .select_only()
            .column(Column::OrganizationId)
            .column(Column::Id)
            .column(Column::State)
            .filter(
                Condition::any()
                    .add(is_enabled.clone().and(Expr::exists(too_late)))
                    .add(is_enabled.not().and(Expr::exists(waiting()))),
            )
            .order_by_asc(Column::Id)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(organization, endpoint, state)| StrandedEndpoint {
                tenant: Tenant::of(OrganizationId::from(organization)),
                endpoint: endpoint.into(),
                is_enabled: state == EndpointState::Enabled.as_str(),
            })
            .collect())
    }

    /// How much waits to be delivered to enabled endpoints of active organizations, for all organizations together, for whoever watches the installation.
    pub async fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError> {
        use webhook_delivery::{Column, Entity};
        let waiting_for = |endpoints: Condition| {
            let endpoints = Query::select()
                .column(webhook_endpoint::Column::Id)
                .from(webhook_endpoint::Entity)
                .cond_where(endpoints)
                .take();
            Entity::find()
                .select_only()
                .filter(is_waiting())
                .filter(Column::EndpointId.in_subquery(endpoints))
        };
        let deliveries: Option<i64> = waiting_for(enabled())
            .column_as(Column::Id.count(), "deliveries")
            .into_tuple()
            .one(&self.transaction)
            .await?;
        // What is due to an endpoint that is left alone is not late.
        let oldest: Option<Option<i64>> = waiting_for(enabled().add(has_no_pause(self.now())))
            .column_as(Column::DueAt.min(), "oldest")
            .into_tuple()
            .one(&self.transaction)
            .await?;
        let oldest = oldest.flatten();
        let oldest = oldest.map(Timestamp::from_micros);
        Ok(WaitingDeliveries {
            deliveries: u64::try_from(deliveries.unwrap_or(0)).unwrap_or(0),
            oldest_due: oldest.filter(|oldest| *oldest <= self.now()),
        })
    }
}

/// Endpoints that get something.
fn enabled() -> Condition {
    use webhook_endpoint::Column;
    let active = Query::select()
        .column(organization::Column::Id)
        .from(organization::Entity)
        .and_where(organization::Column::State.eq(OrganizationState::Active.as_str()))
        .take();
    Condition::all()
        .add(Column::State.eq(EndpointState::Enabled.as_str()))
        .add(Column::OrganizationId.in_subquery(active))
}
