//! What the upkeep of a session remembers: what was tried, what its configuration lacks, and whether
//! WhatsApp restricted its number.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, Order};
use wahana_domain::{
    MessageId, Pace, SessionId, Timestamp,
    reconciliation::{Attempts, Halt},
};

use crate::{
    StoreError, TenantTx,
    entity::{
        session_activity,
        session_upkeep::{ActiveModel, Column, Entity, Model},
    },
    hooks::{FIRST_VERSION, SessionHook},
    tenant::TenantUpdate,
};

/// What the upkeep of a session remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// What was tried to make it as it should be.
    pub attempts: Attempts,
    /// What of its configuration on WAHA is not as it should be, in words without secrets.
    pub drift: Option<String>,
    /// What WhatsApp was heard to restrict, in words.
    pub restriction: Option<Restriction>,
    /// When that was last heard.
    pub restricted_at: Option<Timestamp>,
    /// When it was last restarted because it was silent.
    pub silent_restart_at: Option<Timestamp>,
    /// When an event of it last arrived.
    pub last_event_at: Option<Timestamp>,
    /// Since when it does not answer although it works.
    pub probe_failed_at: Option<Timestamp>,
    /// wahana's webhook.
    pub hook: SessionHook,
    /// How its messages are spaced.
    pub pace: Pace,
}

/// What WhatsApp restricted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// In words, with WhatsApp's number for it.
    pub reason: String,
    /// Until when; `None` if that is not known.
    pub until: Option<Timestamp>,
}

impl Upkeep {
    /// Whether WhatsApp restricts the session's number, as far as is known. To restart such a session could turn the
    /// restriction into a ban.
    #[must_use]
    pub fn is_restricted(&self, now: Timestamp) -> bool {
        self.restriction_at(now).is_some()
    }

    /// What WhatsApp restricts at a moment, as far as is known.
    #[must_use]
    pub fn restriction_at(&self, now: Timestamp) -> Option<&Restriction> {
        self.restriction
            .as_ref()
            .filter(|restriction| restriction.until.is_none_or(|until| until > now))
    }
}

/// What is remembered of a session; nothing, if nothing ever was.
pub async fn get(tx: &TenantTx, session: SessionId) -> Result<Upkeep, StoreError> {
    let found = tx
        .find::<Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()));
    Ok(found.one().await?.map(from_row).unwrap_or_default())
}

/// Remembers what was tried.
pub async fn set_attempts(tx: &TenantTx, session: SessionId, attempts: &Attempts) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update
        .set(Column::Attempts, i64::from(attempts.count))
        .set(Column::NextAttemptAt, attempts.next_at.map(Timestamp::as_micros))
        .set(Column::HaltedAt, attempts.halt.map(|_| tx.now().as_micros()))
        .set(Column::HaltedReason, attempts.halt.map(Halt::as_str))
        .set(Column::RepairedAt, attempts.repaired_at.map(Timestamp::as_micros))
        .run()
        .await?;
    Ok(())
}

/// Remembers what of a session's configuration is not as it should be.
pub async fn set_drift(tx: &TenantTx, session: SessionId, drift: Option<&str>) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update.set(Column::Drift, drift.map(str::to_owned)).run().await?;
    Ok(())
}

/// Remembers what WhatsApp restricted.
pub async fn set_restriction(
    tx: &TenantTx,
    session: SessionId,
    restriction: &Restriction,
) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update
        .set(Column::Restriction, restriction.reason.clone())
        .set(
            Column::RestrictedUntil,
            restriction.until.map(Timestamp::as_micros),
        )
        .set(Column::RestrictedAt, tx.now().as_micros())
        .run()
        .await?;
    Ok(())
}

