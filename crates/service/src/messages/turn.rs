//! What is done about the messages of one session that wait: those whose time is over end, those whose process died
//! are accounted for, and the one whose turn it is is handed over.

use std::{sync::Arc, time::Duration};

use waha_client::Circuit;
use wahana_domain::{
    AuditOutcome, DeliveryStatus, ErrorCode, Month, OrganizationLimits, OrganizationState, OutgoingMessage,
    Pace, PaceStep, Session, Timestamp,
};
use wahana_store::{
    DueSession, Tenant, TenantTx,
    messages::{self as stored, Head, Requester},
    organizations,
    sessions::{self, SessionReference},
    upkeep,
};

use super::{
    attempt::{Attempt, NOT_KNOWN, Sender, lease, not_sent},
    outgoing::{Outgoing, operation},
    pace,
    restriction::{self, Rest},
    settle, waiting_file,
};
use crate::{
    ServiceError, Services,
    access::{SendMessages, may_still},
    audit,
    limits::{self, Permit},
    ready::Ready,
};

/// What came of a look at a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A message was dealt with, and there may be another.
    Went,
    /// Nothing is due.
    Nothing,
    /// The message whose turn it is waits for something: look again after so long at the latest.
    Waits(Duration),
}

/// When a session that does not work is looked at again; that it works wakes whoever waits, too.
const SESSION_RETRY: Duration = Duration::from_secs(5);
/// When a session is looked at again whose first message has a caller who waits for it.
const CALLER_RETRY: Duration = Duration::from_secs(1);
/// What a message waits for whose server is away.
const AWAY: &str = "The WhatsApp service of this session does not answer at the moment.";
/// When a server that is away is tried again at the latest.
const AWAY_RETRY: Duration = Duration::from_secs(10);

/// A session is not looked at more often than this because something has not come about.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// How long nobody looks at a session at the most: messages behind the first end with their time.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The same while it is to be asked what became of a message.
const UNSETTLED_WAIT: Duration = Duration::from_secs(5);

/// Deals with what is due of a session, one message at most.
pub(super) async fn take(services: &Services, due: DueSession) -> Result<Turn, ServiceError> {
    sweep(services, due).await?;
    let look = look(services, due).await?;
    let longest = if look.has_unsettled {
        UNSETTLED_WAIT
    } else {
        LONGEST_WAIT
    };
    Ok(match deal_with(services, due, look).await? {
        Turn::Waits(wait) => Turn::Waits(wait.min(longest)),
        turn => turn,
    })
}

async fn deal_with(services: &Services, due: DueSession, look: Look) -> Result<Turn, ServiceError> {
    let ready = match &look.session {
        Some(session) if session.status.is_working() => Some(Ready::of(services, session.clone()).await?),
        _ => None,
    };
    for head in &look.unsettled {
        settle::settle(services, due.tenant, ready.as_ref(), head).await?;
    }
    let Some(head) = look.head else {
        return Ok(Turn::Nothing);
    };
    if look.is_suspended {
        // It is found again when that is over.
        return Ok(Turn::Nothing);
    }
    if !head.message.is_asynchronous {
        // Its caller takes its turn, or its time ends.
        return Ok(Turn::Waits(CALLER_RETRY));
    }
    let Some(session) = look.session else {
        return end(services, due, &head, "The session was deleted.").await;
    };
    if let Some(reason) = look.forbidden {
        return end(services, due, &head, reason).await;
    }
    let Some(ready) = ready else {
        let reason = crate::upstream::not_ready(session.status).to_string();
        return waits(services, due, &head, &reason, SESSION_RETRY).await;
    };
    if let Some(rest) = &look.rest {
        let wait = rest.until.since(services.now());
        return waits(services, due, &head, &rest.reason, wait).await;
    }
    if let Some(wait) = away_for(services, &ready).await {
        return waits(services, due, &head, AWAY, wait).await;
    }
    // What it says here is decided again under the lock.
    if let Some(pacing) = &session.pacing
        && let PaceStep::Wait(wait) =
            pacing.step(&look.pace, head.message.id, letters_of(&head), services.now())
    {
        return Ok(Turn::Waits(while_valid(&head.message, services.now(), wait)));
    }
    // Read last: what waits for something else needs no room in memory.
    let outgoing = outgoing_of(services, due.tenant, &head).await?;
    let (Some(requester), Some(outgoing)) = (&head.requester, outgoing) else {
        return end(services, due, &head, "What was to be sent is not kept any more.").await;
    };
    let limited = limits::take_message_for(
        services,
        due.tenant.organization_id(),
        &look.limits,
        ready.session.id,
        head.message.kind.is_media(),
    );
    let permit = match limited.await {
        Ok(permit) => permit,
        Err(ServiceError::RateLimited { message, allowance }) => {
            return waits(services, due, &head, &message, allowance.reset_after).await;
        }
        Err(error) => return Err(error),
    };
    let next = Next {
        requester: requester.clone(),
        outgoing,
        ready,
        head,
    };
    hand_over(services, due, next, permit).await
}

