//! What goes through sessions: counted in all, and in steps of fifteen minutes.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use wahana_domain::{SessionId, Timestamp, silence::SLOT};

use crate::{
    StoreError, TenantTx,
    entity::{session, session_activity, session_upkeep},
    upkeep,
};

/// What is counted. Numbers are negative where what was counted turned out otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that WAHA took, media included.
    pub messages_sent: i64,
    /// Messages that came in, media included.
    pub messages_received: i64,
    /// Media that WAHA took.
    pub media_sent: i64,
    /// Media that came in.
    pub media_received: i64,
    /// Messages of these that reached the phone that they are for.
    pub messages_delivered: i64,
    /// Messages of these that were read.
    pub messages_read: i64,
    /// Messages of these that WhatsApp refused.
    pub messages_failed: i64,
    /// Calls that came in.
    pub calls: i64,
    /// Changes of groups, of any kind.
    pub group_changes: i64,
}

impl Counts {
    fn add(&mut self, other: &Self, sign: i64) {
        self.messages_sent += sign * other.messages_sent;
        self.messages_received += sign * other.messages_received;
        self.media_sent += sign * other.media_sent;
        self.media_received += sign * other.media_received;
        self.messages_delivered += sign * other.messages_delivered;
        self.messages_read += sign * other.messages_read;
        self.messages_failed += sign * other.messages_failed;
        self.calls += sign * other.calls;
        self.group_changes += sign * other.group_changes;
    }
}

/// What is to be counted of one session, to be written at the end of its transaction: each message belongs to the
/// step in which it was sent or came in, also what becomes of it later.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    in_all: Counts,
    steps: BTreeMap<i64, Counts>,
    last_message_at: Option<Timestamp>,
    last_event_at: Option<Timestamp>,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts what happened at a moment.
    pub fn add(&mut self, at: Timestamp, counts: &Counts) {
        self.change(at, counts, 1);
    }

    /// Takes back what was counted for a moment.
    pub(crate) fn take_back(&mut self, at: Timestamp, counts: &Counts) {
        self.change(at, counts, -1);
    }

    fn change(&mut self, at: Timestamp, counts: &Counts, sign: i64) {
        self.in_all.add(counts, sign);
        self.steps.entry(step_of(at)).or_default().add(counts, sign);
    }

    /// Notes that a message went through the session at a moment.
    pub(crate) fn message_at(&mut self, at: Timestamp) {
        self.last_message_at = self.last_message_at.max(Some(at));
    }

    /// Notes that WAHA said something of the session, which happened at a moment.
    pub fn event_at(&mut self, at: Timestamp) {
        self.last_event_at = self.last_event_at.max(Some(at));
    }

    /// Writes all of it.
    pub async fn write(&self, tx: &TenantTx, session: SessionId) -> Result<(), StoreError> {
        self.write_session(tx, session).await?;
        for (step, counts) in &self.steps {
            write_step(tx, session, *step, counts).await?;
        }
        if let Some(at) = self.last_event_at {
            write_last_event(tx, session, at).await?;
        }
        Ok(())
    }

    async fn write_session(&self, tx: &TenantTx, id: SessionId) -> Result<(), StoreError> {
        use session::Column;
        let added = [
            (Column::MessagesSent, self.in_all.messages_sent),
            (Column::MessagesReceived, self.in_all.messages_received),
            (Column::MediaSent, self.in_all.media_sent),
            (Column::MediaReceived, self.in_all.media_received),
        ];
        if self.last_message_at.is_none() && added.iter().all(|(_, number)| *number == 0) {
            return Ok(());
        }
        let mut update = tx
            .update::<session::Entity>()
            .set(Column::UpdatedAt, tx.now().as_micros())
            .filter(Column::Id.eq(id.as_uuid()))
            .filter(Column::DeletedAt.is_null());
        for (column, number) in added {
            if number != 0 {
                update = update.set_expression(column, Expr::col(column).add(number));
            }
        }
        if let Some(at) = self.last_message_at {
            update = update.set_expression(Column::LastMessageAt, later(Column::LastMessageAt, at));
        }
        update.run().await?;
        Ok(())
    }
}

/// The later one of what a column holds and a moment.
fn later<C: ColumnTrait>(column: C, at: Timestamp) -> SimpleExpr {
    let held = Expr::col(column);
    Expr::case(held.clone().gt(at.as_micros()), held)
        .finally(at.as_micros())
        .into()
}

/// When the step began to which a moment belongs. Silence is judged by the same steps.
fn step_of(at: Timestamp) -> i64 {
    let length = i64::try_from(SLOT.as_micros()).unwrap_or(i64::MAX);
    at.as_micros().div_euclid(length) * length
}

async fn write_step(tx: &TenantTx, session: SessionId, step: i64, counts: &Counts) -> Result<(), StoreError> {
    use session_activity::Column;
    if *counts == Counts::default() {
        return Ok(());
    }
    let added = [
        (Column::MessagesSent, counts.messages_sent),
        (Column::MessagesReceived, counts.messages_received),
        (Column::MediaSent, counts.media_sent),
        (Column::MediaReceived, counts.media_received),
        (Column::MessagesDelivered, counts.messages_delivered),
        (Column::MessagesRead, counts.messages_read),
        (Column::MessagesFailed, counts.messages_failed),
        (Column::Calls, counts.calls),
        (Column::GroupChanges, counts.group_changes),
    ];
    let raise = || {
        let mut update = tx
            .update::<session_activity::Entity>()
            .filter(Column::SessionId.eq(session.as_uuid()))
            .filter(Column::Slot.eq(step));
        for (column, number) in added {
            if number != 0 {
                update = update.set_expression(column, Expr::col(column).add(number));
            }
        }
        update.run()
    };
    if raise().await? == 1 {
        return Ok(());
    }
    // The first of this step, unless somebody was faster.
    tx.insert_if_absent(session_activity::ActiveModel {
        session_id: Set(session.as_uuid()),
        slot: Set(step),
        messages_sent: Set(0),
        messages_received: Set(0),
        media_sent: Set(0),
        media_received: Set(0),
        messages_delivered: Set(0),
        messages_read: Set(0),
        messages_failed: Set(0),
        calls: Set(0),
        group_changes: Set(0),
        ..Default::default()
    })
    .await?;
    raise().await?;
    Ok(())
}

async fn write_last_event(tx: &TenantTx, session: SessionId, at: Timestamp) -> Result<(), StoreError> {
    use session_upkeep::Column;
    // The row is there but for a session's very first event.
    let updated = tx
        .update::<session_upkeep::Entity>()
        .set_expression(Column::LastEventAt, later(Column::LastEventAt, at))
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::SessionId.eq(session.as_uuid()))
        .run()
        .await?;
    if updated == 0 {
        let update = upkeep::change(tx, session).await?;
        update
            .set_expression(Column::LastEventAt, later(Column::LastEventAt, at))
            .run()
            .await?;
    }
    Ok(())
}
