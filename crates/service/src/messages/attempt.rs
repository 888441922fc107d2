//! One handing over of a message, and writing down what became of it.
//!
//! The message and the intent are written before WAHA is called, and the outcome after it. Nothing here tries a
//! second time: a message whose outcome is not known may have gone out.

use std::time::Duration;

use waha_client::{Outcome, WahaError};
use wahana_domain::{
    AuditOutcome, ChatId, DeliveryStatus, MessageId, Month, OutgoingMessage, SessionId, SessionStatus,
    Timestamp,
};
use wahana_store::{
    Tenant, TenantTx,
    activity::Tally,
    idempotency, media_files,
    messages::{self as stored, Accepted, Requester, SendLease},
    sessions,
    upkeep::{self, Restriction},
};

use super::{
    idempotency::AnswerOf,
    outgoing::{Outgoing, operation},
    pace, restriction,
};
use crate::{
    RequestOrigin, ServiceError, Services, audit,
    context::Actor,
    limits::{MonthlyQuota, Permit},
    ready::Ready,
};

/// How long to wait before an outcome that could not be written down is written again. What happened
/// has happened, so more than one attempt is worth it.
const RECORD_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];
/// How long after its beginning an attempt calls WAHA at the latest. A process that was frozen longer may have
/// been taken for dead, and its message for one of which nothing is known.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// How much longer than its call an attempt may take, until it is taken for one whose process died.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// A message that was handed over, or will be.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// wahana's id for it.
    pub message_id: MessageId,
    /// WAHA's id for it, once WAHA took it.
    pub waha_message_id: Option<String>,
    /// Whom it is for.
    pub chat_id: ChatId,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When it was sent, or when it is to be sent.
    pub timestamp: Timestamp,
}

impl SentMessage {
    /// How it stands.
    pub(super) fn of(message: &OutgoingMessage) -> Self {
        Self {
            message_id: message.id,
            waha_message_id: message.waha_message_id.clone(),
            chat_id: message.chat_id.clone(),
            status: message.status,
            timestamp: message.sent_at.unwrap_or(message.due_at),
        }
    }
}

/// For whom something is sent, and in which request.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) tenant: Tenant,
    pub(super) requester: Requester,
    /// The request itself, while it waits; afterwards one with its id.
    pub(super) origin: RequestOrigin,
}

impl Sender {
    /// Who wanted a message sent that waited; of one that nobody asked for, wahana itself.
    pub(super) fn later(tenant: Tenant, requester: Requester) -> Self {
        let origin = RequestOrigin::new(requester.request_id.clone(), None);
        Self {
            tenant,
            requester,
            origin,
        }
    }

    pub(super) fn actor(&self) -> Actor<'_> {
        Actor::of_requester(&self.requester, &self.origin)
    }
}

/// A message on its way, whose intent is written down.
pub(super) struct Attempt {
    pub(super) services: Services,
    pub(super) sender: Sender,
    pub(super) ready: Ready,
    pub(super) outgoing: Outgoing,
    pub(super) written: stored::Attempt,
    pub(super) key: Option<String>,
    /// The month in which the message was counted.
    pub(super) month: Month,
    /// When it was begun, as the clock measures.
    pub(super) begun: Duration,
    /// Whether it is shown in the chat that it is being typed.
    pub(super) is_typing: bool,
    /// Whether it may wait again if it was surely not sent.
    pub(super) is_asynchronous: bool,
    /// What whoever waits for it will be answered, if that is to be kept.
    pub(super) answer: Option<AnswerOf>,
}

/// How an attempt ended that did not send the message, as far as is known.
pub(super) struct Failure {
    pub(super) error: ServiceError,
    /// Whether the message waits again.
    pub(super) waits_again: bool,
}

/// What became of it.
struct Conclusion {
    fate: Fate,
    audit: AuditOutcome,
    restriction: Option<Restriction>,
}

enum Fate {
    /// WAHA took it, and it is this message of WhatsApp's, sent at this time.
    Accepted(waha_client::SentMessage, Timestamp),
    /// It was not handed over, or refused.
    Failed(String),
    /// It was surely not sent, and waits again for what this says.
    Waits(String),
    /// Nobody knows.
    Unknown,
}

impl Fate {
    const fn status(&self) -> DeliveryStatus {
        match self {
            Self::Accepted(..) => DeliveryStatus::Accepted,
            Self::Failed(_) => DeliveryStatus::Failed,
            Self::Waits(_) => DeliveryStatus::Queued,
            Self::Unknown => DeliveryStatus::Unknown,
        }
    }
}

/// What is said of a message whose outcome nobody knows.
pub(super) const NOT_KNOWN: &str = "WAHA was asked and did not answer: it is not known whether it was sent.";