/// Forgets a restriction whose time is over, because WhatsApp let something through; one whose end is not known, if it
/// was last heard of before `rested`. Before that, one message that goes out proves nothing: a time lock concerns new
/// contacts alone.
pub async fn lift_restriction(
    tx: &TenantTx,
    session: SessionId,
    rested: Timestamp,
) -> Result<(), StoreError> {
    let now = tx.now().as_micros();
    let is_over = Condition::any().add(Column::RestrictedUntil.lte(now)).add(
        Condition::all()
            .add(Column::RestrictedUntil.is_null())
            .add(Column::RestrictedAt.lte(rested.as_micros())),
    );
    tx.update::<Entity>()
        .set(Column::Restriction, None::<String>)
        .set(Column::RestrictedUntil, None::<i64>)
        .set(Column::UpdatedAt, now)
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::Restriction.is_not_null())
        .filter(is_over)
        .run()
        .await?;
    Ok(())
}

/// Remembers since when a session does not answer although it works.
pub async fn set_probe_failed(
    tx: &TenantTx,
    session: SessionId,
    since: Option<Timestamp>,
) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update
        .set(Column::ProbeFailedAt, since.map(Timestamp::as_micros))
        .run()
        .await?;
    Ok(())
}

/// When the slots of fifteen minutes since a moment began in which a session heard something, in order.
pub async fn slots_with_something(
    tx: &TenantTx,
    session: SessionId,
    since: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    use session_activity::Column;
    let heard = Condition::any()
        .add(Column::MessagesReceived.gt(0))
        .add(Column::MessagesDelivered.gt(0))
        .add(Column::MessagesRead.gt(0))
        .add(Column::Calls.gt(0))
        .add(Column::GroupChanges.gt(0));
    let rows = tx
        .find::<session_activity::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::Slot.gte(since.as_micros()))
        .filter(heard)
        .order_by(Column::Slot, Order::Asc)
        .all()
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Timestamp::from_micros(row.slot))
        .collect())
}

/// Remembers when a session was restarted because it was silent.
pub async fn set_silent_restart(tx: &TenantTx, session: SessionId, at: Timestamp) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update.set(Column::SilentRestartAt, at.as_micros()).run().await?;
    Ok(())
}

/// Remembers how a session's messages are spaced.
pub async fn set_pace(tx: &TenantTx, session: SessionId, pace: Pace) -> Result<(), StoreError> {
    let update = change(tx, session).await?;
    update
        .set(Column::NextSendAt, pace.next_at.map(Timestamp::as_micros))
        .set(Column::TypingFor, pace.typing_for.map(MessageId::as_uuid))
        .run()
        .await?;
    Ok(())
}

/// A change of the session's row, which is there from now on.
pub(crate) async fn change(
    tx: &TenantTx,
    session: SessionId,
) -> Result<TenantUpdate<'_, Entity>, StoreError> {
    let now = tx.now().as_micros();
    tx.insert_if_absent(ActiveModel {
        session_id: Set(session.as_uuid()),
        attempts: Set(0),
        hook_version: Set(FIRST_VERSION),
        updated_at: Set(now),
        ..Default::default()
    })
    .await?;
    Ok(tx
        .update::<Entity>()
        .set(Column::UpdatedAt, now)
        .filter(Column::SessionId.eq(session.as_uuid())))
}

pub(crate) fn from_row(row: Model) -> Upkeep {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    Upkeep {
        attempts: Attempts {
            count: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            next_at: time(row.next_attempt_at),
            halt: row.halted_reason.as_deref().and_then(Halt::from_stored),
            repaired_at: time(row.repaired_at),
        },
        drift: row.drift,
        restriction: row.restriction.map(|reason| Restriction {
            reason,
            until: time(row.restricted_until),
        }),
        restricted_at: time(row.restricted_at),
        silent_restart_at: time(row.silent_restart_at),
        last_event_at: time(row.last_event_at),
        probe_failed_at: time(row.probe_failed_at),
        hook: SessionHook {
            version: row.hook_version,
            applied_version: row.hook_applied_version,
        },
        pace: Pace {
            next_at: time(row.next_send_at),
            typing_for: row.typing_for.map(MessageId::from),
        },
    }
}
