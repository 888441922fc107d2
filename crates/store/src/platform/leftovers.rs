//! What moved sessions left behind on WAHA servers, whosever they are.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use wahana_domain::{OrganizationId, ServerId, SessionId, WahaAddress, WahaName};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{session_leftover, waha_server},
    tenant::Tenant,
    transaction::within_database,
};

/// Something on a WAHA server that is to be deleted there, and the right to write down that it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Whose it was.
    pub tenant: Tenant,
    /// The session that left it.
    pub session: SessionId,
    /// Where it is.
    pub address: WahaAddress,
}

impl PlatformTx {
    /// What is to be deleted on WAHA by now: one round cleans up behind the sessions of all organizations.
    pub async fn due_leftovers(&self, limit: u64) -> Result<Vec<Leftover>, StoreError> {
        let living = Query::select()
            .column(waha_server::Column::Id)
            .from(waha_server::Entity)
            .and_where(waha_server::Column::RemovedAt.is_null())
            .take();
        let rows = session_leftover::Entity::find()
            .filter(session_leftover::Column::DueAt.lte(self.now().as_micros()))
            .filter(session_leftover::Column::WahaServerId.in_subquery(living))
            .order_by_asc(session_leftover::Column::DueAt)
            .limit(within_database(limit))
            .all(&self.transaction)
            .await?;
        let leftovers = rows.into_iter().map(|row| Leftover {
            tenant: Tenant::of(OrganizationId::from(row.organization_id)),
            session: row.session_id.into(),
            address: WahaAddress {
                server: row.waha_server_id.into(),
                name: WahaName::adopted(row.waha_name),
            },
        });
        Ok(leftovers.collect())
    }

    /// The names of what is to be deleted on a WAHA server.
    pub(super) async fn leftover_names(&self, server: ServerId) -> Result<Vec<String>, StoreError> {
        Ok(session_leftover::Entity::find()
            .select_only()
            .column(session_leftover::Column::WahaName)
            .filter(session_leftover::Column::WahaServerId.eq(server.as_uuid()))
            .into_tuple()
            .all(&self.transaction)
            .await?)
    }

    /// Forgets what is to be deleted on a WAHA server, which is wahana's no more.
    pub(super) async fn delete_leftovers(&self, server: ServerId) -> Result<(), StoreError> {
        session_leftover::Entity::delete_many()
            .filter(session_leftover::Column::WahaServerId.eq(server.as_uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}
