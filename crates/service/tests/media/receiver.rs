//! A receiver of webhooks, as far as the database knows of it.

use std::time::Duration;

use wahana_domain::{CustomHeader, WebhookEndpoint, WebhookEndpointId, WebhookSecret, WebhookStyle};
use wahana_store::{
    organization_events::WrittenEvent,
    webhooks::{self, AttemptEnd, AttemptOutcome, NewEndpoint},
};

use crate::world::{Place, World};

/// What is behind the host of its address, which nobody else knows.
pub(crate) const PATH: &str = "a-path-that-lets-in";

pub(crate) fn endpoint() -> NewEndpoint {
    NewEndpoint {
        url: format!("https://receiver.example/{PATH}"),
        description: None,
        style: WebhookStyle::Standard,
        events: None,
        sessions: None,
        headers: vec![CustomHeader::parse("x-key", PATH).unwrap()],
        secret: WebhookSecret::generate(),
        created_by: None,
    }
}

/// Told of what happens from now on.
pub(crate) struct Receiver(WebhookEndpointId);

impl Receiver {
    pub(crate) async fn of(world: &World<'_>, place: &Place) -> Self {
        let tx = world.store.write(place.tenant).await.unwrap();
        let endpoint = webhooks::insert(&tx, &endpoint()).await.unwrap();
        tx.commit().await.unwrap();
        Self(endpoint.id)
    }

    /// Is told of what it was not told of, answers with a text, and that ends so.
    pub(crate) async fn answer(
        &self,
        world: &World<'_>,
        place: &Place,
        answer: &str,
        outcome: AttemptOutcome,
    ) {
        fn told_as(_: &WebhookEndpoint, event: &WrittenEvent) -> Vec<String> {
            vec![event.event_type.clone()]
        }
        let tx = world.store.write(place.tenant).await.unwrap();
        assert!(webhooks::fan_out(&tx, &told_as, 100).await.unwrap().deliveries > 0);
        tx.commit().await.unwrap();
        let tx = world.store.write(place.tenant).await.unwrap();
        let until = tx.now().plus(Duration::from_mins(2));
        let claimed = webhooks::claim(&tx, self.0, 100, until).await.unwrap().unwrap();
        let ends = claimed.deliveries.iter().map(|delivery| AttemptEnd {
            claimed: delivery.clone(),
            started_at: tx.now(),
            duration: Duration::from_millis(12),
            status: Some(200),
            error: None,
            answer: Some(answer.to_owned()),
            outcome,
            was_sent: true,
            not_before: None,
        });
        let ends: Vec<_> = ends.collect();
        webhooks::conclude(&tx, &claimed.endpoint, &ends).await.unwrap();
        tx.commit().await.unwrap();
    }
}