/// How long to leave the session's server alone; `None` if it answers. Of one that was away it is asked with a call that
/// changes nothing: what became of a message that met a proxy without a WAHA behind it would never be known.
async fn away_for(services: &Services, ready: &Ready) -> Option<Duration> {
    match services.upstreams.circuit(ready.session.waha.server) {
        Circuit::Closed => None,
        Circuit::Open(retry_after) => Some(retry_after.min(AWAY_RETRY)),
        Circuit::HalfOpen => ready.waha().version().await.is_err().then_some(SESSION_RETRY),
    }
}

/// The message whose turn it is, and nothing is known that holds it up.
struct Next {
    head: Head,
    requester: Requester,
    outgoing: Outgoing,
    ready: Ready,
}

/// Takes the session's lane for a message, if it is its turn still and the session's pace lets it go, and hands it
/// over.
async fn hand_over(
    services: &Services,
    due: DueSession,
    next: Next,
    permit: Permit,
) -> Result<Turn, ServiceError> {
    let Next {
        head,
        requester,
        outgoing,
        ready,
    } = next;
    let key = match &head.key {
        // The same key again: WhatsApp recognizes a message that was sent already.
        Some(key) => Some(key.clone()),
        None => super::own_key(services, &ready, &outgoing).await,
    };
    let begun = services.store.clock().elapsed();
    let tx = services.store.write(due.tenant).await?;
    let still = sessions::lock(&tx, ready.session.id).await?;
    let Some(still) = still.filter(|session| session.status.is_working()) else {
        return Ok(Turn::Waits(SESSION_RETRY));
    };
    let is_typing = match pace::step(&tx, &still, &head.message, outgoing.letters()).await? {
        PaceStep::Send { is_typing } => is_typing,
        PaceStep::Wait(wait) => return Ok(Turn::Waits(while_valid(&head.message, tx.now(), wait))),
        PaceStep::ShowTyping(typing) => {
            drop(permit);
            return show_typing(services, tx, &ready, &head.message, typing).await;
        }
    };
    let lease = lease(services, tx.now());
    let Some(written) = stored::claim(&tx, &head.message, key.as_deref(), &lease).await? else {
        return Ok(Turn::Nothing);
    };
    pace::pause(&tx, &still).await?;
    tx.commit().await?;
    let attempts = written.number;
    let attempt = Attempt {
        services: services.clone(),
        sender: Sender::later(due.tenant, requester),
        ready,
        outgoing,
        written,
        key,
        month: Month::of(head.message.created_at),
        begun,
        is_typing,
        is_asynchronous: true,
        answer: None,
    };
    // What was begun is brought to its end also when the process stops.
    let made = services.to_the_end(Box::pin(async move { Ok(attempt.make(permit).await) }));
    Ok(match made.await? {
        Err(failure) if failure.waits_again => Turn::Waits(retry_after(&failure.error, attempts)),
        Ok(_) | Err(_) => Turn::Went,
    })
}

