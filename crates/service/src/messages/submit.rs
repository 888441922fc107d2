//! Taking a message in: sending it while its caller waits, or writing it down to be sent later.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use wahana_domain::{
    AuditOutcome, DeliveryStatus, MessageId, Month, OutgoingMessage, PaceStep, Session, SessionId, Timestamp,
};
use wahana_store::{
    TenantTx, idempotency,
    messages::{self as stored, NewMessage},
    sessions, upkeep,
};

use super::{
    SentMessage,
    attempt::{Attempt, Sender, lease, not_sent},
    idempotency::{AnswerOf, Fingerprint, IdempotencyKey, KeptAnswer, Recognized, earlier},
    outgoing::{Outgoing, operation},
    pace,
    restriction::{self, Rest},
    waiting_file,
};
use crate::{
    ServiceError, Services,
    access::{Granted, SendMessages},
    audit,
    limits::{EffectiveLimits, MonthlyQuota, Permit, check_queue},
    ready::Ready,
    upstream::not_ready,
};

/// How long a caller waits who says nothing about it.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// How long a caller may wait at most: calls to WAHA end by then.
pub const LONGEST_WAIT: Duration = Duration::from_secs(55);
/// How long a message waits that is not to be sent at once, if nothing is said about it.
pub const DEFAULT_EXPIRY: Duration = Duration::from_hours(24);
/// How far ahead a message may be handed in.
pub const LONGEST_AHEAD: Duration = Duration::from_hours(24 * 90);
/// A message whose caller waits says by this much later than the caller's bound that nobody waits any more, for
/// when its process died.
const SLACK: Duration = Duration::from_secs(5);
/// How often is looked whose turn it is, behind what this process hears: another may have the session's lane.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The same while the session pauses.
const PAUSE_LOOK_EVERY: Duration = Duration::from_millis(500);
/// What the pace says of a message that nothing holds up.
const AT_ONCE: PaceStep = PaceStep::Send { is_typing: false };
/// When to come back to a session that had others to send.
const TURN_RETRY: Duration = Duration::from_secs(5);

/// When a message is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// While its caller waits, for so long at most.
    Now {
        /// How long.
        wait: Duration,
    },
    /// When its turn comes, and nobody waits.
    Later {
        /// Not before then; at once if it is not said.
        send_at: Option<Timestamp>,
        /// Not after then; a day later if it is not said.
        expires_at: Option<Timestamp>,
    },
}

/// How a message is to be sent.
#[derive(Clone)]
pub struct SendOptions {
    /// When.
    pub schedule: Schedule,
    /// By which key it is recognized if the request is made again.
    pub key: Option<IdempotencyKey>,
    /// Writes the answer about it.
    pub answer: AnswerOf,
}

/// What came of a request to send.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// WAHA took it, or it waits for its turn.
    Message(SentMessage),
    /// The request was made before, and this was the answer.
    Again(KeptAnswer),
}

/// A request to send.
pub(super) struct Request<'a> {
    pub(super) access: &'a Granted<SendMessages>,
    pub(super) session: SessionId,
    pub(super) writing: Writing,
}

impl<'a> Request<'a> {
    pub(super) fn new(
        services: &Services,
        access: &'a Granted<SendMessages>,
        session: SessionId,
        options: SendOptions,
        fingerprint: impl FnOnce() -> Fingerprint,
    ) -> Self {
        let SendOptions { key, answer, .. } = options;
        let recognized = key.map(|key| Recognized::new(key, fingerprint(), answer.clone()));
        let context = access.context();
        let sender = Sender {
            tenant: context.caller.tenant(),
            requester: context.requester(),
            origin: context.origin.clone(),
        };
        Self {
            access,
            session,
            writing: Writing {
                services: services.clone(),
                sender,
                limits: services.effective_limits(&context.caller.organization().limits),
                recognized,
                answer,
            },
        }
    }

    /// The answer to the same request, if it was made before.
    pub(super) async fn earlier(&self, bound: Duration) -> Result<Option<Submitted>, ServiceError> {
        let Some(recognized) = &self.writing.recognized else {
            return Ok(None);
        };
        let answer = earlier(&self.writing.services, self.access.tenant(), recognized, bound).await?;
        Ok(answer.map(Submitted::Again))
    }

