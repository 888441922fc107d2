//! Requests that are made again with the same key: what was done once is not done twice, and what was answered is
//! answered again.

use std::{fmt, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use wahana_domain::{DeliveryStatus, MessageId, SessionId, Timestamp};
pub use wahana_store::idempotency::KeptAnswer;
use wahana_store::{Tenant, idempotency, messages};

use super::{SentMessage, submit::Schedule};
use crate::{ServiceError, Services};

/// How often is looked what became of the request that runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Writes the answer about a message, so that it is given again to the byte.
pub type AnswerOf = Arc<dyn Fn(&SentMessage) -> KeptAnswer + Send + Sync>;

/// The key that a caller chose for a request.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The longest key, in characters.
const LONGEST: usize = 255;

/// The text cannot be a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {LONGEST} visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Checks a key.
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let is_visible = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if is_visible && (1..=LONGEST).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIdempotencyKey)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Callers may put anything into it.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({} characters)", self.0.len())
    }
}

/// What a request is, as a hash: the same again has the same, another has another.
#[derive(Clone)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    pub(super) fn new(operation: &str, session: SessionId) -> Self {
        Self(Sha256::new())
            .with(Some("organization"))
            .with(Some(operation))
            .with(Some(session.as_uuid().as_bytes()))
    }

    /// With one more part, which may be absent. Each part carries its length, so that no two lists of parts look
    /// alike.
    pub(super) fn with(mut self, part: Option<impl AsRef<[u8]>>) -> Self {
        match part {
            None => self.0.update([0]),
            Some(part) => {
                let part = part.as_ref();
                self.0.update([1]);
                self.0.update(part.len().to_be_bytes());
                self.0.update(part);
            }
        }
        self
    }

    /// With when it is to be sent; how long its caller waits makes no difference.
    pub(super) fn scheduled(self, schedule: Schedule) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.as_micros().to_be_bytes());
        match schedule {
            Schedule::Now { .. } => self.with(Some("now")),
            Schedule::Later { send_at, expires_at } => self
                .with(Some("later"))
                .with(time(send_at))
                .with(time(expires_at)),
        }
    }

    fn finish(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// A request that is recognized when it is made again.
#[derive(Clone)]
pub(super) struct Recognized {
    pub(super) key: IdempotencyKey,
    pub(super) fingerprint: Vec<u8>,
    pub(super) answer: AnswerOf,
}

impl Recognized {
    pub(super) fn new(key: IdempotencyKey, fingerprint: Fingerprint, answer: AnswerOf) -> Self {
        Self {
            key,
            fingerprint: fingerprint.finish(),
            answer,
        }
    }
}

/// What was answered before, if the request was made before; waits for one that still runs, for `bound` at most.
///
/// # Errors
///
/// [`ServiceError::IdempotencyConflict`] if the key is another request's, or the first does not end in time;
/// [`ServiceError::WahaTimeout`] if it is not known what became of it.
pub(super) async fn earlier(
    services: &Services,
    tenant: Tenant,
    request: &Recognized,
    bound: Duration,
) -> Result<Option<KeptAnswer>, ServiceError> {
    let deadline = tokio::time::Instant::now() + bound;
    loop {
        match look(services, tenant, request).await? {
            Earlier::None => return Ok(None),
            Earlier::Answered(answer) => return Ok(Some(answer)),
            Earlier::Unknown(message) => {
                return Err(ServiceError::WahaTimeout {
                    message_id: Some(message),
                });
            }
            Earlier::Runs => {}
        }
        if tokio::time::Instant::now() + LOOK_EVERY > deadline {
            return Err(ServiceError::IdempotencyConflict(
                "The first request with this Idempotency-Key still runs. Ask again in a moment.".to_owned(),
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

enum Earlier {
    None,
    Answered(KeptAnswer),
    Unknown(MessageId),
    Runs,
}

async fn look(services: &Services, tenant: Tenant, request: &Recognized) -> Result<Earlier, ServiceError> {
    let tx = services.store.read(tenant).await?;
    let Some(known) = idempotency::find(&tx, request.key.as_str()).await? else {
        return Ok(Earlier::None);
    };
    if known.fingerprint != request.fingerprint {
        return Err(ServiceError::IdempotencyConflict(
            "This Idempotency-Key was used for another request. Choose another key for each message."
                .to_owned(),
        ));
    }
    if let Some(answer) = known.answer {
        return Ok(Earlier::Answered(answer));
    }
    let Some(message) = messages::get(&tx, known.message).await? else {
        return Ok(Earlier::None);
    };
    drop(tx);
    Ok(match message.status {
        DeliveryStatus::Queued | DeliveryStatus::Sending => Earlier::Runs,
        DeliveryStatus::Unknown => Earlier::Unknown(message.id),
        // Its end was written down and its answer was not: the process died between the two, or WAHA's outcome
        // was learned of later.
        _ => {
            let answer = (request.answer)(&SentMessage::of(&message));
            let tx = services.store.write(tenant).await?;
            idempotency::answer(&tx, message.id, &answer).await?;
            tx.commit().await?;
            Earlier::Answered(answer)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_and_not_too_long() {
        assert!(IdempotencyKey::parse("8f14e45f-ceea").is_ok());
        assert!(IdempotencyKey::parse(&"x".repeat(255)).is_ok());
        for wrong in ["", "a\nb", "ü", &"x".repeat(256)] {
            assert_eq!(
                IdempotencyKey::parse(wrong),
                Err(InvalidIdempotencyKey),
                "{wrong:?}"
            );
        }
        let shown = format!("{:?}", IdempotencyKey::parse("secret").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn no_two_requests_look_alike() {
        let session = SessionId::new();
        let of = |parts: &[Option<&str>]| {
            let begin = Fingerprint::new("send", session);
            parts.iter().fold(begin, |print, part| print.with(*part)).finish()
        };
        let all = [
            of(&[]),
            of(&[None]),
            of(&[Some("")]),
            of(&[Some("a"), Some("b")]),
            of(&[Some("ab")]),
            of(&[Some("ab"), None]),
            Fingerprint::new("send", SessionId::new()).finish(),
            Fingerprint::new("other", session).finish(),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
        assert_eq!(of(&[Some("a")]), of(&[Some("a")]));
    }
}
