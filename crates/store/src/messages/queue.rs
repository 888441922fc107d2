//! The queue of a session's messages. A message waits in its row; the one that is being handed over has the
//! session's lane, which the database gives to one at a time, whichever process it is in.
//!
//! Each attempt has a number. Who writes down how it ended names it, so that a process that was taken for dead
//! changes nothing that another did since.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ExprTrait, IntoActiveModel, Order,
    sea_query::{Expr, SimpleExpr},
};
use wahana_domain::{DeliveryStatus, MessageId, OutgoingMessage, SessionId, Timestamp};

use super::{
    MessageContent, NewMessage, Requester, SendLease, announce, content, content::forget_unkept, from_row,
    insert_content, of_session, requester, to_row,
};
use crate::{
    StoreError, TenantTx,
    entity::message::{Column, Entity, Model},
    tenant::TenantSelect,
};

/// The one lane of a session.
const LANE: i32 = 0;

/// One handing over of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The message.
    pub message: MessageId,
    /// The how many-th it is, from 1.
    pub number: i64,
}

/// The message whose turn it is, or one whose outcome is not known, and what is needed to send it.
#[derive(Clone, Debug)]
pub struct Head {
    /// The message.
    pub message: OutgoingMessage,
    /// What it says; `None` if that is gone, or was not asked for.
    pub content: Option<MessageContent>,
    /// Who wanted it sent.
    pub requester: Option<Requester>,
    /// The key that wahana chose for it at WhatsApp.
    pub key: Option<String>,
}

/// Keeps a message that is handed over at once, and takes the session's lane for it, which must be free. The
/// caller holds the lock of the session's row.
pub async fn begin(tx: &TenantTx, new: &NewMessage<'_>, lease: &SendLease) -> Result<Attempt, StoreError> {
    let row = Model {
        status: DeliveryStatus::Sending.as_str().to_owned(),
        attempts: 1,
        attempted_at: Some(tx.now().as_micros()),
        lane: Some(LANE),
        lease_owner: Some(lease.owner.as_uuid()),
        lease_expires_at: Some(lease.expires_at.as_micros()),
        ..to_row(tx, new)
    };
    announce::status(tx, &row, None, &row.status);
    tx.insert(row.into_active_model().reset_all()).await?;
    insert_content(tx, new.message.id, new.content).await?;
    Ok(Attempt {
        message: new.message.id,
        number: 1,
    })
}

/// Whether messages of the session wait whose turn is at `now` or before, or one is being handed over.
pub async fn has_others_before(
    tx: &TenantTx,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(lane_is_taken(tx, session).await? || has_due(tx, session, now).await?)
}

/// Whether messages of the session wait whose turn is at `now` or before.
pub async fn has_due(tx: &TenantTx, session: SessionId, now: Timestamp) -> Result<bool, StoreError> {
    // One row and not their number: thousands may wait.
    Ok(due(tx, session, now).limit(1).one().await?.is_some())
}

/// Whether more messages of the organization than so many wait to be sent.
pub async fn has_queued_more_than(tx: &TenantTx, number: u32) -> Result<bool, StoreError> {
    let queued = tx.find::<Entity>().filter(is_queued());
    queued.exceeds(number.into(), Column::OrganizationId).await
}

async fn lane_is_taken(tx: &TenantTx, session: SessionId) -> Result<bool, StoreError> {
    Ok(with_lane(tx, session).one().await?.is_some())
}

fn with_lane(tx: &TenantTx, session: SessionId) -> TenantSelect<'_, Entity> {
    tx.find::<Entity>()
        .filter(of_session(session))
        .filter(Column::Lane.is_not_null())
}

/// Written out, because neither database sees from a parameter that a partial index holds the row.
pub(crate) fn is_queued() -> SimpleExpr {
    Expr::cust("messages.status = 'queued'")
}

/// Those whose turn it is. Whose time is over are none of them, however many wait to be ended.
fn due(tx: &TenantTx, session: SessionId, now: Timestamp) -> TenantSelect<'_, Entity> {
    tx.find::<Entity>()
        .filter(of_session(session))
        .filter(is_queued())
        .filter(Column::DueAt.lte(now.as_micros()))
        .filter(
            Column::ExpiresAt
                .is_null()
                .or(Column::ExpiresAt.gt(now.as_micros())),
        )
        .order_by(Column::DueAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
}

/// The message of the session whose turn it is; `None` if none is due, or one is being handed over.
pub async fn first_due(
    tx: &TenantTx,
    session: SessionId,
    now: Timestamp,
) -> Result<Option<Head>, StoreError> {
    if lane_is_taken(tx, session).await? {
        return Ok(None);
    }
    match due(tx, session, now).limit(1).one().await? {
        None => Ok(None),
        Some(row) => head(tx, row).await.map(Some),
    }
}

