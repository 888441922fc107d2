//! Events that WAHA servers delivered, until what they say is applied.
//!
//! They are stored before WAHA is answered, by whoever took them in, and applied afterwards, in order of each
//! session, with what they change in one transaction.

use sea_orm::{
    ColumnTrait, Order,
    sea_query::{Expr, SimpleExpr},
};
use uuid::Uuid;
use wahana_domain::{ServerId, SessionId, Timestamp};

use crate::{
    StoreError, Tenant, TenantTx,
    entity::waha_event::{self, Column},
};

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It is stored, and nothing of it is applied.
    Waiting,
    /// What it says was taken into account.
    Applied,
    /// It could not be understood, or came for a session that is gone.
    Ignored,
}

impl EventState {
    /// The state as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
        }
    }
}

/// An event that was verified and is to be stored. It does not print what it says.
#[derive(Clone)]
pub struct NewEvent {
    /// The organization of the session that it is about.
    pub tenant: Tenant,
    /// That session.
    pub session: SessionId,
    /// The WAHA server that sent it.
    pub server: ServerId,
    /// WAHA's id for it, the same each time that it is delivered.
    pub event_id: String,
    /// WAHA's name for what happened, such as `message.ack`.
    pub kind: String,
    /// When it happened, by WAHA's clock.
    pub happened_at: Timestamp,
    /// The whole of what WAHA sent, as JSON.
    pub payload: String,
}

/// An event that waits to be applied. It does not print what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// wahana's id for it.
    pub id: Uuid,
    /// The session that it is about.
    pub session: SessionId,
    /// The WAHA server that sent it.
    pub server: ServerId,
    /// WAHA's id for it.
    pub event_id: String,
    /// WAHA's name for what happened.
    pub kind: String,
    /// When it happened, by WAHA's clock.
    pub happened_at: Timestamp,
    /// When it came in, by wahana's clock.
    pub received_at: Timestamp,
    /// The whole of what WAHA sent, as JSON.
    pub payload: String,
}

impl std::fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewEvent")
            .field("kind", &self.kind)
            .field("event_id", &self.event_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredEvent")
            .field("kind", &self.kind)
            .field("event_id", &self.event_id)
            .finish_non_exhaustive()
    }
}

/// Written out, because neither database sees from a parameter that a partial index holds the row.
pub(crate) fn is_waiting() -> SimpleExpr {
    Expr::cust("waha_events.state = 'waiting'")
}

/// The first events of a session that wait to be applied, in the order in which they happened.
pub async fn waiting(tx: &TenantTx, session: SessionId, limit: u64) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = tx
        .find::<waha_event::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::State.eq(EventState::Waiting.as_str()))
        .order_by(Column::HappenedAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
        .limit(limit)
        .all()
        .await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Ends the waiting of events; what they said is not kept.
pub async fn finish(tx: &TenantTx, ids: &[Uuid], state: EventState) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    tx.update::<waha_event::Entity>()
        .set(Column::State, state.as_str())
        .set(Column::AppliedAt, tx.now().as_micros())
        .set_expression(Column::Payload, Expr::cust("NULL"))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .run()
        .await?;
    Ok(())
}

fn from_row(row: waha_event::Model) -> StoredEvent {
    StoredEvent {
        id: row.id,
        session: row.session_id.into(),
        server: row.waha_server_id.into(),
        event_id: row.event_id,
        kind: row.kind,
        happened_at: Timestamp::from_micros(row.happened_at),
        received_at: Timestamp::from_micros(row.received_at),
        payload: row.payload.unwrap_or_default(),
    }
}
