//! Events on their way to one client.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use wahana_service::{
    Caller, PresentedCredential, ServiceError, Services,
    access::still_holds,
    organization_events::{Subscription, Told},
};

/// How often is looked whether the caller would still be let in. Credentials are believed for four seconds, so that
/// together it is less than five.
const CHECK_EVERY: Duration = Duration::from_millis(750);
/// How often something is sent at least, or proxies on the way would take the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long is waited before the database is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// When a client connects again whose connection broke off, in milliseconds.
const RETRY_MS: u32 = 2000;

/// Events on their way to one client.
pub(super) struct EventStream {
    services: Services,
    presented: PresentedCredential,
    caller: Caller,
    subscription: Subscription,
    check: Interval,
    heartbeat: Interval,
    has_begun: bool,
}

impl EventStream {
    pub(super) fn new(
        services: Services,
        presented: PresentedCredential,
        caller: Caller,
        subscription: Subscription,
    ) -> Self {
        Self {
            services,
            presented,
            caller,
            subscription,
            check: every(CHECK_EVERY),
            heartbeat: every(HEARTBEAT),
            has_begun: false,
        }
    }

    /// The body of the answer.
    pub(super) fn into_chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_chunk().await?;
            Some((Ok(Bytes::from(chunk)), stream))
        })
    }

    /// What is sent next; `None` at the end.
    async fn next_chunk(&mut self) -> Option<String> {
        if !self.has_begun {
            self.has_begun = true;
            // A client that loses the connection before the first event goes on from here.
            return Some(format!(
                "retry: {RETRY_MS}\nid: {}\n\n",
                self.subscription.position()
            ));
        }
        let ending = self.subscription.ending().clone();
        loop {
            tokio::select! {
                biased;
                () = ending.cancelled() => return None,
                _ = self.check.tick() => {
                    // Boxed, because thousands of streams wait and few of them look at a time.
                    if !Box::pin(self.may_go_on()).await {
                        return None;
                    }
                }
                told = self.subscription.next() => match told {
                    Ok(told) => {
                        self.heartbeat.reset();
                        return Some(written(&told));
                    }
                    Err(error) => self.wait_for_database(&error).await,
                },
                // The number tells a client how far it has come although nothing was for it.
                _ = self.heartbeat.tick() => {
                    return Some(format!(": still here\nid: {}\n\n", self.subscription.position()));
                }
            }
        }
    }

    /// What cannot be looked up does not hold: the client connects again and is told why not.
    async fn may_go_on(&self) -> bool {
        still_holds(&self.services, &self.presented, &self.caller)
            .await
            .unwrap_or(false)
    }

    async fn wait_for_database(&self, error: &ServiceError) {
        tracing::warn!(
            organization.id = %self.caller.organization().id,
            error = %error,
            "events could not be read for a stream; it waits"
        );
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn written(told: &Told) -> String {
    match told {
        Told::Event(event) => {
            let name = event
                .event_type
                .map_or("message", wahana_domain::EventType::as_str);
            format!("id: {}\nevent: {name}\ndata: {}\n\n", event.number, event.json)
        }
        Told::Reset(last) => {
            format!("id: {last}\nevent: reset\ndata: {{\"last_event_number\":{last}}}\n\n")
        }
    }
}
