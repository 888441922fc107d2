//! Making deliveries of what has happened, for every organization that has endpoints.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wahana_domain::OrganizationId;
use wahana_store::{Tenant, Woken, webhooks};

use super::names::told_as;
use crate::{ServiceError, Services};

/// How often is looked for events of which this process was not told, because another wrote them.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long is waited after a look: what happens meanwhile is found together, and one organization's storm of events
/// does not ask the database again and again.
const GATHER: Duration = Duration::from_millis(20);
/// When so many organizations have new events, all are looked through instead of these.
const MOST_NAMED: usize = 500;
/// How many organizations are found at a look; each is served with one batch.
const ORGANIZATIONS: u64 = 500;
/// How many events become deliveries in one transaction.
const EVENTS: u64 = 200;

/// Makes deliveries of what happens, until told to stop. Several processes do not disturb each other.
pub async fn fan_out(services: &Services, stop: &CancellationToken) {
    let mut bell = services.store.watch_events();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Those of which one turn was not enough wait for the next one together with those that have new events.
    let mut unfinished = BTreeSet::new();
    loop {
        let has_unfinished = !unfinished.is_empty();
        let mut named = Some(std::mem::take(&mut unfinished));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = look.tick() => named = None,
            woken = bell.next() => match woken {
                Some(woken) => add(&mut named, woken),
                None => return,
            },
            () = std::future::ready(()), if has_unfinished => {}
        }
        while let Some(woken) = bell.try_next() {
            add(&mut named, woken);
        }
        let named = named.map(Vec::from_iter).filter(|named| named.len() < MOST_NAMED);
        unfinished = serve(services, named.as_deref(), stop).await;
        if unfinished.is_empty() {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Adds the one that has new events; after `None`, anybody may.
fn add(named: &mut Option<BTreeSet<OrganizationId>>, woken: Woken) {
    match woken {
        Woken::Organization(organization) => {
            named.as_mut().map(|named| named.insert(organization));
        }
        Woken::Everybody => *named = None,
    }
}

/// Gives each organization that has new events, of those that are named, one turn; says for which it was not enough.
async fn serve(
    services: &Services,
    named: Option<&[OrganizationId]>,
    stop: &CancellationToken,
) -> BTreeSet<OrganizationId> {
    let mut after = None;
    let mut unfinished = BTreeSet::new();
    loop {
        let tenants = match found(services, named, after).await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(error = %error, "events that are to be delivered could not be looked for");
                return unfinished;
            }
        };
        for tenant in &tenants {
            if stop.is_cancelled() {
                return unfinished;
            }
            let organization = tenant.organization_id();
            match serve_one(services, *tenant).await {
                Ok(true) => {
                    unfinished.insert(organization);
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(
                    organization.id = %organization,
                    error = %error,
                    "deliveries of events could not be made yet; they are tried again"
                ),
            }
        }
        match tenants.last() {
            Some(last) if u64::try_from(tenants.len()) == Ok(ORGANIZATIONS) => {
                after = Some(last.organization_id());
            }
            _ => return unfinished,
        }
    }
}

async fn found(
    services: &Services,
    named: Option<&[OrganizationId]>,
    after: Option<OrganizationId>,
) -> Result<Vec<Tenant>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx
        .organizations_with_new_events(named, after, ORGANIZATIONS)
        .await?)
}

/// Says whether the organization has more.
async fn serve_one(services: &Services, tenant: Tenant) -> Result<bool, ServiceError> {
    let tx = services.store.write(tenant).await?;
    let done = webhooks::fan_out(&tx, &told_as, EVENTS).await?;
    tx.commit().await?;
    if done.lost > 0 {
        tracing::warn!(
            organization.id = %tenant.organization_id(),
            events = done.lost,
            "events were deleted before they could be delivered to webhooks: nobody made deliveries for longer than \
             events are kept"
        );
    }
    if done.deliveries > 0 {
        services.webhooks.wake();
    }
    Ok(done.has_more)
}