/// The lease of an attempt that begins now.
pub(super) fn lease(services: &Services, now: Timestamp) -> SendLease {
    let limit = services.settings.waha_timeouts.send;
    let call = limit.total.unwrap_or(limit.idle);
    SendLease {
        owner: services.process(),
        expires_at: now.plus(CALL_WITHIN + call + LEASE_MARGIN),
    }
}

impl Attempt {
    /// Hands the message over. What it needed of the limits is given back if WAHA did not take it.
    pub(super) async fn make(self, permit: Permit) -> Result<SentMessage, Failure> {
        if self.is_typing {
            pace::stop_typing(&self.ready, self.outgoing.to()).await;
        }
        let waited = self.services.store.clock().elapsed().saturating_sub(self.begun);
        let handed_over = if waited > CALL_WITHIN {
            Err(WahaError::NotSendable {
                what: "wahana was held up for too long before it",
            })
        } else {
            let waha = self.ready.waha();
            self.outgoing
                .hand_over(waha, self.ready.waha_name(), self.key.as_deref())
                .await
        };
        let answered_at = self.services.now();
        let error = match handed_over {
            Ok(sent) => {
                permit.spend();
                let sent_at = sent.timestamp.map_or(answered_at, Timestamp::from_seconds);
                return Ok(self.accepted(sent, sent_at).await);
            }
            Err(error) => error,
        };
        let kind = self.outgoing.kind();
        let refusal = self.ready.failed(
            &self.services,
            &self.sender.requester.request_id,
            operation(kind),
            &error,
        );
        let restriction = match error.restriction() {
            Some(named) => Some(restriction::heard(&self.ready, named, self.services.now()).await),
            None => None,
        };
        let refusal = match &restriction {
            Some(restriction) => restricted(self.ready.session.status, restriction),
            None => refusal,
        };
        let (fate, error_to_tell) = if error.outcome() == Outcome::Unknown {
            permit.spend();
            let message_id = Some(self.written.message);
            (Fate::Unknown, ServiceError::WahaTimeout { message_id })
        } else {
            drop(permit);
            if self.is_asynchronous && may_succeed_later(&error) {
                (Fate::Waits(refusal.to_string()), refusal)
            } else {
                (Fate::Failed(refusal.to_string()), refusal)
            }
        };
        let waits_again = matches!(fate, Fate::Waits(_));
        let conclusion = Conclusion {
            fate,
            audit: audit::failure(error_to_tell.code()),
            restriction,
        };
        self.conclude(&conclusion).await;
        Err(Failure {
            error: error_to_tell,
            waits_again,
        })
    }

    async fn accepted(self, sent: waha_client::SentMessage, sent_at: Timestamp) -> SentMessage {
        let conclusion = Conclusion {
            fate: Fate::Accepted(sent.clone(), sent_at),
            audit: AuditOutcome::Success,
            restriction: None,
        };
        self.conclude(&conclusion).await;
        self.sent(&sent, sent_at)
    }

    fn sent(&self, sent: &waha_client::SentMessage, sent_at: Timestamp) -> SentMessage {
        SentMessage {
            message_id: self.written.message,
            waha_message_id: Some(sent.id.clone()),
            chat_id: self.outgoing.to().clone(),
            status: DeliveryStatus::Accepted,
            timestamp: sent_at,
        }
    }

    /// Writes down what became of the message. The caller is told that also when it cannot be written:
    /// any other answer would make them send again what was sent.
    async fn conclude(&self, conclusion: &Conclusion) {
        let (tenant, session) = (self.sender.tenant, self.ready.session.id);
        let mut outcome = self.record(conclusion).await;
        for pause in RECORD_AGAIN_AFTER {
            if outcome.is_ok() {
                break;
            }
            tokio::time::sleep(pause).await;
            outcome = self.record(conclusion).await;
        }
        let others_wait = outcome.unwrap_or_else(|error| {
            tracing::error!(
                request.id = self.sender.requester.request_id,
                organization.id = %tenant.organization_id(),
                session.id = %session,
                message.id = %self.written.message,
                message.status = conclusion.fate.status().as_str(),
                error = %error,
                "the outcome of a message could not be written down"
            );
            true
        });
        self.services.queue.lane_is_free();
        // Who hands over what waits goes on by itself.
        if others_wait && !self.is_asynchronous {
            self.services.queue.wake(tenant, session);
        }
    }

