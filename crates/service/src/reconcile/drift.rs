//! Sessions whose configuration on WAHA is not what it should be.

use std::{collections::HashMap, sync::PoisonError};

use wahana_store::{Lease, ServerInCare, SessionOnServer, upkeep};

use super::{Care, Reconciler};
use crate::{
    ServiceError, events::has_webhook_of, sessions::lacking, sync::Configurations, upstream::refused_by_waha,
};

/// How what drifted is told; the fields follow.
const DIFFERS: &str = "On WAHA these settings are not what was set here: ";

impl Reconciler {
    /// Compares the configurations that have changed since they were last compared with what is wanted, and writes
    /// down what differs. Asks WAHA once more if there are any, and not otherwise.
    pub(super) async fn look_for_drift(
        &self,
        server: &ServerInCare,
        lease: &Lease,
        care: &Care,
    ) -> Result<(), ServiceError> {
        let services = &self.0.services;
        let present = services.sync.configurations(server.id);
        let checked = care.checked();
        if present.equal(&checked) {
            return Ok(());
        }
        let tx = services.store.platform_read().await?;
        let known = tx.sessions_on_server(server.id).await?;
        let upkeep = tx.upkeep_on_server(server.id).await?;
        drop(tx);
        let changed: HashMap<&str, &SessionOnServer> = known
            .iter()
            .map(|known| (known.session.waha.name.as_str(), known))
            .filter(|(name, _)| present.differs_since(&checked, name))
            .collect();
        if !changed.is_empty() {
            let upstream = services.upstreams.get(server.id).await?;
            let listed = upstream.waha().list_sessions_with_config().await;
            for listed in listed.map_err(|error| refused_by_waha(&error))? {
                let Some(known) = changed.get(listed.name.as_str()) else {
                    continue;
                };
                let session = &known.session;
                let upkeep = upkeep.get(&session.id);
                let config = listed.config.unwrap_or_default();
                let mut lacking = lacking(&session.configuration, &config);
                // One that never had the webhook gets it at its next start, or is taken over.
                let had_webhook = upkeep.is_some_and(|upkeep| upkeep.hook.applied_version.is_some());
                let should_have_it = had_webhook && services.settings.hook_url.is_some();
                if should_have_it && !has_webhook_of(session, &config) {
                    lacking.push("webhooks (wahana's own)".to_owned());
                }
                let drift = (!lacking.is_empty()).then(|| format!("{DIFFERS}{}.", lacking.join(", ")));
                if upkeep.and_then(|upkeep| upkeep.drift.as_ref()) == drift.as_ref() {
                    continue;
                }
                let Some(tx) = self.0.leadership.write(lease, known.tenant).await? else {
                    return Ok(());
                };
                upkeep::set_drift(&tx, session.id, drift.as_deref()).await?;
                tx.commit().await?;
                if let Some(drift) = drift {
                    tracing::warn!(
                        organization.id = %session.organization_id,
                        session.id = %session.id,
                        server.name = server.name,
                        "a session's configuration has drifted. {drift}"
                    );
                }
            }
        }
        care.set_checked(present);
        Ok(())
    }
}

impl Care {
    fn checked(&self) -> Configurations {
        let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.clone()
    }

    fn set_checked(&self, configurations: Configurations) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = configurations;
    }
}
