//! The hooks at which events come in: one delivery may be of any organization's session.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};
use uuid::Uuid;
use wahana_domain::{OrganizationId, ServerId, SessionId, Timestamp};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{session, session_upkeep, waha_server},
    hooks::FIRST_VERSION,
    tenant::Tenant,
};

/// A WAHA server, as far as its events concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookedServer {
    /// The server.
    pub id: ServerId,
    /// What operators call it.
    pub name: String,
    /// The version of its own hook's key: the newest one. The one before is valid too.
    pub hook_version: i64,
    /// When an event of it last came in, to about ten seconds.
    pub last_event_at: Option<Timestamp>,
    /// Since when changes are found without an event of it.
    pub event_gap_since: Option<Timestamp>,
}

/// A living session that a WAHA server may send events of, and the right to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookedSession {
    /// Its organization.
    pub tenant: Tenant,
    /// The session.
    pub id: SessionId,
    /// Its WAHA server.
    pub server: ServerId,
    /// Its name there.
    pub waha_name: String,
    /// The version of its hook's key: the newest one. The one before is valid too.
    pub hook_version: i64,
}

impl PlatformTx {
    /// These WAHA servers, without their keys, for the intake of their events.
    pub async fn hooked_servers(&self, ids: &[ServerId]) -> Result<Vec<HookedServer>, StoreError> {
        type Found = (Uuid, String, i64, Option<i64>, Option<i64>);
        let found: Vec<Found> = waha_server::Entity::find()
            .select_only()
            .column(waha_server::Column::Id)
            .column(waha_server::Column::Name)
            .column(waha_server::Column::HookVersion)
            .column(waha_server::Column::LastEventAt)
            .column(waha_server::Column::EventGapSince)
            .filter(waha_server::Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
            .filter(waha_server::Column::RemovedAt.is_null())
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let servers =
            found.into_iter().map(
                |(id, name, hook_version, last_event_at, event_gap_since)| HookedServer {
                    id: id.into(),
                    name,
                    hook_version,
                    last_event_at: last_event_at.map(Timestamp::from_micros),
                    event_gap_since: event_gap_since.map(Timestamp::from_micros),
                },
            );
        Ok(servers.collect())
    }

    /// The living sessions of these names on these WAHA servers, whosever they are: an event names no
    /// organization that could be believed.
    pub async fn hooked_sessions(
        &self,
        named: &[(ServerId, &str)],
    ) -> Result<Vec<HookedSession>, StoreError> {
        let mut by_server: HashMap<ServerId, Vec<&str>> = HashMap::new();
        for (server, name) in named {
            by_server.entry(*server).or_default().push(name);
        }
        let mut any = Condition::any();
        for (server, mut names) in by_server {
            names.sort_unstable();
            names.dedup();
            any = any.add(
                session::Column::WahaServerId
                    .eq(server.as_uuid())
                    .and(session::Column::WahaName.is_in(names)),
            );
        }
        let found: Vec<(Uuid, Uuid, Uuid, String)> = session::Entity::find()
            .select_only()
            .column(session::Column::Id)
            .column(session::Column::OrganizationId)
            .column(session::Column::WahaServerId)
            .column(session::Column::WahaName)
            .filter(session::Column::DeletedAt.is_null())
            .filter(any)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let versions: Vec<(Uuid, i64)> = session_upkeep::Entity::find()
            .select_only()
            .column(session_upkeep::Column::SessionId)
            .column(session_upkeep::Column::HookVersion)
            .filter(session_upkeep::Column::SessionId.is_in(found.iter().map(|(id, ..)| *id)))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let versions: HashMap<Uuid, i64> = versions.into_iter().collect();
        let sessions = found
            .into_iter()
            .map(|(id, organization, server, waha_name)| HookedSession {
                tenant: Tenant::of(OrganizationId::from(organization)),
                id: id.into(),
                server: server.into(),
                waha_name,
                hook_version: versions.get(&id).copied().unwrap_or(FIRST_VERSION),
            });
        Ok(sessions.collect())
    }

    /// Notes that events of a WAHA server come in now, which belongs to no organization.
    pub async fn note_server_event(&self, id: ServerId) -> Result<(), StoreError> {
        waha_server::Entity::update_many()
            .col_expr(
                waha_server::Column::LastEventAt,
                Expr::value(self.now().as_micros()),
            )
            .col_expr(
                waha_server::Column::EventGapSince,
                Expr::value(Option::<i64>::None),
            )
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Notes that changes on a WAHA server are found without an event of it; says whether that is new.
    /// Servers belong to no organization.
    pub async fn begin_event_gap(&self, id: ServerId, since: Timestamp) -> Result<bool, StoreError> {
        let begun = waha_server::Entity::update_many()
            .col_expr(waha_server::Column::EventGapSince, Expr::value(since.as_micros()))
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .filter(waha_server::Column::EventGapSince.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(begun.rows_affected == 1)
    }

    /// Raises the versions of a WAHA server's own hook and of the hooks of all its sessions, whosever they
    /// are, for which the newest version arrived at WAHA: of those that WAHA still signs with the version
    /// before, the present key would become one too old. Says whether there is such a server.
    pub async fn raise_hook_versions(&self, id: ServerId) -> Result<bool, StoreError> {
        let raised = waha_server::Entity::update_many()
            .col_expr(
                waha_server::Column::HookVersion,
                Expr::col(waha_server::Column::HookVersion).add(1),
            )
            .filter(waha_server::Column::Id.eq(id.as_uuid()))
            .filter(waha_server::Column::RemovedAt.is_null())
            .exec(&self.transaction)
            .await?;
        let on_server = Query::select()
            .column(session::Column::Id)
            .from(session::Entity)
            .and_where(session::Column::WahaServerId.eq(id.as_uuid()))
            .take();
        session_upkeep::Entity::update_many()
            .col_expr(
                session_upkeep::Column::HookVersion,
                Expr::col(session_upkeep::Column::HookVersion).add(1),
            )
            .filter(session_upkeep::Column::SessionId.in_subquery(on_server))
            .filter(
                Expr::col(session_upkeep::Column::HookAppliedVersion)
                    .eq(Expr::col(session_upkeep::Column::HookVersion)),
            )
            .exec(&self.transaction)
            .await?;
        Ok(raised.rows_affected == 1)
    }
}
