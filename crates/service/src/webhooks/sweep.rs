//! Deliveries that nobody would come back to.
//!
//! What waits for an endpoint that is disabled is given up by whoever disables it, in steps, of which the last may never
//! be reached. When a delivery is due was written down by somebody's clock, which may have been far ahead.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wahana_store::{StrandedEndpoint, webhooks};

use super::endpoints::give_up_waiting;
use crate::{ServiceError, Services};

const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How many endpoints are found at once.
const FOUND_AT_ONCE: u64 = 100;

/// Looks for such deliveries until told to stop. Several processes do not disturb each other.
pub(super) async fn sweep(services: &Services, stop: &CancellationToken) {
    let mut look = tokio::time::interval(SWEEP_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let found = match found(services).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %error, "deliveries that nobody comes back to could not be looked for");
                continue;
            }
        };
        for stranded in found {
            if stop.is_cancelled() {
                return;
            }
            if let Err(error) = set_right(services, stranded).await {
                tracing::warn!(
                    organization.id = %stranded.tenant.organization_id(),
                    webhook.id = %stranded.endpoint,
                    error = %error,
                    "deliveries that nobody comes back to could not be set right; they are tried again"
                );
            }
        }
    }
}

async fn found(services: &Services) -> Result<Vec<StrandedEndpoint>, ServiceError> {
    let tx = services.store.platform_read().await?;
    Ok(tx.endpoints_with_stranded_deliveries(FOUND_AT_ONCE).await?)
}

async fn set_right(services: &Services, stranded: StrandedEndpoint) -> Result<(), ServiceError> {
    if !stranded.is_enabled {
        return give_up_waiting(services, stranded.tenant, stranded.endpoint).await;
    }
    let tx = services.store.write(stranded.tenant).await?;
    let hastened = webhooks::hasten_waiting(&tx, stranded.endpoint).await?;
    tx.commit().await?;
    if hastened > 0 {
        tracing::warn!(
            organization.id = %stranded.tenant.organization_id(),
            webhook.id = %stranded.endpoint,
            deliveries = hastened,
            "deliveries would have waited longer than any does: a clock was wrong. They are tried now"
        );
        services.webhooks.wake();
    }
    Ok(())
}
