//! Telling WAHA what to do with a session: what people's acts and wahana's own have in common.

use waha_client::{SessionConfig, SessionStatus, StartOutcome, WahaClient, WahaError, WahaSession};
use wahana_domain::{DesiredStatus, Session};
use wahana_store::upkeep::Upkeep;

use super::{
    hooking::{WantedWebhook, log_failure},
    update::as_map,
};
use crate::{
    ServiceError, Services,
    upstream::{Upstream, may_have_happened},
};

/// What is done to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    Stop,
    Restart,
    Logout,
    Delete,
    /// Its configuration is put right, and nothing else.
    Configure,
}

impl Action {
    pub(crate) const fn operation(self) -> &'static str {
        match self {
            Self::Start => "sessions.start",
            Self::Stop => "sessions.stop",
            Self::Restart => "sessions.restart",
            Self::Logout => "sessions.logout",
            Self::Delete => "sessions.delete",
            Self::Configure => "sessions.repair",
        }
    }

    /// Whether it makes a session run, which an operator may not want on its server.
    pub(super) const fn is_start(self) -> bool {
        matches!(self, Self::Start | Self::Restart)
    }

    /// What the organization wants from then on; `None` if it says nothing about that.
    pub(super) const fn wish(self) -> Option<DesiredStatus> {
        match self {
            Self::Start | Self::Restart => Some(DesiredStatus::Running),
            Self::Stop => Some(DesiredStatus::Stopped),
            Self::Logout | Self::Configure => None,
            Self::Delete => Some(DesiredStatus::Deleted),
        }
    }
}

/// What WAHA said of a session.
pub(crate) enum Said {
    /// This.
    Session(Box<WahaSession>),
    /// It does not know it.
    Gone,
    /// Nothing: WAHA's successes may be empty.
    Nothing,
}

impl From<Option<WahaSession>> for Said {
    fn from(said: Option<WahaSession>) -> Self {
        said.map_or(Self::Nothing, |session| Self::Session(Box::new(session)))
    }
}

/// What WAHA is asked to do to a session.
pub(crate) struct Call<'a> {
    upstream: &'a Upstream,
    session: &'a Session,
    /// The webhook that the session should have from then on.
    webhook: Option<WantedWebhook>,
    /// Whether WAHA is known to have it.
    has_webhook: bool,
    /// Whether the configuration is not what it should be, and may be written.
    has_drifted: bool,
}

