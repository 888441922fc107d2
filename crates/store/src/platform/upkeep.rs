//! The sessions of a WAHA server that may need something done: one server holds sessions of many
//! organizations.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Query, UnionType},
};
use uuid::Uuid;
use wahana_domain::{OrganizationId, OrganizationState, ServerId, Session, SessionId};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{organization, session, session_upkeep, waha_server},
    needs::Needs,
    sessions,
    tenant::Tenant,
    upkeep::{self, Upkeep},
};

/// A session that may need something done, and what that depends on.
#[derive(Clone, Debug)]
pub struct SessionInNeed {
    /// Its organization.
    pub tenant: Tenant,
    /// The session.
    pub session: Session,
    /// What its upkeep remembers.
    pub upkeep: Upkeep,
    /// Whether its organization may use wahana.
    pub is_suspended: bool,
    /// Whether its organization lets silent sessions be restarted.
    pub restarts_silent_sessions: bool,
}

/// A WAHA server whose sessions are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInCare {
    /// Its id.
    pub id: ServerId,
    /// What operators call it.
    pub name: String,
    /// Whether an operator paused it: nothing is done there.
    pub is_paused: bool,
}

impl PlatformTx {
    /// The WAHA servers by name, or this one. They belong to the platform, and their keys stay where they are.
    pub async fn servers_in_care(&self, only: Option<ServerId>) -> Result<Vec<ServerInCare>, StoreError> {
        let only = only.map(|id| waha_server::Column::Id.eq(id.as_uuid()));
        let rows = waha_server::Entity::find()
            .filter(waha_server::Column::RemovedAt.is_null())
            .filter(Condition::all().add_option(only))
            .order_by_asc(waha_server::Column::Name)
            .all(&self.transaction)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| ServerInCare {
                id: row.id.into(),
                name: row.name,
                is_paused: row.paused_at.is_some(),
            })
            .collect())
    }

    /// The sessions of a WAHA server for which something may have to be done now, whosever they are: those
    /// that are not as wanted, that have something to be forgotten, or whose configuration has drifted. It
    /// leaves out what surely need not be looked at, so that thousands of sessions that are as wanted cost
    /// one look into an index.
    pub async fn sessions_in_need(
        &self,
        server: ServerId,
        limit: u64,
    ) -> Result<Vec<SessionInNeed>, StoreError> {
        let now = self.now();
        let [first, others @ ..] = Needs { server, now }.ids();
        let mut ids = first;
        for other in others {
            ids.union(UnionType::Distinct, other);
        }
        let rows = session::Entity::find()
            .filter(session::Column::Id.in_subquery(ids))
            .order_by_asc(session::Column::Id)
            .limit(limit)
            .all(&self.transaction)
            .await?;
        self.with_upkeep(rows).await
    }

    /// What is remembered of the living sessions of a WAHA server, whosever they are: its list of configurations is
    /// compared with all of them at once.
    pub async fn upkeep_on_server(&self, server: ServerId) -> Result<HashMap<SessionId, Upkeep>, StoreError> {
        let on_server = Query::select()
            .column(session::Column::Id)
            .from(session::Entity)
            .and_where(session::Column::WahaServerId.eq(server.as_uuid()))
            .and_where(session::Column::DeletedAt.is_null())
            .take();
        let rows = session_upkeep::Entity::find()
            .filter(session_upkeep::Column::SessionId.in_subquery(on_server))
            .all(&self.transaction)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.session_id.into(), upkeep::from_row(row)))
            .collect())
    }

    async fn with_upkeep(&self, rows: Vec<session::Model>) -> Result<Vec<SessionInNeed>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let upkeep = session_upkeep::Entity::find()
            .filter(session_upkeep::Column::SessionId.is_in(rows.iter().map(|row| row.id)))
            .all(&self.transaction)
            .await?;
        let mut upkeep: HashMap<Uuid, Upkeep> = upkeep
            .into_iter()
            .map(|row| (row.session_id, upkeep::from_row(row)))
            .collect();
        let organizations: Vec<(Uuid, String, bool)> = organization::Entity::find()
            .select_only()
            .column(organization::Column::Id)
            .column(organization::Column::State)
            .column(organization::Column::RestartsSilentSessions)
            .filter(organization::Column::Id.is_in(rows.iter().map(|row| row.organization_id)))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let organizations: HashMap<Uuid, (String, bool)> = organizations
            .into_iter()
            .map(|(id, state, restarts)| (id, (state, restarts)))
            .collect();
        rows.into_iter()
            .map(|row| {
                let organization = organizations.get(&row.organization_id);
                Ok(SessionInNeed {
                    tenant: Tenant::of(OrganizationId::from(row.organization_id)),
                    upkeep: upkeep.remove(&row.id).unwrap_or_default(),
                    is_suspended: organization
                        .is_none_or(|(state, _)| state != OrganizationState::Active.as_str()),
                    restarts_silent_sessions: organization.is_some_and(|(_, restarts)| *restarts),
                    session: sessions::from_row(row)?,
                })
            })
            .collect()
    }
}
