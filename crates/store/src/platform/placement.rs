//! Adding a session to a WAHA server that has room for it. The server's load is the sessions of all
//! organizations, and the session belongs to one.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::LockType,
};
use wahana_domain::{ServerId, WahaServer};

use super::PlatformTx;
use crate::{
    Store, StoreError,
    entity::{session, waha_server},
    tenant::{Tenant, TenantTx},
};

impl PlatformTx {
    /// Goes on as an organization that adds one session to a WAHA server; `None` if the server takes no
    /// session of it or has no room left. Until the transaction ends, nobody else adds one there, so that
    /// many who do at once do not exceed the capacity; only the platform may count everybody's sessions.
    pub async fn with_place(
        self,
        store: &Store,
        tenant: Tenant,
        server: ServerId,
    ) -> Result<Option<TenantTx>, StoreError> {
        let Some(found) = self.locked_server(server).await? else {
            return Ok(None);
        };
        let has_place = found.takes_sessions_of(tenant.organization_id())
            && found.has_room_beside(self.sessions_count(server).await?);
        if !has_place {
            return Ok(None);
        }
        if self.transaction.get_database_backend() == DbBackend::Sqlite {
            // There is one writer, and this is it.
            return Ok(Some(self.of(tenant, store.news().clone())));
        }
        let tx = store.write(tenant).await?;
        Ok(Some(tx.beside(self.transaction)))
    }

    /// A WAHA server whose row nobody else changes or locks like this until the transaction ends.
    pub(super) async fn locked_server(&self, id: ServerId) -> Result<Option<WahaServer>, StoreError> {
        let found = waha_server::Entity::find_by_id(id.as_uuid())
            .filter(waha_server::Column::RemovedAt.is_null())
            // A stronger lock would wait for the session that refers to this row, and the session for it.
            .lock(LockType::NoKeyUpdate)
            .one(&self.transaction)
            .await?;
        found.map(|row| self.server_from_row(row)).transpose()
    }

    /// How many living sessions are on a WAHA server.
    pub(super) async fn sessions_count(&self, server: ServerId) -> Result<i64, StoreError> {
        let living = session::Entity::find()
            .filter(session::Column::WahaServerId.eq(server.as_uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .count(&self.transaction)
            .await?;
        Ok(i64::try_from(living).unwrap_or(i64::MAX))
    }
}