/// How a session's configuration stands on WAHA.
enum OnWaha {
    /// It is as it should be.
    Sound,
    /// It is not, and this would be.
    Lacks { config: SessionConfig, is_stopped: bool },
    /// Nothing is to be written.
    LeftAlone,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        services: &Services,
        upstream: &'a Upstream,
        session: &'a Session,
        known: &Upkeep,
    ) -> Result<Self, ServiceError> {
        Ok(Self {
            upstream,
            session,
            webhook: WantedWebhook::of(services, session, known)?,
            has_webhook: false,
            has_drifted: known.drift.is_some() && !known.is_restricted(services.now()),
        })
    }

    /// The version of the webhook's key that WAHA has now, if that was found out.
    pub(crate) fn applied_webhook(&self) -> Option<i64> {
        let webhook = self.webhook.as_ref().filter(|_| self.has_webhook);
        webhook.map(WantedWebhook::version)
    }

    /// Does it.
    pub(crate) async fn act(&mut self, action: Action) -> Result<Said, WahaError> {
        match action {
            Action::Start => self.start().await,
            Action::Restart => self.restart().await,
            Action::Stop => self.stop().await,
            Action::Logout => self.logout().await,
            Action::Delete => {
                let (waha, name) = self.waha();
                waha.delete_session(name).await.map(|()| Said::Nothing)
            }
            Action::Configure => self.configure().await,
        }
    }

    fn waha(&self) -> (&'a WahaClient, &'a str) {
        (self.upstream.waha(), self.session.waha.name.as_str())
    }

    async fn start(&mut self) -> Result<Said, WahaError> {
        let (waha, name) = self.waha();
        // What is to be done next meets the same failure, and says it.
        if let Ok(OnWaha::Lacks {
            config,
            is_stopped: true,
        }) = self.look().await
        {
            match waha.update_session(name, &config).await {
                Ok(_) => self.note_written(),
                Err(error) => log_failure(self.session, &error),
            }
        }
        match waha.start_session(name).await {
            Ok(StartOutcome::Started(said)) => Ok(said.map_or(Said::Nothing, Said::Session)),
            Ok(StartOutcome::AlreadyRunning) => {
                let found = waha.session(name).await?;
                // For WAHA one that failed runs too, and only a restart brings it back.
                if found.status == SessionStatus::Failed {
                    return waha.restart_session(name).await.map(Said::from);
                }
                Ok(Said::Session(Box::new(found)))
            }
            Err(WahaError::UnknownSession) => self.make_again().await,
            Err(error) => Err(error),
        }
    }

    async fn restart(&mut self) -> Result<Said, WahaError> {
        let (waha, name) = self.waha();
        if let Ok(OnWaha::Lacks { config, is_stopped }) = self.look().await {
            match waha.update_session(name, &config).await {
                // WAHA restarts what runs by itself then.
                Ok(said) if !is_stopped => {
                    self.note_written();
                    return Ok(Said::from(said));
                }
                Ok(_) => self.note_written(),
                Err(error) if may_have_happened(&error) => return Err(error),
                Err(error) => log_failure(self.session, &error),
            }
        }
        match waha.restart_session(name).await {
            Err(WahaError::UnknownSession) => self.make_again().await,
            other => other.map(Said::from),
        }
    }

    async fn stop(&self) -> Result<Said, WahaError> {
        let (waha, name) = self.waha();
        // To stop what it does not know is a success without a body for WAHA 2026.2.1.
        let stopped = waha.stop_session(name).await?;
        Ok(stopped.map_or(Said::Gone, |said| Said::Session(Box::new(said))))
    }

    async fn logout(&self) -> Result<Said, WahaError> {
        let (waha, name) = self.waha();
        match waha.logout_session(name).await {
            // What is not there is not paired either.
            Err(WahaError::UnknownSession) => Ok(Said::Gone),
            other => other.map(Said::from),
        }
    }

    async fn configure(&mut self) -> Result<Said, WahaError> {
        match self.look().await? {
            OnWaha::Lacks { config, .. } => {
                let (waha, name) = self.waha();
                let said = waha.update_session(name, &config).await?;
                self.note_written();
                Ok(Said::from(said))
            }
            OnWaha::Sound | OnWaha::LeftAlone => Ok(Said::Nothing),
        }
    }

    /// Looks how the configuration stands, if anything of it may be to be written.
    async fn look(&mut self) -> Result<OnWaha, WahaError> {
        let (waha, name) = self.waha();
        let webhook = self.webhook.as_ref().filter(|webhook| webhook.may_be_written());
        if webhook.is_none() && !self.has_drifted {
            return Ok(OnWaha::LeftAlone);
        }
        let found = waha.session(name).await?;
        let present = found.config.unwrap_or_default();
        let mut config = present.clone();
        if self.has_drifted {
            config.merge(as_map(&self.session.configuration));
        }
        if let Some(webhook) = webhook {
            webhook.lay_over(&mut config);
        }
        if config != present {
            let is_stopped = found.status == SessionStatus::Stopped;
            return Ok(OnWaha::Lacks { config, is_stopped });
        }
        self.has_webhook = webhook.is_some();
        Ok(OnWaha::Sound)
    }

    /// What was written had the webhook in it, if it may be written.
    fn note_written(&mut self) {
        let webhook = self.webhook.as_ref();
        self.has_webhook = webhook.is_some_and(WantedWebhook::may_be_written);
    }

    async fn make_again(&mut self) -> Result<Said, WahaError> {
        let made = super::create::make(self.upstream, self.session, self.webhook.as_ref(), true).await;
        self.has_webhook = self.webhook.is_some() && made.is_ok();
        made.map(Said::from)
    }
}
