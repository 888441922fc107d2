//! Starting, stopping, restarting, logging out and deleting.
//!
//! The intent is written before WAHA is called and the outcome after it. What WAHA did, or may have
//! done, becomes the organization's wish; what it did not see or refused changes nothing.

use std::sync::Arc;

use waha_client::{StartOutcome, WahaClient, WahaError, WahaSession};
use wahana_domain::{AuditOutcome, DesiredStatus, Session, Timestamp};
use wahana_store::{hooks, sessions as stored};

use super::hooking::{OnWaha, WantedWebhook, log_failure};
use crate::{
    Context, ServiceError, Services,
    access::{Granted, ManageSessions, Owned},
    audit,
    sync::{self, observe},
    upstream::{Upstream, may_have_happened, refused_session},
};

/// What is done to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Start,
    Stop,
    Restart,
    Logout,
    Delete,
}

impl Action {
    const fn operation(self) -> &'static str {
        match self {
            Self::Start => "sessions.start",
            Self::Stop => "sessions.stop",
            Self::Restart => "sessions.restart",
            Self::Logout => "sessions.logout",
            Self::Delete => "sessions.delete",
        }
    }

    /// What the organization wants from then on; `None` if it says nothing about that.
    const fn wish(self) -> Option<DesiredStatus> {
        match self {
            Self::Start | Self::Restart => Some(DesiredStatus::Running),
            Self::Stop => Some(DesiredStatus::Stopped),
            Self::Logout => None,
            Self::Delete => Some(DesiredStatus::Deleted),
        }
    }
}

/// What WAHA said of a session.
enum Said {
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

/// Starts a session; one that runs already goes on. One that WAHA lost is made again.
pub async fn start(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
) -> Result<Arc<Session>, ServiceError> {
    act(services, access, session, Action::Start).await
}

/// Stops a session; it stays paired.
pub async fn stop(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
) -> Result<Arc<Session>, ServiceError> {
    act(services, access, session, Action::Stop).await
}

/// Stops and starts a session. One that WAHA lost is made again.
pub async fn restart(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
) -> Result<Arc<Session>, ServiceError> {
    act(services, access, session, Action::Restart).await
}

/// Ends a session's pairing with its phone.
pub async fn logout(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
) -> Result<Arc<Session>, ServiceError> {
    act(services, access, session, Action::Logout).await
}

/// Deletes a session on WAHA and here. Its name is free again.
pub async fn delete(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
) -> Result<(), ServiceError> {
    act(services, access, session, Action::Delete).await.map(drop)
}

async fn act(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
    action: Action,
) -> Result<Arc<Session>, ServiceError> {
    let (context, session) = (access.context().clone(), session.clone());
    let own = services.clone();
    services
        .to_the_end(async move { act_on_waha(&own, &context, &session, action).await })
        .await
}

async fn act_on_waha(
    services: &Services,
    context: &Context,
    session: &Session,
    action: Action,
) -> Result<Arc<Session>, ServiceError> {
    let upstream = services.upstreams.get(session.waha.server).await?;
    let tx = services.store.write(context.caller.tenant()).await?;
    audit::record(
        &tx,
        context,
        action.operation(),
        Some(session.id),
        AuditOutcome::Intent,
    )
    .await?;
    let hook = hooks::get(&tx, session.id).await?;
    tx.commit().await?;

    let webhook = match action {
        Action::Start | Action::Restart => WantedWebhook::of(services, session, &hook)?,
        Action::Stop | Action::Logout | Action::Delete => None,
    };
    let mut call = Call {
        upstream: &upstream,
        session,
        webhook,
        has_webhook: false,
    };
    let outcome = call.act(action).await;
    let answered_at = services.now();
    let applied = call.webhook.as_ref().filter(|_| call.has_webhook);
    if let Some(webhook) = applied {
        let tx = services.store.write(context.caller.tenant()).await?;
        hooks::set_applied(&tx, session.id, webhook.version()).await?;
        tx.commit().await?;
    }
    conclude(services, context, session, action, answered_at, outcome).await
}

/// What WAHA is asked to do to a session.
struct Call<'a> {
    upstream: &'a Upstream,
    session: &'a Session,
    /// The webhook that the session should have from then on.
    webhook: Option<WantedWebhook>,
    /// Whether WAHA is known to have it.
    has_webhook: bool,
}