    /// What to answer when another request with the same key was faster.
    async fn other_was_faster(&self, bound: Duration) -> Result<Submitted, ServiceError> {
        let earlier = self.earlier(bound).await?;
        earlier.ok_or_else(|| {
            ServiceError::IdempotencyConflict(
                "Another request with this Idempotency-Key ended at this moment. Ask again.".to_owned(),
            )
        })
    }

    /// Sends it while the caller waits. What was begun is brought to its end even if the caller hangs up, or does
    /// not wait so long.
    pub(super) async fn now(
        self,
        ready: Ready,
        permit: Permit,
        outgoing: Outgoing,
        wait: Duration,
    ) -> Result<Submitted, ServiceError> {
        let deadline = Instant::now() + wait;
        let services = &self.writing.services;
        let Ok(place) = timeout_at(deadline, services.queue.place(self.session)).await else {
            return Err(turn_did_not_come());
        };
        let (tell, mut begun) = watch::channel(None);
        let writing = self.writing.clone();
        let sent = services.to_the_end(Box::pin(async move {
            let Some(attempt) = writing.begin(ready, outgoing, wait, deadline).await? else {
                return Ok(None);
            };
            tell.send_replace(Some(attempt.written.message));
            let sent = attempt.make(permit).await;
            drop(place);
            sent.map(Some).map_err(|failure| failure.error)
        }));
        let sent = tokio::select! {
            sent = sent => sent?,
            message_id = outlasted(&mut begun, deadline) => {
                return Err(ServiceError::WahaTimeout { message_id });
            }
        };
        match sent {
            Some(sent) => Ok(Submitted::Message(sent)),
            None => self.other_was_faster(wait).await,
        }
    }

