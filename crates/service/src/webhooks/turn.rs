//! What is done for an endpoint when it is its turn: some of its deliveries are taken, tried, and what came of it is
//! written down. No transaction is open while the receiver is waited for.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use wahana_domain::{
    AuditOutcome, ENDPOINT_PATIENCE, EndpointState, Happening, NewOrganizationEvent, Timestamp,
    WebhookDelivery, WebhookEndpoint, WebhookStyle, organization_event::DisabledEndpoint,
};
use wahana_store::{
    DueEndpoint, TenantTx, organization_events,
    webhooks::{
        self, AttemptEnd, AttemptOutcome, ClaimedDelivery, ClaimedEndpoint, Signing, claim, conclude,
        give_back,
    },
};

use super::{
    bodies::{Body, Untellable, bodies},
    sending::{Attempted, Sending},
};
use crate::{ServiceError, Services, audit};

/// How many deliveries are taken at once, and how many of them are tried at the same time.
const TAKEN: u64 = 32;
const AT_ONCE: usize = 8;
/// The same for an endpoint whose last attempt failed.
const TAKEN_WHILE_FAILING: u64 = 4;
const AT_ONCE_WHILE_FAILING: usize = 1;
/// How long they are kept for that: each round of tries takes fifteen seconds at most.
const LEASE: Duration = Duration::from_mins(2);
/// Nothing is begun any more when so little of that is left.
const LAST_MOMENT: Duration = Duration::from_secs(30);
/// Waits are longer by up to this part, so that what failed together does not come again together.
const JITTER: f64 = 0.1;
/// A receiver says by this status that it does not want any more (Standard Webhooks).
const GONE: u16 = 410;

pub(super) const ATTEMPTS: &str = "wahana_webhook_attempts_total";
/// The operation under which the audit log says that an endpoint was disabled.
const AUDIT_OPERATION: &str = "webhooks.disable";

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Some deliveries were tried; there may be more.
    Went {
        /// Whether the endpoint takes nothing.
        is_failing: bool,
    },
    /// There was nothing to try.
    Nothing,
    /// Something is wrong here.
    Hindered,
}

/// A delivery with what it says.
struct Told {
    claimed: ClaimedDelivery,
    body: Result<Body, Untellable>,
}

/// What became of it.
enum Tried {
    Ended(AttemptEnd),
    /// It was not begun.
    Left(ClaimedDelivery),
}

/// Tries some deliveries of an endpoint.
pub(super) async fn take(
    services: &Services,
    due: DueEndpoint,
    stop: &CancellationToken,
) -> Result<Turn, ServiceError> {
    let (taken, at_once) = if due.is_failing {
        (TAKEN_WHILE_FAILING, AT_ONCE_WHILE_FAILING)
    } else {
        (TAKEN, AT_ONCE)
    };
    let tx = services.store.write(due.tenant).await?;
    let until = tx.now().plus(LEASE);
    let claimed = claim(&tx, due.endpoint, taken, until).await?;
    tx.commit().await?;
    let Some(claimed) = claimed.filter(|claimed| !claimed.deliveries.is_empty()) else {
        return Ok(Turn::Nothing);
    };
    let ClaimedEndpoint {
        endpoint,
        signing,
        deliveries,
    } = claimed;
    let told = tell(services, due, &endpoint, deliveries).await?;
    let attempts = Attempts {
        services,
        endpoint: &endpoint,
        signing: &signing,
        begin_until: until.minus(LAST_MOMENT),
        stop,
    };
    let mut tried = stream::iter(told)
        .map(|told| attempts.attempt(told))
        .buffer_unordered(at_once)
        .ready_chunks(usize::try_from(taken).unwrap_or(AT_ONCE));
    let mut turn = Turn::Nothing;
    while let Some(some) = tried.next().await {
        match write_down(services, due, some).await {
            Ok(is_failing) => turn = Turn::Went { is_failing },
            // They are tried again when their time is over. The others go on.
            Err(error) => tracing::warn!(
                organization.id = %due.tenant.organization_id(),
                webhook.id = %due.endpoint,
                error = %error,
                "what came of deliveries could not be written down"
            ),
        }
    }
    Ok(turn)
}

async fn tell(
    services: &Services,
    due: DueEndpoint,
    endpoint: &WebhookEndpoint,
    deliveries: Vec<ClaimedDelivery>,
) -> Result<Vec<Told>, ServiceError> {
    let tx = services.store.read(due.tenant).await?;
    let untold: Vec<_> = deliveries.iter().map(|claimed| &claimed.delivery).collect();
    let bodies = bodies(&tx, endpoint, &untold).await?;
    let told = deliveries.into_iter().zip(bodies);
    Ok(told.map(|(claimed, body)| Told { claimed, body }).collect())
}

/// What all attempts of a turn share.
struct Attempts<'a> {
    services: &'a Services,
    endpoint: &'a WebhookEndpoint,
    signing: &'a Signing,
    begin_until: Timestamp,
    stop: &'a CancellationToken,
}