    /// Says whether others wait whose turn it is now.
    async fn record(&self, conclusion: &Conclusion) -> Result<bool, ServiceError> {
        let (session, id) = (self.ready.session.id, self.written.message);
        let tx = self.services.store.write(self.sender.tenant).await?;
        // WAHA tells of the message by events, too, which are applied at the same time.
        let locked = sessions::lock(&tx, session).await?;
        let mut tally = Tally::new();
        let is_open = match &conclusion.fate {
            Fate::Accepted(sent, sent_at) => {
                let accepted = accepted(id, sent, *sent_at);
                Box::pin(stored::conclude_accepted(
                    &tx,
                    session,
                    self.written,
                    accepted,
                    &mut tally,
                ))
                .await?
            }
            _ => stored::conclude(&tx, self.written).await?.is_some(),
        };
        // A commit whose answer was lost is not made twice.
        if !is_open {
            return Ok(true);
        }
        if let Some(session) = &locked {
            pace::pause(&tx, session).await?;
        }
        match &conclusion.fate {
            Fate::Accepted(sent, sent_at) => {
                tally.write(&tx, session).await?;
                upkeep::lift_restriction(&tx, session, restriction::rested(tx.now())).await?;
                if let Some(answer) = &self.answer {
                    idempotency::answer(&tx, id, &answer(&self.sent(sent, *sent_at))).await?;
                }
            }
            Fate::Failed(reason) => {
                stored::set_outcome(&tx, id, DeliveryStatus::Failed, reason).await?;
                not_sent(&tx, id, self.month).await?;
            }
            Fate::Waits(reason) => stored::put_back(&tx, id, reason).await?,
            Fate::Unknown => {
                stored::set_outcome(&tx, id, DeliveryStatus::Unknown, NOT_KNOWN).await?;
                stored::wait_to_settle(&tx, id, Some(tx.now().plus(super::settle::FIRST))).await?;
            }
        }
        if self.key.is_none() && matches!(conclusion.fate, Fate::Failed(_) | Fate::Waits(_)) {
            // What WAHA told of meanwhile was not this one.
            stored::look_again(&tx, session).await?;
        }
        if let Some(restriction) = &conclusion.restriction {
            upkeep::set_restriction(&tx, session, restriction).await?;
        }
        if !matches!(conclusion.fate, Fate::Waits(_)) {
            let operation = operation(self.outgoing.kind());
            audit::record_for(
                &tx,
                &self.sender.actor(),
                operation,
                session,
                conclusion.audit.clone(),
            )
            .await?;
        }
        let others_wait = stored::has_due(&tx, session, tx.now()).await?;
        tx.commit().await?;
        Ok(others_wait)
    }
}

/// Writes down that WAHA took a message, and counts it.
pub(super) async fn accept(
    tx: &TenantTx,
    session: SessionId,
    id: MessageId,
    sent: &waha_client::SentMessage,
    sent_at: Timestamp,
) -> Result<(), ServiceError> {
    let mut tally = Tally::new();
    stored::accept(tx, session, accepted(id, sent, sent_at), &mut tally).await?;
    Ok(tally.write(tx, session).await?)
}

fn accepted(id: MessageId, sent: &waha_client::SentMessage, sent_at: Timestamp) -> Accepted<'_> {
    Accepted {
        id,
        key: &sent.key,
        waha_message_id: &sent.id,
        happened_at: sent_at,
    }
}

/// Gives back what a message took that was surely not sent: its place in the month, the room of its file, and the
/// key of its request.
pub(super) async fn not_sent(tx: &TenantTx, id: MessageId, month: Month) -> Result<(), ServiceError> {
    MonthlyQuota::of(month).take_back(tx).await?;
    media_files::end_of_message(tx, id).await?;
    Ok(idempotency::release(tx, id).await?)
}

/// WhatsApp refused a message because of a restriction of the session's number.
fn restricted(status: SessionStatus, restriction: &Restriction) -> ServiceError {
    ServiceError::SessionNotReady {
        status,
        message: format!(
            "{} The message was not sent. Leave the session as it is until that is over: to pair or restart it anew \
             makes it worse.",
            restriction::in_words(restriction)
        ),
    }
}

/// Whether what was refused now may go through when the session, its server or its owner has changed.
const fn may_succeed_later(error: &WahaError) -> bool {
    matches!(
        error,
        WahaError::Unreachable { .. }
            | WahaError::HeldBack { .. }
            | WahaError::WrongState { .. }
            | WahaError::NotRunning
            | WahaError::UnknownSession
            | WahaError::Busy
            | WahaError::KeyRefused { .. }
            | WahaError::NotSendable { .. }
            // A proxy has too much to do, or nobody behind it.
            | WahaError::Rejected { status: 408 | 429, .. }
            | WahaError::BrokenAnswer { status: 300..=499, .. }
            // When its restriction is over.
            | WahaError::ServerError { restriction: Some(_), .. }
    )
}