/// Shows that a message is being typed, in a transaction that holds the lock of the session's row. Nobody waits here
/// until that has been shown for long enough.
async fn show_typing(
    services: &Services,
    tx: TenantTx,
    ready: &Ready,
    message: &OutgoingMessage,
    typing: Duration,
) -> Result<Turn, ServiceError> {
    if !pace::note_typing(&tx, message, typing).await? {
        return Ok(Turn::Nothing);
    }
    let until = tx.now().plus(typing);
    tx.commit().await?;
    pace::start_typing(ready, &message.chat_id).await;
    let now = services.now();
    Ok(Turn::Waits(while_valid(message, now, until.since(now))))
}

/// When a message is tried again that was surely not sent, after so many attempts. Each is told as an event, so what does
/// not change by itself is tried ever more seldom.
fn retry_after(error: &ServiceError, attempts: i64) -> Duration {
    match error {
        ServiceError::WahaUnavailable { retry_after, .. } => (*retry_after).min(AWAY_RETRY),
        _ => SESSION_RETRY.saturating_mul(1 << (attempts.clamp(1, 4) - 1)),
    }
}

/// How many letters a text that waits has.
fn letters_of(head: &Head) -> Option<usize> {
    let content = head.content.as_ref().filter(|_| !head.message.kind.is_media())?;
    content.text.as_ref().map(|text| text.chars().count())
}

