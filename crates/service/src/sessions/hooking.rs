//! Giving WAHA a session's webhook when it is started anyway: WAHA restarts a running phone that it gets
//! another configuration for.

use waha_client::{SessionConfig, WahaError};
use wahana_domain::{Session, SessionOrigin};
use wahana_store::upkeep::Upkeep;

use crate::{ServiceError, Services, events::Webhook};

/// The webhook that a session should have.
pub(super) struct WantedWebhook {
    webhook: Webhook,
    /// Whether a configuration that is on WAHA may get it.
    may_be_written: bool,
}

impl WantedWebhook {
    /// Of a session that is to be started; `None` if wahana takes no events.
    pub(super) fn of(
        services: &Services,
        session: &Session,
        known: &Upkeep,
    ) -> Result<Option<Self>, ServiceError> {
        // What others configured gets it only by being taken over.
        let is_ours = session.origin == SessionOrigin::Created || known.hook.applied_version.is_some();
        let may_be_written = is_ours && !known.is_restricted(services.now());
        let webhook = Webhook::of(services, session, known.hook.version)?;
        Ok(webhook.map(|webhook| Self {
            webhook,
            may_be_written,
        }))
    }

    /// The version of its key.
    pub(super) const fn version(&self) -> i64 {
        self.webhook.version()
    }

    /// Puts it into the configuration of a session that is made.
    pub(super) fn lay_over(&self, config: &mut SessionConfig) {
        self.webhook.lay_over(config);
    }

    /// Whether a configuration that is on WAHA may get it.
    pub(super) const fn may_be_written(&self) -> bool {
        self.may_be_written
    }

    /// Puts it into a configuration that is written anyway; says whether it is in there then.
    pub(super) fn join(&self, config: &mut SessionConfig) -> bool {
        if self.may_be_written {
            self.webhook.lay_over(config);
        }
        self.may_be_written
    }
}

/// Says that WAHA did not take a configuration; the session is started with the one that it has.
pub(super) fn log_failure(session: &Session, error: &WahaError) {
    tracing::warn!(
        session.id = %session.id,
        error.kind = error.kind(),
        error = %error,
        "WAHA did not take a session's configuration; its next start tries again"
    );
}
