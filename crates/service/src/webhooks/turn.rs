//! What is done for an endpoint when it is its turn: some of its deliveries are taken, tried, and what came of it is
//! written down. No transaction is open while the receiver is waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use metrics::counter;
use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use wahana_domain::{
    Ability, AuditOutcome, ENDPOINT_PATIENCE, EndpointState, Happening, LONGEST_PAUSE, NewOrganizationEvent,
    Timestamp, WebhookDelivery, WebhookEndpoint, WebhookStyle, organization_event::DisabledEndpoint,
};
use wahana_store::{
    DueEndpoint, TenantTx, organization_events,
    webhooks::{self, AttemptEnd, AttemptOutcome, ClaimedDelivery, Signing, claim, conclude, give_back},
};

use super::{
    bodies::{Body, Untellable, bodies},
    endpoints::give_up_waiting,
    names::ability,
    sending::{Attempted, Sending},
};
use crate::{ServiceError, Services, audit};

/// How many deliveries are taken at once, and how many of them are tried at the same time.
const TAKEN: u64 = 32;
const AT_ONCE: usize = 8;
/// How many are taken for an endpoint whose last attempt failed: whether it takes anything again, one says as well.
const TAKEN_WHILE_FAILING: u64 = 1;
/// For how long attempts are begun with what was known at the beginning of the turn: what is suspended, deleted, disabled
/// or changed meanwhile gets nothing that is begun later.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// For how long deliveries are kept for that: an attempt takes fifteen seconds at most, and is then written down.
const LEASE: Duration = Duration::from_mins(1);
/// An endpoint whose turn takes so long is a slow one.
const SLOW: Duration = Duration::from_secs(5);
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
        /// Whether it takes long over it.
        is_slow: bool,
    },
    /// There was nothing to try.
    Nothing,
    /// Something is wrong here.
    Hindered,
}

/// What became of a delivery.
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
    let taken = if due.is_failing {
        TAKEN_WHILE_FAILING
    } else {
        TAKEN
    };
    let began = services.store.clock().elapsed();
    let tx = services.store.write(due.tenant).await?;
    let claimed = claim(&tx, due.endpoint, taken, tx.now().plus(LEASE)).await?;
    tx.commit().await?;
    let Some(mut claimed) = claimed.filter(|claimed| !claimed.deliveries.is_empty()) else {
        return Ok(Turn::Nothing);
    };
    let deliveries = std::mem::take(&mut claimed.deliveries);
    let told = match tell(services, due, &claimed.endpoint, &deliveries).await {
        Ok(told) => told,
        Err(error) => {
            let tx = services.store.write(due.tenant).await?;
            give_back(&tx, &deliveries).await?;
            tx.commit().await?;
            return Err(error);
        }
    };
    let attempts = Arc::new(Attempts {
        services: services.clone(),
        endpoint: claimed.endpoint,
        signing: claimed.signing,
        keeps_message_texts: claimed.keeps_message_texts,
        begin_until: began + BEGIN_WITHIN,
        is_asked_to_pause: AtomicBool::new(false),
        stop: stop.clone(),
    });
    // Each is a task of its own: while something is written down here, the others are still listened to.
    let mut tried = stream::iter(deliveries.into_iter().zip(told))
        .map(|(claimed, body)| {
            let attempts = attempts.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { attempts.attempt(claimed, body).await }))
        })
        .buffer_unordered(AT_ONCE)
        .ready_chunks(usize::try_from(taken).unwrap_or(AT_ONCE));
    let mut is_failing = due.is_failing;
    while let Some(some) = tried.next().await {
        let written = write_down(services, due, &attempts.endpoint, some).await;
        match written {
            Ok(takes_nothing) => is_failing = takes_nothing,
            // They are tried again when their time is over. The others go on.
            Err(error) => tracing::warn!(
                organization.id = %due.tenant.organization_id(),
                webhook.id = %due.endpoint,
                error = %error,
                "what came of deliveries could not be written down"
            ),
        }
    }
    let took = services.store.clock().elapsed().saturating_sub(began);
    Ok(Turn::Went {
        is_failing,
        is_slow: is_failing || took >= SLOW,
    })
}

async fn tell(
    services: &Services,
    due: DueEndpoint,
    endpoint: &WebhookEndpoint,
    deliveries: &[ClaimedDelivery],
) -> Result<Vec<Result<Body, Untellable>>, ServiceError> {
    let tx = services.store.read(due.tenant).await?;
    let untold: Vec<_> = deliveries.iter().map(|claimed| &claimed.delivery).collect();
    bodies(&tx, endpoint, &untold, &services.media_links).await
}

/// What all attempts of a turn share.
struct Attempts {
    services: Services,
    endpoint: WebhookEndpoint,
    signing: Signing,
    keeps_message_texts: bool,
    /// As the clock measures.
    begin_until: Duration,
    /// Whether the receiver asked to be left alone.
    is_asked_to_pause: AtomicBool,
    stop: CancellationToken,
}