impl Attempts<'_> {
    async fn attempt(&self, Told { claimed, body }: Told) -> Tried {
        let started_at = self.services.now();
        if self.stop.is_cancelled() || started_at > self.begin_until {
            return Tried::Left(claimed);
        }
        let was_sent = body.is_ok();
        let (attempted, is_final) = match body {
            Ok(body) => {
                let sending = self.sending(&claimed.delivery, body);
                (self.services.webhooks.sender().send(&sending).await, false)
            }
            Err(why) => (untold(why), why.is_final()),
        };
        let outcome = if attempted.is_delivered() {
            AttemptOutcome::Delivered
        } else if is_final {
            AttemptOutcome::Failed
        } else {
            next(&claimed.delivery, self.services.now())
        };
        counter!(ATTEMPTS, "outcome" => word(outcome)).increment(1);
        Tried::Ended(AttemptEnd {
            claimed,
            started_at,
            duration: attempted.duration,
            status: attempted.status,
            error: attempted.error,
            answer: attempted.answer,
            outcome,
            was_sent,
        })
    }

    fn sending(&self, delivery: &WebhookDelivery, body: Body) -> Sending {
        Sending {
            url: self.endpoint.url.clone(),
            style: self.endpoint.style,
            secrets: self.signing.secrets.clone(),
            headers: self.signing.headers.clone(),
            id: match self.endpoint.style {
                WebhookStyle::Standard => delivery.event_id.to_string(),
                // One event may be told under several names.
                WebhookStyle::Waha => delivery.id.to_string(),
            },
            body: body.json.into_bytes(),
            happened_at: body.happened_at,
        }
    }
}

/// An attempt at which there was nothing to send.
fn untold(why: Untellable) -> Attempted {
    Attempted {
        status: None,
        error: Some(why.to_string()),
        answer: None,
        duration: Duration::ZERO,
    }
}

/// What becomes of a delivery that the receiver did not take.
fn next(delivery: &WebhookDelivery, now: Timestamp) -> AttemptOutcome {
    match WebhookDelivery::retry_after(delivery.attempts) {
        Some(wait) => AttemptOutcome::RetryAt(now.plus(wait.mul_f64(1.0 + JITTER * rand::random::<f64>()))),
        None => AttemptOutcome::Failed,
    }
}

const fn word(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Delivered => "delivered",
        AttemptOutcome::RetryAt(_) => "retried",
        AttemptOutcome::Failed => "failed",
    }
}

/// Writes down what came of deliveries, and disables an endpoint that has taken nothing for too long. Says whether it
/// takes nothing.
async fn write_down(services: &Services, due: DueEndpoint, tried: Vec<Tried>) -> Result<bool, ServiceError> {
    let (mut ends, mut left) = (Vec::new(), Vec::new());
    for tried in tried {
        match tried {
            Tried::Ended(end) => ends.push(end),
            Tried::Left(claimed) => left.push(claimed),
        }
    }
    let tx = services.store.write(due.tenant).await?;
    let Some(endpoint) = conclude(&tx, due.endpoint, &ends).await? else {
        return Ok(true);
    };
    give_back(&tx, &left).await?;
    if let Some(reason) = why_disabled(&endpoint, &ends, tx.now()) {
        disable(&tx, &endpoint, reason).await?;
    }
    tx.commit().await?;
    Ok(endpoint.failing_since.is_some())
}

fn why_disabled(endpoint: &WebhookEndpoint, ends: &[AttemptEnd], now: Timestamp) -> Option<&'static str> {
    if endpoint.state == EndpointState::Disabled {
        return None;
    }
    if ends.iter().any(|end| end.status == Some(GONE)) {
        return Some("The receiver answered that it does not want any more (410).");
    }
    let since = endpoint.failing_since?;
    (now.since(since) >= ENDPOINT_PATIENCE).then_some("Nothing could be delivered for five days.")
}

async fn disable(tx: &TenantTx, endpoint: &WebhookEndpoint, reason: &str) -> Result<(), ServiceError> {
    if !webhooks::disable(tx, endpoint.id, reason).await? {
        return Ok(());
    }
    let happening = Happening::WebhookEndpointDisabled(DisabledEndpoint {
        endpoint_id: endpoint.id,
        reason: reason.to_owned(),
    });
    organization_events::raise(
        tx,
        NewOrganizationEvent {
            session: None,
            message: None,
            happened_at: tx.now(),
            happening,
        },
    );
    audit::record_by_system(tx, AUDIT_OPERATION, None, AuditOutcome::Success).await
}

#[cfg(test)]
mod tests {
    use wahana_domain::{DeliveryState, EventId, WebhookDeliveryId, WebhookEndpointId};

    use super::*;

    #[test]
    fn waits_are_those_of_the_schedule_and_a_little_longer() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let delivery = |attempts| WebhookDelivery {
            id: WebhookDeliveryId::new(),
            endpoint_id: WebhookEndpointId::new(),
            event_number: 1,
            event_name: "session.qr".to_owned(),
            event_id: EventId::new(),
            state: DeliveryState::Waiting,
            attempts,
            next_attempt_at: None,
            last_status: None,
            last_error: None,
            created_at: now,
            updated_at: now,
        };
        for (attempts, seconds) in [(1, 5), (2, 300), (3, 1800), (4, 7200), (7, 36_000)] {
            let AttemptOutcome::RetryAt(at) = next(&delivery(attempts), now) else {
                panic!("it was given up after {attempts}");
            };
            let wait = at.since(now);
            let scheduled = Duration::from_secs(seconds);
            assert!(
                wait >= scheduled && wait <= scheduled.mul_f64(1.0 + JITTER),
                "{wait:?}"
            );
        }
        assert_eq!(next(&delivery(8), now), AttemptOutcome::Failed);
    }
}
