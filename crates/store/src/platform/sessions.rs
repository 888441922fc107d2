//! Sessions as a WAHA server's snapshot meets them: one list of one server holds sessions of many
//! organizations.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use wahana_domain::{OrganizationId, ServerId, Session, SessionId};

use super::PlatformTx;
use crate::{StoreError, entity::session, sessions, tenant::Tenant};

/// A living session on a WAHA server, and the right to change it.
#[derive(Clone, Debug)]
pub struct SessionOnServer {
    /// Its organization.
    pub tenant: Tenant,
    /// The session.
    pub session: Session,
}

/// A mark that differs when a living session of a WAHA server was added, changed or deleted in between,
/// by whatever process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionChanges {
    sessions: i64,
    times: i64,
}

impl PlatformTx {
    /// How the living sessions of a WAHA server stand, whosever they are: as long as this stays the same, a
    /// list of that server that says nothing new need not be compared with them again.
    pub async fn session_changes(&self, server: ServerId) -> Result<SessionChanges, StoreError> {
        // All times are summed up, each cut to what leaves room for the sum: the latest one alone would hide
        // what a process with a slower clock wrote.
        let times = Expr::col(session::Column::UpdatedAt).modulo(i64::from(i32::MAX));
        let (sessions, times) = session::Entity::find()
            .select_only()
            .column_as(session::Column::Id.count(), "sessions")
            .column_as(times.sum().cast_as("bigint"), "times")
            .filter(session::Column::WahaServerId.eq(server.as_uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .into_tuple::<(i64, Option<i64>)>()
            .one(&self.transaction)
            .await?
            .unwrap_or_default();
        Ok(SessionChanges {
            sessions,
            times: times.unwrap_or_default(),
        })
    }

    /// The living sessions that are on a WAHA server, whosever they are: its snapshot is compared with
    /// all of them at once. What differs is changed in transactions of their organizations.
    pub async fn sessions_on_server(&self, server: ServerId) -> Result<Vec<SessionOnServer>, StoreError> {
        let rows = session::Entity::find()
            .filter(session::Column::WahaServerId.eq(server.as_uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .all(&self.transaction)
            .await?;
        rows.into_iter().map(session_from_row).collect()
    }

    /// The living session with this id, whosever it is: operators name no organization.
    pub async fn session(&self, id: SessionId) -> Result<Option<SessionOnServer>, StoreError> {
        let found = session::Entity::find_by_id(id.as_uuid())
            .filter(session::Column::DeletedAt.is_null())
            .one(&self.transaction)
            .await?;
        found.map(session_from_row).transpose()
    }

    /// The names on a WAHA server that belong to a living session of some organization, or did until it moved
    /// and were not deleted yet; for the list of those that belong to none.
    pub async fn waha_names_on_server(&self, server: ServerId) -> Result<Vec<String>, StoreError> {
        let mut names = self.leftover_names(server).await?;
        let living: Vec<String> = session::Entity::find()
            .select_only()
            .column(session::Column::WahaName)
            .filter(session::Column::WahaServerId.eq(server.as_uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .into_tuple()
            .all(&self.transaction)
            .await?;
        names.extend(living);
        Ok(names)
    }
}

fn session_from_row(row: session::Model) -> Result<SessionOnServer, StoreError> {
    Ok(SessionOnServer {
        tenant: Tenant::of(OrganizationId::from(row.organization_id)),
        session: sessions::from_row(row)?,
    })
}
