//! How a session's status and health went from one to the next.
//!
//! Events arrive in any order, and each finds its place: a history that was written in disorder is the same as
//! one that was written in order. For that, an event that repeats what was known is kept too, as a row whose old
//! value equals its new one, for as long as earlier news may still come. Readers leave such rows out.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Order,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;
use wahana_domain::{HealthStatus, SessionId, SessionStatus, Timestamp};

use crate::{
    StoreError, TenantTx,
    entity::session_transition::{self, Column, Model},
};

/// How long repeats are kept: longer than an event may be old when it comes in.
const KEEP_REPEATS: Duration = Duration::from_hours(72);
/// How many changes of one session may be of the same moment.
const SAME_MOMENT: u64 = 32;

/// What of a session a history is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Status,
    Health,
}

impl Subject {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Health => "health",
        }
    }

    /// The order of values that are of the same moment.
    fn progress(self, value: &str) -> u8 {
        match self {
            Self::Status => value.parse().map_or(0, SessionStatus::progress),
            Self::Health => match value.parse() {
                Ok(HealthStatus::Unknown) | Err(_) => 0,
                Ok(HealthStatus::Healthy) => 1,
                Ok(HealthStatus::Warning) => 2,
                Ok(HealthStatus::Critical) => 3,
            },
        }
    }
}

/// What was seen at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) value: &'static str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) at: Timestamp,
    /// Whether a repeat of what was known is kept. Events are; snapshots, which come in order, are not.
    pub(crate) keeps_repeat: bool,
}

/// The values before and after a place in the history, as it was without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// Writes what was seen into its place of a session's history.
pub(crate) async fn record(
    tx: &TenantTx,
    session: SessionId,
    subject: Subject,
    seen: Seen<'_>,
) -> Result<Place, StoreError> {
    let find = || {
        tx.find::<session_transition::Entity>()
            .filter(Column::SessionId.eq(session.as_uuid()))
            .filter(Column::Subject.eq(subject.as_str()))
    };
    let at = seen.at.as_micros();
    let mut near = find()
        .filter(Column::HappenedAt.lte(at))
        .order_by(Column::HappenedAt, Order::Desc)
        .limit(SAME_MOMENT)
        .all()
        .await?;
    let next = find()
        .filter(Column::HappenedAt.gt(at))
        .order_by(Column::HappenedAt, Order::Asc)
        .limit(SAME_MOMENT)
        .all()
        .await?;
    near.extend(next);
    // Two of the same moment and value are told apart by why: each has its place, whichever came in first.
    let key = |row: &Model| {
        (
            row.happened_at,
            subject.progress(&row.new_value),
            row.reason.clone(),
        )
    };
    near.sort_by_cached_key(key);
    let own = (at, subject.progress(seen.value), seen.reason.map(str::to_owned));
    let (earlier, later) = near.split_at(near.partition_point(|row| key(row) <= own));
    let place = Place {
        before: earlier.last().map(|row| row.new_value.clone()),
        after: later.first().map(|row| row.new_value.clone()),
    };
    let is_repeat = place.before.as_deref() == Some(seen.value);
    if is_repeat && !seen.keeps_repeat {
        return Ok(place);
    }
    if let Some(next) = later.first()
        && next.old_value.as_deref() != Some(seen.value)
    {
        tx.update::<session_transition::Entity>()
            .set(Column::OldValue, seen.value)
            .filter(Column::Id.eq(next.id))
            .run()
            .await?;
    }
    tx.insert(session_transition::ActiveModel {
        id: Set(Uuid::now_v7()),
        session_id: Set(session.as_uuid()),
        subject: Set(subject.as_str().to_owned()),
        old_value: Set(place.before.clone()),
        new_value: Set(seen.value.to_owned()),
        reason: Set(seen.reason.map(str::to_owned)),
        happened_at: Set(at),
        ..Default::default()
    })
    .await?;
    if is_repeat {
        forget_repeats(tx, session).await?;
    }
    Ok(place)
}

/// Whether a session's history of statuses has a later entry than this that says what last went wrong, or that
/// nothing is wrong any more.
pub(crate) async fn verdict_after(
    tx: &TenantTx,
    session: SessionId,
    status: SessionStatus,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let verdict = Column::NewValue
        .eq(SessionStatus::Working.as_str())
        .or(Column::Reason.is_not_null());
    let later = tx
        .find::<session_transition::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::Subject.eq(Subject::Status.as_str()))
        .filter(Column::HappenedAt.gte(at.as_micros()))
        // What is later was seen by a clock that was set back since.
        .filter(Column::HappenedAt.lte(tx.now().plus(Timestamp::REACH).as_micros()))
        .filter(verdict)
        .limit(SAME_MOMENT)
        .all()
        .await?;
    let own = (at.as_micros(), status.progress());
    Ok(later
        .iter()
        .any(|row| (row.happened_at, Subject::Status.progress(&row.new_value)) > own))
}

/// Whether anything was written of a session's status yet.
pub(crate) async fn is_empty(tx: &TenantTx, session: SessionId) -> Result<bool, StoreError> {
    let any = tx
        .find::<session_transition::Entity>()
        .filter(Column::SessionId.eq(session.as_uuid()))
        .filter(Column::Subject.eq(Subject::Status.as_str()))
        .limit(1);
    Ok(any.one().await?.is_none())
}

async fn forget_repeats(tx: &TenantTx, session: SessionId) -> Result<(), StoreError> {
    let past = tx.now().minus(KEEP_REPEATS).as_micros();
    let repeats = Column::SessionId
        .eq(session.as_uuid())
        .and(Column::HappenedAt.lt(past))
        .and(Expr::col(Column::OldValue).eq(Expr::col(Column::NewValue)));
    tx.delete::<session_transition::Entity>(repeats).await?;
    Ok(())
}