impl Call<'_> {
    fn waha(&self) -> (&WahaClient, &str) {
        (self.upstream.waha(), self.session.waha.name.as_str())
    }

    async fn act(&mut self, action: Action) -> Result<Said, WahaError> {
        match action {
            Action::Start => self.start().await,
            Action::Restart => self.restart().await,
            Action::Stop => self.stop().await,
            Action::Logout => self.logout().await,
            Action::Delete => {
                let (waha, name) = self.waha();
                waha.delete_session(name).await.map(|()| Said::Nothing)
            }
        }
    }

    async fn start(&mut self) -> Result<Said, WahaError> {
        if let OnWaha::Lacks {
            config,
            is_stopped: true,
        } = self.look().await
        {
            let (waha, name) = self.waha();
            match waha.update_session(name, &config).await {
                Ok(_) => self.has_webhook = true,
                Err(error) => log_failure(self.session, &error),
            }
        }
        let (waha, name) = self.waha();
        match waha.start_session(name).await {
            Ok(StartOutcome::Started(said)) => Ok(said.map_or(Said::Nothing, Said::Session)),
            Ok(StartOutcome::AlreadyRunning) => {
                let found = waha.session(name).await?;
                // For WAHA one that failed runs too, and only a restart brings it back.
                if found.status == waha_client::SessionStatus::Failed {
                    return waha.restart_session(name).await.map(Said::from);
                }
                Ok(Said::Session(Box::new(found)))
            }
            Err(WahaError::UnknownSession) => self.make_again().await,
            Err(error) => Err(error),
        }
    }

    async fn restart(&mut self) -> Result<Said, WahaError> {
        if let OnWaha::Lacks { config, is_stopped } = self.look().await {
            let (waha, name) = self.waha();
            match waha.update_session(name, &config).await {
                // WAHA restarts what runs by itself then.
                Ok(said) if !is_stopped => {
                    self.has_webhook = true;
                    return Ok(Said::from(said));
                }
                Ok(_) => self.has_webhook = true,
                Err(error) if may_have_happened(&error) => return Err(error),
                Err(error) => log_failure(self.session, &error),
            }
        }
        let (waha, name) = self.waha();
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

    async fn look(&mut self) -> OnWaha {
        let Some(webhook) = &self.webhook else {
            return OnWaha::LeftAlone;
        };
        let (waha, name) = self.waha();
        let found = webhook.look(waha, name).await;
        self.has_webhook = matches!(found, OnWaha::Has);
        found
    }

    async fn make_again(&mut self) -> Result<Said, WahaError> {
        let made = super::create::make(self.upstream, self.session, self.webhook.as_ref(), true).await;
        self.has_webhook = made.is_ok();
        made.map(Said::from)
    }
}

/// Writes down what came of it.
async fn conclude(
    services: &Services,
    context: &Context,
    session: &Session,
    action: Action,
    answered_at: Timestamp,
    outcome: Result<Said, WahaError>,
) -> Result<Arc<Session>, ServiceError> {
    let tenant = context.caller.tenant();
    let mut failure = outcome
        .as_ref()
        .err()
        .map(|error| refused_session(context, session, action.operation(), error));
    let happened_perhaps = outcome.as_ref().err().is_none_or(may_have_happened);
    if failure.is_some() && happened_perhaps {
        services.sync.outdate(session.waha.server);
    }
    if let Ok(said) = &outcome {
        observe_answer(services, context, session, action, answered_at, said).await?;
    }
    let tx = services.store.write(tenant).await?;
    if happened_perhaps && let Some(wish) = action.wish() {
        stored::set_desired_status(&tx, session.id, wish).await?;
    }
    // Of several who delete it at once, one did; for the others there is none any more.
    if failure.is_none() && action == Action::Delete && !stored::delete(&tx, session.id).await? {
        failure = Some(ServiceError::SessionNotFound);
    }
    let result = failure
        .as_ref()
        .map_or(AuditOutcome::Success, |error| audit::failure(error.code()));
    audit::record(&tx, context, action.operation(), Some(session.id), result).await?;
    let now_known = stored::with_ids(&tx, &[session.id]).await?.pop();
    tx.commit().await?;
    match failure {
        Some(error) => Err(error),
        None => Ok(Arc::new(now_known.unwrap_or_else(|| session.clone()))),
    }
}

/// Writes down what WAHA said of the session after the call.
async fn observe_answer(
    services: &Services,
    context: &Context,
    session: &Session,
    action: Action,
    answered_at: Timestamp,
    said: &Said,
) -> Result<(), ServiceError> {
    let tenant = context.caller.tenant();
    let observation = match said {
        Said::Session(said) => Some(sync::observation(Some(said), answered_at)),
        Said::Gone => Some(sync::observation(None, answered_at)),
        Said::Nothing => {
            services.sync.outdate(session.waha.server);
            None
        }
    };
    match observation.and_then(|observation| observation.change(session)) {
        Some(change) if action == Action::Logout => {
            observe(&services.store, tenant, &change.without_number()).await
        }
        Some(change) => observe(&services.store, tenant, &change).await,
        None if action == Action::Logout => {
            sync::forget_number(&services.store, tenant, session, answered_at).await
        }
        None => Ok(()),
    }
}