async fn head(tx: &TenantTx, row: Model) -> Result<Head, StoreError> {
    let content = content(tx, row.id.into()).await?;
    let head = without_content(row)?;
    Ok(Head { content, ..head })
}

fn without_content(row: Model) -> Result<Head, StoreError> {
    Ok(Head {
        content: None,
        requester: requester(&row)?,
        key: row.message_key.clone(),
        message: from_row(row)?,
    })
}

/// Takes the session's lane for a message that waits, if it is the message's turn; `None` if it is not, or another
/// has the lane. The caller holds the lock of the session's row.
pub async fn claim(
    tx: &TenantTx,
    message: &OutgoingMessage,
    key: Option<&str>,
    lease: &SendLease,
) -> Result<Option<Attempt>, StoreError> {
    if lane_is_taken(tx, message.session_id).await? {
        return Ok(None);
    }
    let Some(first) = due(tx, message.session_id, tx.now()).limit(1).one().await? else {
        return Ok(None);
    };
    if first.id != message.id.as_uuid() {
        return Ok(None);
    }
    let number = first.attempts + 1;
    tx.update::<Entity>()
        .set(Column::Status, DeliveryStatus::Sending.as_str())
        .set(Column::Attempts, number)
        .set(Column::AttemptedAt, tx.now().as_micros())
        .set(Column::MessageKey, key.map(str::to_owned))
        .set(Column::Lane, LANE)
        .set(Column::LeaseOwner, lease.owner.as_uuid())
        .set(Column::LeaseExpiresAt, lease.expires_at.as_micros())
        .set(Column::Reason, None::<String>)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(first.id))
        .run()
        .await?;
    announce::status(tx, &first, Some(&first.status), DeliveryStatus::Sending.as_str());
    Ok(Some(Attempt {
        message: message.id,
        number,
    }))
}

/// The message of an attempt whose end may still be written down, which frees the session's lane; `None` if
/// another attempt was begun since, or the end was written down already. The caller holds the lock of the
/// session's row.
pub async fn conclude(tx: &TenantTx, attempt: Attempt) -> Result<Option<OutgoingMessage>, StoreError> {
    let Some(row) = open(tx, attempt).await? else {
        return Ok(None);
    };
    free_lane(tx, &row).await?;
    from_row(row).map(Some)
}

/// The row of an attempt whose end is not written down yet.
pub(super) async fn open(tx: &TenantTx, attempt: Attempt) -> Result<Option<Model>, StoreError> {
    let own = tx
        .find::<Entity>()
        .filter(Column::Id.eq(attempt.message.as_uuid()))
        .filter(Column::Attempts.eq(attempt.number));
    let Some(row) = own.one().await? else {
        return Ok(None);
    };
    // An event may have told of it before WAHA's answer was here: then its status is that already, and it still
    // has the lane. One that was taken for lost has no lane any more, and may still turn out.
    let is_open = row.lane.is_some() || row.status == DeliveryStatus::Unknown.as_str();
    Ok(is_open.then_some(row))
}

/// Writes down what became of a message that WAHA did not take, or perhaps did not take, and why.
pub async fn set_outcome(
    tx: &TenantTx,
    id: MessageId,
    status: DeliveryStatus,
    reason: &str,
) -> Result<(), StoreError> {
    let own = tx
        .find::<Entity>()
        .filter(Column::Id.eq(id.as_uuid()))
        // What WAHA or WhatsApp said of it meanwhile is better than what is not known.
        .filter(Column::Status.is_in([DeliveryStatus::Sending.as_str(), DeliveryStatus::Unknown.as_str()]));
    let Some(row) = own.one().await? else {
        return Ok(());
    };
    tx.update::<Entity>()
        .set(Column::Status, status.as_str())
        .set(Column::Reason, reason)
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(row.id))
        .run()
        .await?;
    if row.status != status.as_str() {
        announce::status(tx, &row, Some(&row.status), status.as_str());
    }
    // One of which nothing is known, or that waits again, may still be sent.
    if !matches!(status, DeliveryStatus::Unknown | DeliveryStatus::Queued) {
        forget_unkept(tx, &[row.id]).await?;
    }
    Ok(())
}

/// Says what a message waits for, in words.
pub async fn set_waiting_for(tx: &TenantTx, id: MessageId, reason: &str) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::Reason, reason)
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(is_queued())
        .run()
        .await?;
    Ok(())
}

