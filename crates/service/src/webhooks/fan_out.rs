//! Making deliveries of what has happened, for every organization that has endpoints.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wahana_domain::OrganizationId;
use wahana_store::{Tenant, webhooks};

use super::names::told_as;
use crate::{ServiceError, Services};

/// How often is looked for events of which this process was not told, because another wrote them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long is waited after a look: what happens meanwhile is found together, and one organization's storm of events
/// does not ask the database again and again.
const GATHER: Duration = Duration::from_millis(20);
/// How many organizations are found at a look; each is served with one batch.
const ORGANIZATIONS: u64 = 500;
/// How many events become deliveries in one transaction.
const EVENTS: u64 = 200;

/// Makes deliveries of what happens, until told to stop. Several processes do not disturb each other.
pub async fn fan_out(services: &Services, stop: &CancellationToken) {
    let mut bell = services.store.watch_events();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            woken = bell.next() => if woken.is_none() { return },
            _ = look.tick() => {}
        }
        while bell.try_next().is_some() {}
        serve(services, stop).await;
        tokio::time::sleep(GATHER).await;
    }
}

/// Gives each organization that has new events a turn, and then again those of which one turn was not enough.
async fn serve(services: &Services, stop: &CancellationToken) {
    let mut after = None;
    let mut has_more = false;
    loop {
        let tenants = match found(services, after).await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(error = %error, "events that are to be delivered could not be looked for");
                return;
            }
        };
        for tenant in &tenants {
            if stop.is_cancelled() {
                return;
            }
            match serve_one(services, *tenant).await {
                Ok(more) => has_more |= more,
                Err(error) => tracing::warn!(
                    organization.id = %tenant.organization_id(),
                    error = %error,
                    "deliveries of events could not be made yet; they are tried again"
                ),
            }
        }
        let is_last = tenants.len() < usize::try_from(ORGANIZATIONS).unwrap_or(usize::MAX);
        after = tenants
            .last()
            .filter(|_| !is_last)
            .map(|last| last.organization_id());
        if is_last && !std::mem::take(&mut has_more) {
            return;
        }
    }
}

async fn found(services: &Services, after: Option<OrganizationId>) -> Result<Vec<Tenant>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.organizations_with_new_events(after, ORGANIZATIONS).await?)
}

async fn serve_one(services: &Services, tenant: Tenant) -> Result<bool, ServiceError> {
    let tx = services.store.write(tenant).await?;
    let done = webhooks::fan_out(&tx, &told_as, EVENTS).await?;
    tx.commit().await?;
    if done.deliveries > 0 {
        services.webhooks.wake();
    }
    Ok(done.has_more)
}
