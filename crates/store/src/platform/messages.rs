//! Messages that wait for their turn: whoever hands them over serves every organization.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use uuid::Uuid;
use wahana_domain::{OrganizationId, OrganizationState, ServerId, SessionId};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{
        message::{self, Column},
        organization, session,
    },
    messages::is_queued,
    tenant::Tenant,
    transaction::within_database,
};

/// A session with a message that is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueSession {
    /// Its organization.
    pub tenant: Tenant,
    /// The session.
    pub session: SessionId,
    /// The WAHA server that it is on.
    pub server: ServerId,
}

impl PlatformTx {
    /// Sessions of active organizations with messages whose turn it is, whose time is over, whose process did not
    /// come back, or whose outcome is to be asked for, whosever they are: a process that died left them to nobody
    /// in particular. In the order of their ids, from behind `after`.
    pub async fn sessions_with_due_messages(
        &self,
        after: Option<SessionId>,
        limit: u64,
    ) -> Result<Vec<DueSession>, StoreError> {
        let now = self.now().as_micros();
        let queued = || Condition::all().add(is_queued());
        let wanted = [
            queued().add(Column::DueAt.lte(now)),
            queued().add(Column::ExpiresAt.lte(now)),
            Condition::all().add(Column::SettleAt.lte(now)),
            Condition::all()
                .add(Column::Lane.is_not_null())
                .add(Column::LeaseExpiresAt.lte(now)),
        ];
        // One sub-query for each, so that each uses its own index.
        let sessions = wanted.into_iter().fold(Condition::any(), |any, condition| {
            let ids = Query::select()
                .column(Column::SessionId)
                .from(message::Entity)
                .cond_where(condition)
                .take();
            any.add(session::Column::Id.in_subquery(ids))
        });
        let active = Query::select()
            .column(organization::Column::Id)
            .from(organization::Entity)
            .and_where(organization::Column::State.eq(OrganizationState::Active.as_str()))
            .take();
        let rows: Vec<(Uuid, Uuid, Uuid)> = session::Entity::find()
            .select_only()
            .column(session::Column::OrganizationId)
            .column(session::Column::Id)
            .column(session::Column::WahaServerId)
            .filter(sessions)
            .filter(session::Column::OrganizationId.in_subquery(active))
            .filter(Condition::all().add_option(after.map(|id| session::Column::Id.gt(id.as_uuid()))))
            .order_by_asc(session::Column::Id)
            .limit(within_database(limit))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(organization, session, server)| DueSession {
                tenant: Tenant::of(OrganizationId::from(organization)),
                session: session.into(),
                server: server.into(),
            })
            .collect())
    }
}