impl Attempts {
    async fn attempt(&self, claimed: ClaimedDelivery, body: Result<Body, Untellable>) -> Tried {
        let is_over = self.stop.is_cancelled()
            || self.is_asked_to_pause.load(Ordering::Relaxed)
            || self.services.store.clock().elapsed() > self.begin_until;
        if is_over {
            return Tried::Left(claimed);
        }
        let started_at = self.services.now();
        let was_sent = body.is_ok();
        let (attempted, is_final) = match body {
            Ok(body) => {
                let sending = self.sending(&claimed.delivery, body);
                (self.services.webhooks.sender().send(&sending).await, false)
            }
            Err(why) => (untold(why), why.is_final()),
        };
        let now = self.services.now();
        let asked = attempted.retry_after.map(|asked| asked.min(LONGEST_PAUSE));
        if asked.is_some() {
            self.is_asked_to_pause.store(true, Ordering::Relaxed);
        }
        let outcome = if attempted.is_delivered() {
            AttemptOutcome::Delivered
        } else if is_final {
            AttemptOutcome::Failed
        } else {
            next(&claimed.delivery, asked, now)
        };
        counter!(ATTEMPTS, "outcome" => word(outcome)).increment(1);
        let answer = attempted
            .answer
            .filter(|_| self.keeps_message_texts || !self.tells_of_message(&claimed.delivery));
        Tried::Ended(AttemptEnd {
            claimed,
            started_at,
            duration: attempted.duration,
            status: attempted.status,
            error: attempted.error,
            answer,
            outcome,
            was_sent,
            not_before: asked.map(|asked| now.plus(asked)),
        })
    }

    /// Whether what is sent says what a message says, which receivers may answer with.
    fn tells_of_message(&self, delivery: &WebhookDelivery) -> bool {
        ability(self.endpoint.style, &delivery.event_name) == Some(Ability::MessagesRead)
    }

    fn sending(&self, delivery: &WebhookDelivery, body: Body) -> Sending {
        Sending {
            url: self.endpoint.url.clone(),
            style: self.endpoint.style,
            secrets: self.signing.secrets.clone(),
            attempt: delivery.attempts,
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
        retry_after: None,
        duration: Duration::ZERO,
    }
}

/// What becomes of a delivery that the receiver did not take. It may ask to be left alone for longer than the schedule
/// says, but not for longer than the schedule ever does.
fn next(delivery: &WebhookDelivery, asked: Option<Duration>, now: Timestamp) -> AttemptOutcome {
    match WebhookDelivery::retry_after(delivery.attempts) {
        Some(scheduled) => {
            let wait = asked.unwrap_or_default().max(scheduled);
            AttemptOutcome::RetryAt(now.plus(wait.mul_f64(1.0 + JITTER * rand::random::<f64>())))
        }
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
async fn write_down(
    services: &Services,
    due: DueEndpoint,
    endpoint: &WebhookEndpoint,
    tried: Vec<Result<Tried, JoinError>>,
) -> Result<bool, ServiceError> {
    let (mut ends, mut left) = (Vec::new(), Vec::new());
    for tried in tried {
        match tried {
            Ok(Tried::Ended(end)) => ends.push(end),
            Ok(Tried::Left(claimed)) => left.push(claimed),
            Err(error) => tracing::error!(
                webhook.id = %due.endpoint,
                error = %error,
                "an attempt to deliver broke off; it is made again when its time is over"
            ),
        }
    }
    let tx = services.store.write(due.tenant).await?;
    let tried = endpoint;
    let Some(endpoint) = conclude(&tx, tried, &ends).await? else {
        return Ok(true);
    };
    give_back(&tx, &left).await?;
    let reason = why_disabled(tried, &endpoint, &ends, tx.now());
    if let Some(reason) = reason {
        disable(&tx, &endpoint, reason).await?;
    }
    tx.commit().await?;
    if reason.is_some() {
        give_up_waiting(services, due.tenant, due.endpoint).await?;
    }
    Ok(endpoint.failing_since.is_some())
}

/// Why an endpoint is to be disabled, by what came of tries at it as it was then.
fn why_disabled(
    tried: &WebhookEndpoint,
    endpoint: &WebhookEndpoint,
    ends: &[AttemptEnd],
    now: Timestamp,
) -> Option<&'static str> {
    if endpoint.state == EndpointState::Disabled || endpoint.updated_at != tried.updated_at {
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
            session_id: None,
            state: DeliveryState::Waiting,
            attempts,
            next_attempt_at: None,
            last_status: None,
            last_error: None,
            created_at: now,
            updated_at: now,
        };
        let minutes = |minutes| Some(Duration::from_mins(minutes));
        for (attempts, asked, seconds) in [
            (1, None, 5),
            (2, None, 300),
            (3, None, 1800),
            (4, None, 7200),
            (7, None, 36_000),
            (1, minutes(2), 120),
            (3, minutes(2), 1800),
        ] {
            let AttemptOutcome::RetryAt(at) = next(&delivery(attempts), asked, now) else {
                panic!("it was given up after {attempts}");
            };
            let wait = at.since(now);
            let scheduled = Duration::from_secs(seconds);
            assert!(
                wait >= scheduled && wait <= scheduled.mul_f64(1.0 + JITTER),
                "{wait:?}"
            );
        }
        assert_eq!(next(&delivery(8), minutes(2), now), AttemptOutcome::Failed);
    }
}