    /// Writes it down to be sent when its turn comes.
    pub(super) async fn later(
        self,
        outgoing: &Outgoing,
        send_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<Submitted, ServiceError> {
        match self
            .writing
            .enqueue(self.session, outgoing, send_at, expires_at)
            .await?
        {
            Some(message) => Ok(Submitted::Message(message)),
            None => self.other_was_faster(DEFAULT_WAIT).await,
        }
    }
}

/// Ends when a message was begun and the caller does not wait any longer for its outcome.
async fn outlasted(begun: &mut watch::Receiver<Option<MessageId>>, deadline: Instant) -> Option<MessageId> {
    let message = begun.wait_for(Option::is_some).await.map(|begun| *begun);
    let Ok(message) = message else {
        // It ended before it began, which its own outcome says.
        return std::future::pending().await;
    };
    sleep_until(deadline).await;
    message
}

fn turn_did_not_come() -> ServiceError {
    ServiceError::WahaUnavailable {
        message: "The session has other messages to send, and the turn of this one did not come in time. It was not \
                  sent. Try again later, or hand it in to be sent when its turn comes, with the header \
                  `Prefer: respond-async`."
            .to_owned(),
        retry_after: TURN_RETRY,
    }
}

/// The session's messages wait until a restriction of its number is over, and this one would come behind them.
fn queue_rests(session: &Session, rest: &Rest) -> ServiceError {
    let reason = &rest.reason;
    ServiceError::SessionNotReady {
        status: session.status,
        message: format!(
            "{reason} Other messages of the session wait for that, and this one was not sent. Hand it in to be sent \
             after them, with the header `Prefer: respond-async`."
        ),
    }
}

/// The session keeps pauses, and this message would come after the caller has gone.
fn pause_is_too_long(wait: Duration) -> ServiceError {
    ServiceError::WahaUnavailable {
        message: "The session pauses between its messages, and the turn of this one would not have come in time. It \
                  was not sent. Try again later, or hand it in to be sent when its turn comes, with the header \
                  `Prefer: respond-async`."
            .to_owned(),
        retry_after: wait,
    }
}

/// A message that has the session's lane.
struct Taken {
    attempt: stored::Attempt,
    /// When it was begun, as the clock measures.
    begun: Duration,
    /// Whether it is shown in the chat that it is being typed.
    is_typing: bool,
}

/// What is needed to write a message down.
#[derive(Clone)]
pub(super) struct Writing {
    services: Services,
    sender: Sender,
    limits: EffectiveLimits,
    recognized: Option<Recognized>,
    answer: AnswerOf,
}

impl Writing {
    /// Writes a message down and begins to hand it over as soon as its turn comes; `None` if another request with
    /// the same key was faster.
    async fn begin(
        &self,
        ready: Ready,
        outgoing: Outgoing,
        wait: Duration,
        deadline: Instant,
    ) -> Result<Option<Attempt>, ServiceError> {
        let services = &self.services;
        let key = super::own_key(services, &ready, &outgoing).await;
        if Instant::now() >= deadline {
            return Err(turn_did_not_come());
        }
        let tx = services.store.write(self.sender.tenant).await?;
        let now = tx.now();
        let mut message = message(ready.session.id, &outgoing, now);
        message.expires_at = Some(now.plus(wait + SLACK));
        let begun = services.store.clock().elapsed();
        let content = outgoing.content()?;
        let new = NewMessage {
            message: &message,
            content: &content,
            requester: &self.sender.requester,
            key: key.as_deref(),
        };
        // Others who want the session's lane wait, so that two of them do not take it.
        let session = sessions::lock(&tx, message.session_id).await?;
        let session = session.ok_or(ServiceError::SessionNotFound)?;
        if !session.status.is_working() {
            return Err(not_ready(session.status));
        }
        let goes_at_once = !stored::has_others_before(&tx, message.session_id, now).await?
            && pace::step(&tx, &session, &message, outgoing.letters()).await? == AT_ONCE;
        let written = if goes_at_once {
            let written = stored::begin(&tx, &new, &lease(services, now)).await?;
            pace::pause(&tx, &session).await?;
            Some(written)
        } else {
            let upkeep = upkeep::get(&tx, session.id).await?;
            if let Some(rest) = restriction::rest(&upkeep, now) {
                return Err(queue_rests(&session, &rest));
            }
            stored::enqueue(&tx, &new).await?;
            None
        };
        if !self
            .finish(tx, &message, &outgoing, written.is_none(), None)
            .await?
        {
            return Ok(None);
        }
        let taken = if let Some(attempt) = written {
            Taken {
                attempt,
                begun,
                is_typing: false,
            }
        } else {
            let letters = outgoing.letters();
            self.turn_of(&message, letters, &ready, key.as_deref(), deadline)
                .await?
        };
        Ok(Some(Attempt {
            services: services.clone(),
            sender: self.sender.clone(),
            ready,
            outgoing,
            written: taken.attempt,
            key,
            month: Month::of(message.created_at),
            begun: taken.begun,
            is_typing: taken.is_typing,
            is_asynchronous: false,
            answer: self.recognized.as_ref().map(|_| self.answer.clone()),
        }))
    }

