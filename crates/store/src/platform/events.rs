//! Events as they come in: a WAHA server delivers those of many organizations.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use uuid::Uuid;
use wahana_domain::{OrganizationId, SessionId};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::waha_event::{self, Column},
    events::{EventState, NewEvent},
    tenant::Tenant,
    transaction::within_database,
};

impl PlatformTx {
    /// Stores events that WAHA servers delivered, each once however often it is delivered; says how many were
    /// new. One delivery may concern any organization.
    pub async fn store_events(&self, events: &[NewEvent]) -> Result<u64, StoreError> {
        if events.is_empty() {
            return Ok(0);
        }
        let now = self.now().as_micros();
        let rows = events.iter().map(|event| waha_event::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(event.tenant.organization_id().as_uuid()),
            session_id: Set(event.session.as_uuid()),
            waha_server_id: Set(event.server.as_uuid()),
            event_id: Set(event.event_id.clone()),
            kind: Set(event.kind.clone()),
            state: Set(EventState::Waiting.as_str().to_owned()),
            payload: Set(Some(event.payload.clone())),
            happened_at: Set(event.happened_at.as_micros()),
            received_at: Set(now),
            applied_at: Set(None),
        });
        let once = OnConflict::columns([Column::WahaServerId, Column::EventId])
            .do_nothing()
            .to_owned();
        Ok(waha_event::Entity::insert_many(rows)
            .on_conflict(once)
            .exec_without_returning(&self.transaction)
            .await?)
    }

    /// Sessions with events that wait to be applied, whosever they are, those first that have waited longest:
    /// what a process that died left behind belongs to nobody in particular.
    pub async fn sessions_with_waiting_events(
        &self,
        limit: u64,
    ) -> Result<Vec<(Tenant, SessionId)>, StoreError> {
        let found: Vec<(Uuid, Uuid)> = waha_event::Entity::find()
            .select_only()
            .column(Column::OrganizationId)
            .column(Column::SessionId)
            .filter(Column::State.eq(EventState::Waiting.as_str()))
            .group_by(Column::OrganizationId)
            .group_by(Column::SessionId)
            .order_by_asc(Expr::col(Column::ReceivedAt).min())
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        Ok(found
            .into_iter()
            .map(|(organization, session)| (Tenant::of(OrganizationId::from(organization)), session.into()))
            .collect())
    }
}
