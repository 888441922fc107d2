//! Messages that wait for their turn: whoever hands them over serves every organization.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Query, UnionType},
};
use uuid::Uuid;
use wahana_domain::{OrganizationId, OrganizationState, ServerId, SessionId, Timestamp};

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
        let rows: Vec<(Uuid, Uuid, Uuid)> = due(self.now(), after, limit)
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

fn due(now: Timestamp, after: Option<SessionId>, limit: u64) -> Select<session::Entity> {
    let now = now.as_micros();
    let queued = || Condition::all().add(is_queued());
    let wanted = [
        queued().add(Column::DueAt.lte(now)),
        queued().add(Column::ExpiresAt.lte(now)),
        Condition::all().add(Column::SettleAt.lte(now)),
        Condition::all()
            .add(Column::Lane.is_not_null())
            .add(Column::LeaseExpiresAt.lte(now)),
    ];
    // A query for each, so that each uses its own index, and their rows together, so that SQLite goes from them to
    // the sessions and does not ask of every session whether it is among them.
    let mut ids = wanted.into_iter().map(|condition| {
        Query::select()
            .column(Column::SessionId)
            .from(message::Entity)
            .cond_where(condition)
            .take()
    });
    let mut sessions = ids.next().unwrap_or_default();
    sessions.unions(ids.map(|ids| (UnionType::Distinct, ids)));
    let is_active = Query::select()
        .expr(Expr::value(1))
        .from(organization::Entity)
        .and_where(ExprTrait::equals(
            Expr::col(organization::Column::Id.as_column_ref()),
            session::Column::OrganizationId.as_column_ref(),
        ))
        .and_where(organization::Column::State.eq(OrganizationState::Active.as_str()))
        .take();
    session::Entity::find()
        .select_only()
        .column(session::Column::OrganizationId)
        .column(session::Column::Id)
        .column(session::Column::WahaServerId)
        .filter(session::Column::Id.in_subquery(sessions))
        .filter(Expr::exists(is_active))
        .filter(Condition::all().add_option(after.map(|id| session::Column::Id.gt(id.as_uuid()))))
        .order_by_asc(session::Column::Id)
        .limit(within_database(limit))
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, DbBackend, QueryTrait};
    use secrecy::ExposeSecret;
    use wahana_testkit::database::TestDatabase;

    use super::*;
    use crate::{connection::Connections, settings::DatabaseSettings};

    /// Every process asks this all the time, and there may be a great many sessions that send nothing.
    #[tokio::test]
    async fn sessions_that_have_nothing_to_send_are_not_read() {
        let db = TestDatabase::sqlite().await;
        let settings = DatabaseSettings::new(db.settings().url.expose_secret().to_owned());
        let connections = Connections::open(&settings).await.unwrap();
        let now = Timestamp::from_micros(0);
        for after in [None, Some(SessionId::new())] {
            let mut asked = due(now, after, 10).build(DbBackend::Sqlite);
            asked.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
            let steps = connections.platform_read.query_all_raw(asked).await.unwrap();
            let steps = steps.iter().map(|step| step.try_get("", "detail").unwrap());
            let plan: Vec<String> = steps.collect();
            for index in [
                "messages_due",
                "messages_expiring",
                "messages_unsettled",
                "messages_lease",
            ] {
                let used = plan.iter().any(|step| step.contains(&format!("INDEX {index} (")));
                assert!(used, "{index}: {plan:#?}");
            }
            let read = plan.iter().filter(|step| step.contains(" sessions "));
            let read: Vec<_> = read.collect();
            assert_eq!(read.len(), 1, "{plan:#?}");
            assert!(
                read[0].starts_with("SEARCH sessions") && read[0].contains("(id=?"),
                "{plan:#?}"
            );
        }
    }
}