    /// Writes down what belongs to every new message, and commits; says whether it was new.
    async fn finish(
        &self,
        tx: TenantTx,
        message: &OutgoingMessage,
        outgoing: &Outgoing,
        waits: bool,
        answer: Option<&KeptAnswer>,
    ) -> Result<bool, ServiceError> {
        if let Some(recognized) = &self.recognized {
            let (key, fingerprint) = (recognized.key.as_str(), &recognized.fingerprint);
            if !idempotency::reserve(&tx, key, fingerprint, message.id).await? {
                return Ok(false);
            }
            if let Some(answer) = answer {
                idempotency::answer(&tx, message.id, answer).await?;
            }
        }
        waiting_file::attach(&tx, outgoing, message).await?;
        let operation = operation(message.kind);
        let intent = AuditOutcome::Intent;
        audit::record_for(&tx, &self.sender.actor(), operation, message.session_id, intent).await?;
        // Last, because others of the organization wait for it until the commit.
        MonthlyQuota::count(&tx, &self.limits).await?;
        if waits {
            check_queue(&tx, &self.limits).await?;
        }
        if let Some(file) = outgoing.file() {
            file.upload.claim();
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Waits until it is the turn of a message; takes it back if that is not in time.
    async fn turn_of(
        &self,
        message: &OutgoingMessage,
        letters: Option<usize>,
        ready: &Ready,
        key: Option<&str>,
        deadline: Instant,
    ) -> Result<Taken, ServiceError> {
        let services = &self.services;
        loop {
            let freed = services.queue.freed();
            let tx = services.store.write(self.sender.tenant).await?;
            let session = match sessions::lock(&tx, message.session_id).await? {
                None => Err(ServiceError::SessionNotFound),
                Some(session) if !session.status.is_working() => Err(not_ready(session.status)),
                Some(_) if Instant::now() >= deadline => Err(turn_did_not_come()),
                Some(session) => Ok(session),
            };
            let session = match session {
                Ok(session) => session,
                Err(refusal) => return self.take_back(tx, message, refusal).await,
            };
            let begun = services.store.clock().elapsed();
            let step = pace::step(&tx, &session, message, letters).await?;
            if let PaceStep::Wait(wait) | PaceStep::ShowTyping(wait) = step
                && Instant::now() + wait > deadline
            {
                return self.take_back(tx, message, pause_is_too_long(wait)).await;
            }
            let mut look_after = LOOK_EVERY;
            match step {
                PaceStep::Send { is_typing } => {
                    let lease = lease(services, tx.now());
                    if let Some(attempt) = stored::claim(&tx, message, key, &lease).await? {
                        pace::pause(&tx, &session).await?;
                        tx.commit().await?;
                        return Ok(Taken {
                            attempt,
                            begun,
                            is_typing,
                        });
                    }
                    drop(tx);
                }
                PaceStep::ShowTyping(typing) => {
                    if pace::note_typing(&tx, message, typing).await? {
                        tx.commit().await?;
                        pace::start_typing(ready, &message.chat_id).await;
                        continue;
                    }
                    drop(tx);
                }
                PaceStep::Wait(wait) => {
                    drop(tx);
                    look_after = wait.min(PAUSE_LOOK_EVERY);
                }
            }
            tokio::select! {
                () = freed => {}
                () = sleep(look_after) => {}
            }
        }
    }

    /// Makes sure that a message is never sent which waits, and says why.
    async fn take_back<T>(
        &self,
        tx: TenantTx,
        message: &OutgoingMessage,
        why: ServiceError,
    ) -> Result<T, ServiceError> {
        if stored::cancel(&tx, message.id, &why.to_string()).await? {
            not_sent(&tx, message.id, Month::of(message.created_at)).await?;
            let failure = audit::failure(why.code());
            let operation = operation(message.kind);
            audit::record_for(&tx, &self.sender.actor(), operation, message.session_id, failure).await?;
            tx.commit().await?;
        }
        Err(why)
    }

    async fn enqueue(
        &self,
        session: SessionId,
        outgoing: &Outgoing,
        send_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
    ) -> Result<Option<SentMessage>, ServiceError> {
        let content = outgoing.content()?;
        let tx = self.services.store.write(self.sender.tenant).await?;
        let now = tx.now();
        let mut message = message(session, outgoing, now);
        message.due_at = send_at.map_or(now, |at| at.max(now));
        message.expires_at = Some(expires_at.unwrap_or_else(|| message.due_at.plus(DEFAULT_EXPIRY)));
        message.is_asynchronous = true;
        let new = NewMessage {
            message: &message,
            content: &content,
            requester: &self.sender.requester,
            key: None,
        };
        stored::enqueue(&tx, &new).await?;
        let queued = SentMessage::of(&message);
        let answer = self.recognized.as_ref().map(|_| (self.answer)(&queued));
        if !self.finish(tx, &message, outgoing, true, answer.as_ref()).await? {
            return Ok(None);
        }
        if message.due_at <= now {
            self.services.queue.wake(self.sender.tenant, session);
        }
        Ok(Some(queued))
    }
}

/// A message that waits for its turn from now on.
fn message(session_id: SessionId, outgoing: &Outgoing, now: Timestamp) -> OutgoingMessage {
    OutgoingMessage {
        id: MessageId::new(),
        session_id,
        chat_id: outgoing.to().clone(),
        kind: outgoing.kind(),
        status: DeliveryStatus::Queued,
        waha_message_id: None,
        due_at: now,
        expires_at: None,
        is_asynchronous: false,
        reason: None,
        sent_at: None,
        created_at: now,
        updated_at: now,
    }
}
