//! How the sessions and events of all organizations stand together, for whoever watches the installation.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};
use wahana_domain::{
    DesiredStatus, OrganizationState, ServerId, SessionStatus, Timestamp, reconciliation::Halt,
};

use super::PlatformTx;
use crate::{
    StoreError,
    entity::{waha_event, waha_server},
    events::EventState,
};

/// How many living sessions stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCount {
    /// What they are doing.
    pub status: SessionStatus,
    /// What their organizations want.
    pub desired_status: DesiredStatus,
    /// Whether their organizations may use wahana.
    pub is_organization_active: bool,
    /// Whether an operator paused their WAHA servers.
    pub is_server_paused: bool,
    /// Whether WhatsApp restricts their numbers, as far as is known.
    pub is_restricted: bool,
    /// Why nothing more is tried with them, if so.
    pub halt: Option<Halt>,
    /// How many they are.
    pub sessions: u64,
}

/// When a WAHA server last gave its session list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSnapshot {
    /// The server.
    pub server: ServerId,
    /// What operators call it.
    pub name: String,
    /// When it gave its list, to about half a minute; when it was added if it never did.
    pub at: Timestamp,
}

impl PlatformTx {
    /// How many living sessions of all organizations there are of each standing.
    pub async fn session_counts(&self) -> Result<Vec<SessionCount>, StoreError> {
        // SeaQuery has no words for joins of entities without relations; the statement is the same on both.
        let statement = format!(
            "SELECT s.status, s.desired_status, o.state, u.halted_reason,
                CASE WHEN w.paused_at IS NULL THEN 'no' ELSE 'yes' END AS is_paused,
                CASE WHEN u.restriction IS NULL THEN 'no' WHEN u.restricted_until <= {now} THEN 'no' ELSE 'yes' END
                    AS is_restricted,
                count(*) AS sessions
            FROM sessions s
            JOIN organizations o ON o.id = s.organization_id
            JOIN waha_servers w ON w.id = s.waha_server_id
            LEFT JOIN session_upkeep u ON u.session_id = s.id
            WHERE s.deleted_at IS NULL
            GROUP BY 1, 2, 3, 4, 5, 6",
            now = self.now().as_micros()
        );
        let backend = self.transaction.get_database_backend();
        let rows = self
            .transaction
            .query_all_raw(Statement::from_string(backend, statement))
            .await?;
        rows.iter()
            .map(|row| {
                let text = |column| row.try_get::<String>("", column);
                let inconsistent = |column| StoreError::Inconsistent {
                    table: "sessions",
                    column,
                    row: "of all organizations".to_owned(),
                };
                let halt: Option<String> = row.try_get("", "halted_reason")?;
                Ok(SessionCount {
                    status: text("status")?.parse().map_err(|_| inconsistent("status"))?,
                    desired_status: text("desired_status")?
                        .parse()
                        .map_err(|_| inconsistent("desired_status"))?,
                    is_organization_active: text("state")? == OrganizationState::Active.as_str(),
                    is_server_paused: text("is_paused")? == "yes",
                    is_restricted: text("is_restricted")? == "yes",
                    halt: halt.as_deref().and_then(Halt::from_stored),
                    sessions: u64::try_from(row.try_get::<i64>("", "sessions")?).unwrap_or(0),
                })
            })
            .collect()
    }

    /// When the event came in that has waited longest to be applied, whosever it is.
    pub async fn oldest_waiting_event(&self) -> Result<Option<Timestamp>, StoreError> {
        let oldest: Option<Option<i64>> = waha_event::Entity::find()
            .select_only()
            .column_as(waha_event::Column::ReceivedAt.min(), "oldest")
            .filter(waha_event::Column::State.eq(EventState::Waiting.as_str()))
            .into_tuple()
            .one(&self.transaction)
            .await?;
        Ok(oldest.flatten().map(Timestamp::from_micros))
    }

    /// When each WAHA server last gave its session list; servers belong to the platform.
    pub async fn last_snapshots(&self) -> Result<Vec<LastSnapshot>, StoreError> {
        let servers = waha_server::Entity::find()
            .filter(waha_server::Column::RemovedAt.is_null())
            .all(&self.transaction)
            .await?;
        Ok(servers
            .into_iter()
            .map(|row| LastSnapshot {
                server: row.id.into(),
                name: row.name,
                at: Timestamp::from_micros(row.last_snapshot_at.unwrap_or(row.created_at)),
            })
            .collect())
    }
}
