//! Taking events in: many that arrive together share a transaction, and each is answered after its commit.

mod batch;
mod queue;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio_util::task::TaskTracker;
use waha_client::events::{BrokenEnvelope, EventEnvelope, verify};
use wahana_domain::Timestamp;
use wahana_store::{Hook, HookKeyId, Store, StoreError};

use self::queue::{Queue, Waiting};
use super::{Wake, is_timely};
use crate::{ServiceError, Services};

/// The count of events by what became of them.
pub(super) const EVENTS: &str = "wahana_waha_events_total";

/// What came in at a hook.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The hook.
    pub hook: Hook,
    /// Which of its keys the address names.
    pub key: HookKeyId,
    /// What is said to be the body's signature.
    pub signature: &'a str,
    /// The body, as it was sent.
    pub body: &'a [u8],
}

/// What became of an event that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, now or since an earlier delivery.
    Stored,
    /// The server's session belongs to nobody here, so nothing was stored.
    OfNobody,
}

/// Why an event was not believed. Nothing of it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature is missing or wrong, or the key that the address names is none.
    #[error("the signature does not belong to the body and the hook's key")]
    Signature,
    /// The server does not exist or was removed.
    #[error("there is no such WAHA server any more")]
    UnknownServer,
    /// The key was valid once.
    #[error("the hook's key is older than the one before the present one")]
    RetiredKey,
    /// It is no event of WAHA's.
    #[error("the body is no event of WAHA's: {0}")]
    Broken(#[from] BrokenEnvelope),
    /// Its session is another one than the hook's.
    #[error("the event is of another session than the hook")]
    OtherSession,
    /// It happened longer ago than WAHA keeps trying.
    #[error("the event is too old")]
    TooOld,
    /// It has not happened yet.
    #[error("the event is of a later time than now; the clocks differ")]
    FromTheFuture,
}

impl Refusal {
    /// The word for it in counts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "wrong_signature",
            Self::UnknownServer => "unknown_server",
            Self::RetiredKey => "retired_key",
            Self::Broken(_) => "broken",
            Self::OtherSession => "other_session",
            Self::TooOld => "too_old",
            Self::FromTheFuture => "from_the_future",
        }
    }
}

/// How long is waited to see whether events come in.
const GIVE_WAY: Duration = Duration::from_millis(10);
/// How often at most.
const GIVE_WAY_AT_MOST: u32 = 25;
/// So many in that time hold nobody up.
const FEW: u64 = 2;

/// What a batch says of one of its events.
type Verdict = Result<Taken, Refusal>;

/// Takes an event in. The inner result says whether it was believed, the outer one whether that could be
/// found out: when our own storage is away it could not, and WAHA tries again.
pub async fn take(
    services: &Services,
    delivery: Delivery<'_>,
) -> Result<Result<Taken, Refusal>, ServiceError> {
    let verdict = match read(services, delivery) {
        Ok(arrived) => services.intake.take(arrived).await,
        Err(refusal) => Ok(Err(refusal)),
    };
    match &verdict {
        // Stored events are counted with their batch, where new and repeated ones can be told apart.
        Ok(Ok(Taken::Stored)) => {}
        Ok(Ok(Taken::OfNobody)) => count("of_nobody", 1),
        Ok(Err(refusal)) => count(refusal.as_str(), 1),
        Err(_) => count("not_stored", 1),
    }
    verdict
}

fn count(outcome: &'static str, events: u64) {
    metrics::counter!(EVENTS, "outcome" => outcome).increment(events);
}

/// Believes a delivery as far as its signature goes, before anything of it is parsed.
fn read(services: &Services, delivery: Delivery<'_>) -> Result<Arrived, Refusal> {
    let Delivery {
        hook,
        key,
        signature,
        body,
    } = delivery;
    let secret: SecretString = services
        .store
        .hook_key(hook, key)
        .map_err(|_| Refusal::Signature)?;
    verify(&secret, body, signature).map_err(|_| Refusal::Signature)?;
    let text = std::str::from_utf8(body).map_err(|_| BrokenEnvelope::Shape)?;
    let envelope = EventEnvelope::parse(text)?;
    let happened_at = envelope
        .timestamp
        .checked_mul(1000)
        .map(Timestamp::from_micros)
        .ok_or(Refusal::FromTheFuture)?;
    is_timely(happened_at, services.now())?;
    Ok(Arrived {
        hook,
        key_version: key.version,
        event_id: envelope.id.into_owned(),
        kind: envelope.event.as_str().to_owned(),
        waha_name: envelope.session.into_owned(),
        happened_at,
        payload: text.to_owned(),
    })
}

/// An event whose signature is right.
struct Arrived {
    hook: Hook,
    key_version: i64,
    event_id: String,
    kind: String,
    waha_name: String,
    happened_at: Timestamp,
    payload: String,
}

/// Writes events that arrive together in one transaction. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Intake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    wake: Wake,
    queue: Queue,
    running: TaskTracker,
}

impl Intake {
    /// Stores into this store and wakes whoever applies; `running` is waited for at the end.
    pub(crate) fn new(store: Store, wake: Wake, running: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            store,
            wake,
            queue: Queue::default(),
            running,
        }))
    }

    /// Waits while many events come in, for a moment at most: their senders wait for an answer, and whoever
    /// applies events has time.
    pub(crate) async fn give_way(&self) {
        let mut arrived = self.0.queue.arrived();
        for _ in 0..GIVE_WAY_AT_MOST {
            tokio::time::sleep(GIVE_WAY).await;
            let now = self.0.queue.arrived();
            if now.saturating_sub(arrived) <= FEW {
                return;
            }
            arrived = now;
        }
    }

    async fn take(&self, arrived: Arrived) -> Result<Verdict, ServiceError> {
        let (waiting, answer) = Waiting::new(arrived);
        // Whoever finds nobody writing begins to; what arrives meanwhile waits for the next transaction.
        // The writing is a task of its own, so that a caller who hangs up takes no other's event along.
        if self.0.queue.push(waiting)? {
            let inner = self.0.clone();
            self.0.running.spawn(async move { inner.write().await });
        }
        match answer.await {
            Ok(verdict) => Ok(verdict?),
            Err(_) => Err(ServiceError::Internal(
                "the intake of events broke off".to_owned(),
            )),
        }
    }
}

impl Inner {
    /// Writes until nothing waits.
    async fn write(&self) {
        let turn = self.queue.writing();
        loop {
            // Those who were answered just now may have sent the next one already: one transaction for all.
            tokio::task::yield_now().await;
            let Some(waiting) = turn.next_batch() else {
                return;
            };
            let (arrived, answers): (Vec<_>, Vec<_>) = waiting.into_iter().map(Waiting::split).unzip();
            match self.store(&arrived).await {
                Ok(verdicts) => {
                    for (answer, verdict) in answers.into_iter().zip(verdicts) {
                        answer.send(Ok(verdict));
                    }
                }
                Err(error) if error.is_unavailable() || arrived.len() == 1 => {
                    for answer in answers {
                        answer.send(Err(error.clone()));
                    }
                }
                // One that cannot be stored must not take the others with it.
                Err(_) => {
                    for (one, answer) in arrived.into_iter().zip(answers) {
                        let alone = self.store(&[one]).await;
                        answer.send(alone.map(|verdicts| match verdicts.first() {
                            Some(verdict) => *verdict,
                            None => Ok(Taken::OfNobody),
                        }));
                    }
                }
            }
        }
    }

    async fn store(&self, arrived: &[Arrived]) -> Result<Vec<Verdict>, StoreError> {
        batch::store(&self.store, &self.wake, arrived).await
    }
}
