//! Deliveries, as the organization looks at them and asks for them again.

use wahana_domain::{
    EndpointState, WebhookAttempt, WebhookDelivery, WebhookDeliveryId, WebhookEndpoint, WebhookEndpointId,
};
use wahana_store::{
    TenantTx,
    organization_events::EventRange,
    webhooks::{self, DeliveryQuery, Replayed},
};

use super::{
    endpoints::{locked, may_be_told},
    names::{TEST, told_as},
};
use crate::{
    ServiceError, Services,
    access::{Granted, ManageWebhooks, Owned},
    audit,
};

/// How many attempts of a delivery are shown.
const ATTEMPTS: u64 = 100;
/// How many events are looked at in one transaction to be delivered again, and for how many such in one call.
const EVENTS: u64 = 500;
const TRANSACTIONS: usize = 20;

/// A page of deliveries and where the next one begins.
#[derive(Debug)]
pub struct DeliveryPage {
    /// The deliveries, newest first.
    pub deliveries: Vec<WebhookDelivery>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<WebhookDeliveryId>,
}

/// A page of an endpoint's deliveries.
pub async fn page(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
    query: DeliveryQuery,
) -> Result<DeliveryPage, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let one_more = DeliveryQuery {
        limit: query.limit + 1,
        // The endpoint may have been told of others before.
        sessions: access.session_limit(),
        ..query
    };
    let mut deliveries = webhooks::page(&tx, endpoint.id, &one_more).await?;
    let has_more = u64::try_from(deliveries.len()).unwrap_or(u64::MAX) > query.limit;
    if has_more {
        deliveries.pop();
    }
    let last = deliveries.last().filter(|_| has_more);
    Ok(DeliveryPage {
        next: last.map(|delivery| delivery.id),
        deliveries,
    })
}

/// The attempts of a delivery, newest first. What receivers answered, which may be what they were told, is only for who
/// may be told it.
pub async fn attempts(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    delivery: &Owned<WebhookDelivery>,
) -> Result<Vec<WebhookAttempt>, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let mut attempts = webhooks::attempts_of(&tx, delivery.id, ATTEMPTS).await?;
    let endpoint = webhooks::endpoint(&tx, delivery.endpoint_id).await?;
    let endpoint = endpoint.ok_or(ServiceError::NotFound("Delivery"))?;
    if !delivery.is_test() && !may_be_told(access, endpoint.style, &delivery.event_name) {
        for attempt in &mut attempts {
            attempt.answer = None;
        }
    }
    Ok(attempts)
}

/// Delivers a test.
pub async fn test(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
) -> Result<WebhookDelivery, ServiceError> {
    let tx = services.store.write(access.tenant()).await?;
    let endpoint = enabled(&tx, access, endpoint.id).await?;
    let delivery = webhooks::send_test(&tx, endpoint.id, TEST).await?;
    audit::record_success(&tx, access.context(), "webhooks.test").await?;
    tx.commit().await?;
    services.webhooks.wake();
    Ok(delivery)
}

/// Delivers something again, whatever became of it.
pub async fn replay(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    delivery: &Owned<WebhookDelivery>,
) -> Result<WebhookDelivery, ServiceError> {
    let not_found = || ServiceError::NotFound("Delivery");
    let tx = services.store.write(access.tenant()).await?;
    enabled(&tx, access, delivery.endpoint_id).await?;
    if !webhooks::replay_delivery(&tx, delivery.id).await? {
        return Err(not_found());
    }
    let delivery = webhooks::delivery(&tx, delivery.id)
        .await?
        .ok_or_else(not_found)?;
    audit::record_success(&tx, access.context(), "webhooks.deliveries.replay").await?;
    tx.commit().await?;
    services.webhooks.wake();
    Ok(delivery)
}

/// Delivers everything again that has failed until now; says how much that is.
pub async fn replay_failed(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
) -> Result<Replayed, ServiceError> {
    let until = services.now();
    let mut whole = Replayed {
        deliveries: 0,
        next_number: None,
    };
    loop {
        let tx = services.store.write(access.tenant()).await?;
        let endpoint = enabled(&tx, access, endpoint.id).await?;
        let some = webhooks::replay_failed(&tx, endpoint.id, until, EVENTS).await?;
        if whole.deliveries == 0 {
            audit::record_success(&tx, access.context(), "webhooks.replay").await?;
        }
        tx.commit().await?;
        services.webhooks.wake();
        whole.deliveries += some;
        if some < EVENTS {
            return Ok(whole);
        }
    }
}

/// Delivers the endpoint's events of a range, whether they were delivered before or not. Of a long range only the
/// beginning; the answer says where to go on.
pub async fn replay_range(
    services: &Services,
    access: &Granted<ManageWebhooks>,
    endpoint: &Owned<WebhookEndpoint>,
    mut range: EventRange,
) -> Result<Replayed, ServiceError> {
    let mut whole = Replayed {
        deliveries: 0,
        next_number: None,
    };
    for transaction in 0..TRANSACTIONS {
        let tx = services.store.write(access.tenant()).await?;
        let endpoint = enabled(&tx, access, endpoint.id).await?;
        let some = webhooks::replay_range(&tx, &endpoint, &range, &told_as, EVENTS).await?;
        if transaction == 0 {
            audit::record_success(&tx, access.context(), "webhooks.replay").await?;
        }
        tx.commit().await?;
        services.webhooks.wake();
        whole.deliveries += some.deliveries;
        whole.next_number = some.next_number;
        match some.next_number {
            Some(next) => range.from_number = next,
            None => break,
        }
    }
    Ok(whole)
}

/// The endpoint, locked, if it gets anything. It is not left alone any more either.
async fn enabled(
    tx: &TenantTx,
    access: &Granted<ManageWebhooks>,
    id: WebhookEndpointId,
) -> Result<WebhookEndpoint, ServiceError> {
    let endpoint = locked(tx, access, id).await?;
    if endpoint.state == EndpointState::Disabled {
        return Err(ServiceError::conflict(
            "The webhook is disabled. Enable it first (PATCH with \"state\": \"enabled\").",
        ));
    }
    webhooks::end_pause(tx, id).await?;
    Ok(endpoint)
}