/// Lets a message wait again that was surely not sent, with what it waits for in words.
pub async fn put_back(tx: &TenantTx, message: MessageId, reason: &str) -> Result<(), StoreError> {
    set_outcome(tx, message, DeliveryStatus::Queued, reason).await
}

/// Takes a message back that waits, so that it is never sent; says whether it waited still.
pub async fn cancel(tx: &TenantTx, message: MessageId, reason: &str) -> Result<bool, StoreError> {
    let waits = tx
        .find::<Entity>()
        .filter(Column::Id.eq(message.as_uuid()))
        .filter(is_queued())
        .lock();
    let Some(row) = waits.one().await? else {
        return Ok(false);
    };
    let is_cancelled = end_waiting(tx, &row, DeliveryStatus::Cancelled, Some(reason)).await?;
    if is_cancelled {
        forget_unkept(tx, &[row.id]).await?;
    }
    Ok(is_cancelled)
}

/// Takes those of these messages back that wait; says when each of them was handed in. The caller holds the locks of
/// their sessions' rows.
pub(crate) async fn cancel_many(
    tx: &TenantTx,
    these: &[uuid::Uuid],
    reason: &str,
) -> Result<Vec<Timestamp>, StoreError> {
    let rows = tx
        .find::<Entity>()
        .filter(Column::Id.is_in(these.iter().copied()))
        .filter(is_queued())
        .order_by(Column::Id, Order::Asc)
        .lock()
        .all()
        .await?;
    let mut cancelled = Vec::new();
    for row in rows {
        if end_waiting(tx, &row, DeliveryStatus::Cancelled, Some(reason)).await? {
            cancelled.push(Timestamp::from_micros(row.created_at));
        }
    }
    Ok(cancelled)
}

/// Ends the waiting of the session's messages whose time is over, [`EXPIRED_AT_ONCE`] at most; says which they are.
/// Each keeps as its reason what it waited for last: of those behind others, that is what held these up. The caller
/// holds the lock of the session's row.
pub async fn expire(tx: &TenantTx, session: SessionId) -> Result<Vec<Head>, StoreError> {
    let expired = past_their_time(tx, session);
    let rows = expired.limit(EXPIRED_AT_ONCE).lock().all().await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let held_up = held_up_by(tx, session).await?;
    let mut expired = Vec::new();
    for row in rows {
        let reason = row.reason.is_none().then_some(held_up.as_str());
        if end_waiting(tx, &row, DeliveryStatus::Expired, reason).await? {
            expired.push(without_content(row)?);
        }
    }
    let these: Vec<_> = expired.iter().map(|head| head.message.id.as_uuid()).collect();
    forget_unkept(tx, &these).await?;
    Ok(expired)
}

fn past_their_time(tx: &TenantTx, session: SessionId) -> TenantSelect<'_, Entity> {
    tx.find::<Entity>()
        .filter(of_session(session))
        .filter(is_queued())
        .filter(Column::ExpiresAt.lte(tx.now().as_micros()))
}

/// How many messages are ended in one transaction.
pub const EXPIRED_AT_ONCE: u64 = 200;

/// What the first of the session's messages that wait, waits for.
async fn held_up_by(tx: &TenantTx, session: SessionId) -> Result<String, StoreError> {
    let first = tx
        .find::<Entity>()
        .filter(of_session(session))
        .filter(is_queued())
        .order_by(Column::DueAt, Order::Asc)
        .order_by(Column::Id, Order::Asc)
        .limit(1);
    let reason = first.one().await?.and_then(|first| first.reason);
    Ok(reason.unwrap_or_else(|| "Its turn did not come before its time was over.".to_owned()))
}

/// Ends the waiting of a message; says whether it waited still.
async fn end_waiting(
    tx: &TenantTx,
    row: &Model,
    status: DeliveryStatus,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    let mut update = tx
        .update::<Entity>()
        .set(Column::Status, status.as_str())
        .set(Column::UpdatedAt, tx.now().as_micros())
        .filter(Column::Id.eq(row.id))
        .filter(is_queued());
    if let Some(reason) = reason {
        update = update.set(Column::Reason, reason);
    }
    let has_ended = update.run().await? == 1;
    if has_ended {
        announce::status(tx, row, Some(&row.status), status.as_str());
    }
    Ok(has_ended)
}

/// Whether messages of the session are past their time, or have the lane while their process did not come back.
pub async fn needs_sweep(tx: &TenantTx, session: SessionId) -> Result<bool, StoreError> {
    // Two questions: SQLite would answer the two as one by reading every message of the session.
    let expired = past_their_time(tx, session).limit(1).one().await?;
    Ok(expired.is_some() || left_behind(tx, session).limit(1).one().await?.is_some())
}