/// What a message that waited consists of; `None` if that is not kept any more.
async fn outgoing_of(
    services: &Services,
    tenant: Tenant,
    head: &Head,
) -> Result<Option<Outgoing>, ServiceError> {
    let Some(content) = &head.content else {
        return Ok(None);
    };
    let to = head.message.chat_id.clone();
    if !head.message.kind.is_media() {
        return Ok(Outgoing::text_of(to, content));
    }
    match waiting_file::find(services, tenant, &head.message).await {
        Ok(file) => Ok(Outgoing::media_of(to, content, file)),
        Err(ServiceError::MediaNotKept) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is known of a session whose turn it may be.
struct Look {
    is_suspended: bool,
    session: Option<Arc<Session>>,
    head: Option<Head>,
    unsettled: Vec<Head>,
    /// Why who asked for the first message may not have it sent any more.
    forbidden: Option<&'static str>,
    rest: Option<Rest>,
    /// Whether a message's outcome is still to be asked for.
    has_unsettled: bool,
    limits: OrganizationLimits,
    pace: Pace,
}

async fn look(services: &Services, due: DueSession) -> Result<Look, ServiceError> {
    let tx = services.store.read(due.tenant).await?;
    let now = tx.now();
    let head = stored::first_due(&tx, due.session, now).await?;
    let organization = organizations::get(&tx).await?;
    let reference = SessionReference::Id(due.session);
    let session = sessions::get(&tx, &reference, None).await?.map(Arc::new);
    let mut look = Look {
        session,
        unsettled: stored::unsettled(&tx, due.session).await?,
        forbidden: None,
        rest: None,
        has_unsettled: stored::has_unsettled(&tx, due.session).await?,
        is_suspended: organization
            .as_ref()
            .is_none_or(|organization| organization.state != OrganizationState::Active),
        limits: organization
            .map(|organization| organization.limits)
            .unwrap_or_default(),
        pace: Pace::default(),
        head: None,
    };
    if let Some(requester) = head.as_ref().and_then(|head| head.requester.as_ref()) {
        let may = may_still::<SendMessages>(&tx, requester, due.session).await?;
        look.forbidden = may.err();
    }
    let upkeep = upkeep::get(&tx, due.session).await?;
    look.pace = upkeep.pace;
    look.rest = restriction::rest(&upkeep, now);
    look.head = head;
    Ok(look)
}

/// Ends what is past its time, and accounts for what a process left behind.
async fn sweep(services: &Services, due: DueSession) -> Result<(), ServiceError> {
    let tx = services.store.read(due.tenant).await?;
    let is_needed = stored::needs_sweep(&tx, due.session).await?;
    drop(tx);
    if !is_needed {
        return Ok(());
    }
    while expire(services, due).await? {}
    let tx = services.store.write(due.tenant).await?;
    sessions::lock(&tx, due.session).await?;
    for left in stored::abandoned(&tx, due.session).await? {
        if left.message.status != DeliveryStatus::Sending {
            continue;
        }
        stored::set_outcome(&tx, left.message.id, DeliveryStatus::Unknown, NOT_KNOWN).await?;
        stored::wait_to_settle(&tx, left.message.id, Some(tx.now().plus(settle::FIRST))).await?;
        record(
            &tx,
            due,
            &left.message,
            left.requester.as_ref(),
            audit::failure(ErrorCode::WahaTimeout),
        )
        .await?;
        tracing::warn!(
            organization.id = %due.tenant.organization_id(),
            session.id = %due.session,
            message.id = %left.message.id,
            "the process that sent a message did not come back: it is not known whether it was sent"
        );
    }
    tx.commit().await?;
    Ok(())
}

/// Ends some of the messages whose time is over; says whether there may be more.
async fn expire(services: &Services, due: DueSession) -> Result<bool, ServiceError> {
    let tx = services.store.write(due.tenant).await?;
    sessions::lock(&tx, due.session).await?;
    let expired = stored::expire(&tx, due.session).await?;
    for head in &expired {
        let code = ErrorCode::WahaUnavailable;
        give_up(&tx, due, &head.message, head.requester.as_ref(), code).await?;
    }
    tx.commit().await?;
    Ok(expired.len() as u64 >= stored::EXPIRED_AT_ONCE)
}

/// Writes down that a message waits for something, if that is not known yet.
async fn waits(
    services: &Services,
    due: DueSession,
    head: &Head,
    reason: &str,
    wait: Duration,
) -> Result<Turn, ServiceError> {
    if head.message.reason.as_deref() != Some(reason) {
        let tx = services.store.write(due.tenant).await?;
        stored::set_waiting_for(&tx, head.message.id, reason).await?;
        tx.commit().await?;
    }
    let wait = while_valid(&head.message, services.now(), wait);
    Ok(Turn::Waits(wait.max(SHORTEST_WAIT)))
}

/// So long, or until the message's time is over.
fn while_valid(message: &OutgoingMessage, now: Timestamp, wait: Duration) -> Duration {
    let left = message.expires_at.map_or(wait, |at| at.since(now));
    wait.min(left.max(SHORTEST_WAIT))
}

/// Ends a message that can never be sent.
async fn end(services: &Services, due: DueSession, head: &Head, reason: &str) -> Result<Turn, ServiceError> {
    let tx = services.store.write(due.tenant).await?;
    if stored::cancel(&tx, head.message.id, reason).await? {
        give_up(
            &tx,
            due,
            &head.message,
            head.requester.as_ref(),
            ErrorCode::Forbidden,
        )
        .await?;
        tx.commit().await?;
    }
    Ok(Turn::Went)
}

/// Gives back what a message took that is not sent any more, and writes that into the audit log.
async fn give_up(
    tx: &TenantTx,
    due: DueSession,
    message: &OutgoingMessage,
    requester: Option<&Requester>,
    code: ErrorCode,
) -> Result<(), ServiceError> {
    not_sent(tx, message.id, Month::of(message.created_at)).await?;
    record(tx, due, message, requester, audit::failure(code)).await
}

async fn record(
    tx: &TenantTx,
    due: DueSession,
    message: &OutgoingMessage,
    requester: Option<&Requester>,
    outcome: AuditOutcome,
) -> Result<(), ServiceError> {
    let operation = operation(message.kind);
    match requester {
        Some(requester) => {
            let sender = Sender::later(due.tenant, requester.clone());
            audit::record_for(tx, &sender.actor(), operation, due.session, outcome).await
        }
        None => audit::record_by_system(tx, operation, Some(due.session), outcome).await,
    }
}
