//! Giving WAHA a session's webhook when it is started anyway: WAHA restarts a running phone that it gets
//! another configuration for.

use waha_client::{SessionConfig, SessionStatus, WahaClient, WahaError};
use wahana_domain::{Session, SessionOrigin};
use wahana_store::hooks::SessionHook;

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
        known: &SessionHook,
    ) -> Result<Option<Self>, ServiceError> {
        // What others configured gets it only by being taken over.
        let is_ours = session.origin == SessionOrigin::Created || known.applied_version.is_some();
        let may_be_written = is_ours && !known.is_restricted(services.now());
        let webhook = Webhook::of(services, session, known.version)?;
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

    /// Puts it into a configuration that is written anyway; says whether it is in there then.
    pub(super) fn join(&self, config: &mut SessionConfig) -> bool {
        if self.may_be_written {
            self.webhook.lay_over(config);
        }
        self.may_be_written
    }

    /// Looks whether a session has it on WAHA.
    pub(super) async fn look(&self, waha: &WahaClient, name: &str) -> OnWaha {
        if !self.may_be_written {
            return OnWaha::LeftAlone;
        }
        match waha.session(name).await {
            Ok(found) => {
                let is_stopped = found.status == SessionStatus::Stopped;
                let mut config = found.config.unwrap_or_default();
                if self.webhook.lay_over(&mut config) {
                    OnWaha::Lacks { config, is_stopped }
                } else {
                    OnWaha::Has
                }
            }
            // What is to be done next will meet the same, and says it.
            Err(_) => OnWaha::LeftAlone,
        }
    }
}

/// How a session's webhook stands on WAHA.
pub(super) enum OnWaha {
    /// It is there.
    Has,
    /// It is not, and this would be the configuration with it.
    Lacks { config: SessionConfig, is_stopped: bool },
    /// It may not be written, or WAHA does not describe the session.
    LeftAlone,
}

/// Says that WAHA did not take a configuration with the webhook; the session is started without it.
pub(super) fn log_failure(session: &Session, error: &WahaError) {
    tracing::warn!(
        session.id = %session.id,
        error.kind = error.kind(),
        error = %error,
        "WAHA did not take a session's webhook; its next start tries again"
    );
}