/// Attempts whose process did not come back in time.
fn left_behind(tx: &TenantTx, session: SessionId) -> TenantSelect<'_, Entity> {
    with_lane(tx, session).filter(Column::LeaseExpiresAt.lte(tx.now().as_micros()))
}

/// Frees the session's lane of attempts whose process did not come back in time, and says which messages they
/// were of: nobody knows whether those were sent whose status is still that they are being handed over.
pub async fn abandoned(tx: &TenantTx, session: SessionId) -> Result<Vec<Head>, StoreError> {
    let rows = left_behind(tx, session).all().await?;
    for row in &rows {
        free_lane(tx, row).await?;
    }
    rows.into_iter().map(without_content).collect()
}

async fn free_lane(tx: &TenantTx, row: &Model) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::Lane, None::<i32>)
        .set(Column::LeaseOwner, None::<uuid::Uuid>)
        .set(Column::LeaseExpiresAt, None::<i64>)
        .set(Column::SettleAt, None::<i64>)
        .filter(Column::Id.eq(row.id))
        .run()
        .await?;
    Ok(())
}

/// Says when it is next asked what became of a message whose outcome is not known; `None` if that is not asked
/// any more.
pub async fn wait_to_settle(
    tx: &TenantTx,
    message: MessageId,
    settle_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    tx.update::<Entity>()
        .set(Column::SettleAt, settle_at.map(Timestamp::as_micros))
        .filter(Column::Id.eq(message.as_uuid()))
        .run()
        .await?;
    Ok(())
}

/// The session's messages whose outcome is not known and is now to be asked for.
pub async fn unsettled(tx: &TenantTx, session: SessionId) -> Result<Vec<Head>, StoreError> {
    let rows = to_settle(tx, session).limit(UNSETTLED_AT_ONCE).all().await?;
    let mut unsettled = Vec::new();
    for row in rows {
        unsettled.push(head(tx, row).await?);
    }
    Ok(unsettled)
}

/// Whether it is still to be asked, now or later, what became of a message of the session.
pub async fn has_unsettled(tx: &TenantTx, session: SessionId) -> Result<bool, StoreError> {
    Ok(with_settling(tx, session).limit(1).one().await?.is_some())
}

fn with_settling(tx: &TenantTx, session: SessionId) -> TenantSelect<'_, Entity> {
    tx.find::<Entity>()
        .filter(of_session(session))
        .filter(Column::SettleAt.is_not_null())
}

fn to_settle(tx: &TenantTx, session: SessionId) -> TenantSelect<'_, Entity> {
    tx.find::<Entity>()
        .filter(of_session(session))
        .filter(Column::SettleAt.lte(tx.now().as_micros()))
        .order_by(Column::SettleAt, Order::Asc)
}

/// How many are asked for in one go.
const UNSETTLED_AT_ONCE: u64 = 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::ExposeSecret;
    use wahana_domain::{OrganizationId, SystemClock};
    use wahana_testkit::database::TestDatabase;

    use super::*;
    use crate::{
        KeyRing, Tenant, commit_news::CommitNews, connection::Connections, settings::DatabaseSettings,
        tenant::Surroundings, transaction::Access,
    };

    /// A session keeps its messages for months, and each turn asks these questions.
    #[tokio::test]
    async fn what_a_turn_asks_does_not_read_all_messages_of_the_session() {
        let db = TestDatabase::sqlite().await;
        let settings = DatabaseSettings::new(db.settings().url.expose_secret().to_owned());
        let connections = Connections::open(&settings).await.unwrap();
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock),
            keys: KeyRing::generate(),
            news: CommitNews::new(),
        };
        let tenant = Tenant::of(OrganizationId::new());
        let tx = TenantTx::begin(&connections.tenant_read, tenant, Access::Read, surroundings).await;
        let tx = tx.unwrap();
        let session = SessionId::new();
        for (asked, index) in [
            (with_lane(&tx, session), "messages_lane (session_id=? AND lane>?)"),
            (
                left_behind(&tx, session),
                "messages_lane (session_id=? AND lane>?)",
            ),
            (
                due(&tx, session, tx.now()),
                "messages_queued (session_id=? AND due_at<?)",
            ),
            (
                past_their_time(&tx, session),
                "messages_session_expiring (session_id=? AND expires_at<?)",
            ),
            (
                with_settling(&tx, session),
                "messages_session_unsettled (session_id=? AND settle_at>?)",
            ),
            (
                to_settle(&tx, session),
                "messages_session_unsettled (session_id=? AND settle_at<?)",
            ),
        ] {
            let plan = asked.limit(1).plan().await;
            assert_eq!(plan, [format!("SEARCH messages USING INDEX {index}")]);
        }
    }
}
