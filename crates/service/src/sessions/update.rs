//! Changing a session's own fields and its configuration.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use waha_client::{SessionConfig, VisibleSessionConfig, WahaError};
use wahana_domain::{AuditOutcome, Session, SessionConfiguration};
use wahana_store::{
    hooks,
    sessions::{self as stored, SessionChange},
    upkeep,
};

use super::{Said, answer::write_answer, hooking::WantedWebhook};
use crate::{
    Context, ServiceError, Services, SyncReport,
    access::{Granted, ManageSessions, Owned, ReadSessions},
    audit, reconcile,
    upstream::{Upstream, may_have_happened, refused_session},
};

/// What to change of a session; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct SessionUpdate {
    /// Its own fields. They never need WAHA.
    pub fields: SessionChange,
    /// What of its configuration changes; the rest of it stays. A running session restarts with it, for
    /// about three seconds.
    pub configuration: Option<SessionConfiguration>,
}

const OPERATION: &str = "sessions.update";
/// When to come back after WAHA did not say how a session is configured.
const RETRY: Duration = Duration::from_secs(5);

/// Changes a session.
pub async fn update(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
    update: SessionUpdate,
) -> Result<Arc<Session>, ServiceError> {
    let (own, context, session) = (services.clone(), access.context().clone(), session.clone());
    services
        .to_the_end(async move { update_to_the_end(&own, &context, &session, update).await })
        .await
}

async fn update_to_the_end(
    services: &Services,
    context: &Context,
    session: &Session,
    update: SessionUpdate,
) -> Result<Arc<Session>, ServiceError> {
    let tenant = context.caller.tenant();
    let mut fields = update.fields;
    let mut applied = None;
    if let Some(changes) = &update.configuration {
        let upstream = services.upstreams.get(session.waha.server).await?;
        let merged = merged(&session.configuration, changes)?;
        let tx = services.store.write(tenant).await?;
        reconcile::hold(&tx, session.id).await?;
        audit::record(&tx, context, OPERATION, Some(session.id), AuditOutcome::Intent).await?;
        let known = upkeep::get(&tx, session.id).await?;
        tx.commit().await?;
        let webhook = WantedWebhook::of(services, session, &known)?;
        let configured = configure(&upstream, session, changes, webhook.as_ref()).await;
        let answered_at = services.now();
        if let Ok(Configured::Anew { said, has_webhook }) = &configured {
            applied = webhook.filter(|_| *has_webhook).map(|webhook| webhook.version());
            // It was restarted for it: whoever asked WAHA meanwhile found it stopped.
            write_answer(services, tenant, session, said, answered_at, false).await?;
        }
        if let Err(unconfigured) = configured {
            let failure = unconfigured.refusal(context, session);
            let tx = services.store.write(tenant).await?;
            let may_be_going_on = unconfigured.was_sent && may_have_happened(&unconfigured.error);
            reconcile::resume(&tx, session.id, may_be_going_on).await?;
            if may_be_going_on {
                services.sync.outdate(session.waha.server);
                let change = SessionChange {
                    configuration: Some(merged),
                    ..Default::default()
                };
                stored::update(&tx, session.id, &change).await?;
            }
            let result = audit::failure(failure.code());
            audit::record(&tx, context, OPERATION, Some(session.id), result).await?;
            tx.commit().await?;
            return Err(failure);
        }
        fields.configuration = Some(merged);
    }
    let tx = services.store.write(tenant).await?;
    if update.configuration.is_some() {
        reconcile::resume(&tx, session.id, false).await?;
    }
    if fields != SessionChange::default() {
        stored::update(&tx, session.id, &fields).await?;
    }
    if let Some(version) = applied {
        hooks::set_applied(&tx, session.id, version).await?;
    }
    audit::record(&tx, context, OPERATION, Some(session.id), AuditOutcome::Success).await?;
    let now_known = stored::with_ids(&tx, &[session.id]).await?.pop();
    tx.commit().await?;
    if fields.pacing.is_some() {
        // What waits for the end of a pause need not wait for it any more.
        services.queue.wake(tenant, session.id);
    }
    now_known.map(Arc::new).ok_or(ServiceError::SessionNotFound)
}

/// What came of writing a configuration to WAHA.
enum Configured {
    /// It was so already.
    AsBefore,
    /// It was written, and a running session was restarted with it.
    Anew {
        /// What WAHA said of the session then.
        said: Said,
        /// Whether the session has its webhook since.
        has_webhook: bool,
    },
}

/// Why a configuration was not written to WAHA.
struct Unconfigured {
    error: WahaError,
    /// Whether it was WAHA's answer to the new configuration, and not to the question for the present one.
    was_sent: bool,
}

impl Unconfigured {
    fn refusal(&self, context: &Context, session: &Session) -> ServiceError {
        let refusal = refused_session(&context.origin.request_id, session, OPERATION, &self.error);
        if !self.was_sent && matches!(refusal, ServiceError::WahaTimeout { .. }) {
            return ServiceError::WahaUnavailable {
                message: "The WhatsApp service of this session does not say how it is configured. Nothing was done."
                    .to_owned(),
                retry_after: RETRY,
            };
        }
        refusal
    }
}

/// Lays the changes over what the session has on WAHA, and writes it there if that makes a difference:
/// WAHA's `PUT` replaces the whole configuration and restarts a running session.
async fn configure(
    upstream: &Upstream,
    session: &Session,
    changes: &SessionConfiguration,
    webhook: Option<&WantedWebhook>,
) -> Result<Configured, Unconfigured> {
    let name = session.waha.name.as_str();
    let found = upstream.waha().session(name).await;
    let found = found.map_err(|error| Unconfigured {
        error,
        was_sent: false,
    })?;
    let present = found.config.unwrap_or_default();
    let mut wanted = present.clone();
    wanted.merge(as_map(changes));
    if wanted == present {
        return Ok(Configured::AsBefore);
    }
    let has_webhook = webhook.is_some_and(|webhook| webhook.join(&mut wanted));
    let updated = upstream.waha().update_session(name, &wanted).await;
    match updated {
        Ok(said) => Ok(Configured::Anew {
            said: Said::from(said),
            has_webhook,
        }),
        Err(error) => Err(Unconfigured {
            error,
            was_sent: true,
        }),
    }
}

/// Which fields that the organization set a configuration on WAHA does not have so, by their names: never their
/// values.
pub(crate) fn lacking(wanted: &SessionConfiguration, present: &SessionConfig) -> Vec<String> {
    let mut lacking = Vec::new();
    compare("", &as_map(wanted), Some(present.as_map()), &mut lacking);
    lacking
}

fn compare(
    prefix: &str,
    wanted: &Map<String, Value>,
    present: Option<&Map<String, Value>>,
    lacking: &mut Vec<String>,
) {
    for (name, value) in wanted {
        let path = format!("{prefix}{name}");
        let found = present.and_then(|present| present.get(name));
        match value {
            Value::Object(fields) => {
                let found = found.and_then(Value::as_object);
                compare(&format!("{path}."), fields, found, lacking);
            }
            value if found != Some(value) => lacking.push(path),
            _ => {}
        }
    }
}

/// A session's configuration as WAHA has it, without anything secret, and its engine; `None` if WAHA
/// does not know the session or cannot be asked.
pub async fn on_waha(
    services: &Services,
    _: &Granted<ReadSessions>,
    session: &Owned<Session>,
    sync: &SyncReport,
) -> Option<WahaSide> {
    // A server that did not answer just now would only be waited for again.
    if !sync.is_fresh {
        return None;
    }
    let upstream = match services.upstreams.get(session.waha.server).await {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::warn!(session.id = %session.id, error = %error, "WAHA cannot be asked to describe a session");
            return None;
        }
    };
    match upstream.waha().session(session.waha.name.as_str()).await {
        Ok(found) => Some(WahaSide {
            engine: found.engine,
            push_name: found.me.and_then(|me| me.push_name),
            configuration: found.config.map(|config| config.visible()),
        }),
        Err(error) => {
            tracing::warn!(session.id = %session.id, error.kind = error.kind(), "WAHA did not describe a session");
            None
        }
    }
}

/// What WAHA itself says of a session, as far as tenants may know.
#[derive(Debug)]
pub struct WahaSide {
    /// The engine that runs it.
    pub engine: Option<String>,
    /// The name that the account shows to others.
    pub push_name: Option<String>,
    /// Its configuration without secrets.
    pub configuration: Option<VisibleSessionConfig>,
}

/// The configuration as WAHA wants it.
pub(crate) fn as_waha_config(configuration: &SessionConfiguration) -> SessionConfig {
    SessionConfig::from_map(as_map(configuration))
}

pub(super) fn as_map(configuration: &SessionConfiguration) -> Map<String, Value> {
    match serde_json::to_value(configuration) {
        Ok(Value::Object(fields)) => fields,
        // Nothing but an object comes of a struct of options; an empty one changes nothing.
        _ => Map::new(),
    }
}

fn merged(
    present: &SessionConfiguration,
    changes: &SessionConfiguration,
) -> Result<SessionConfiguration, ServiceError> {
    let mut config = as_waha_config(present);
    config.merge(as_map(changes));
    serde_json::from_value(Value::Object(config.into_map()))
        .map_err(|error| ServiceError::Internal(format!("a configuration cannot be merged: {error}")))
}
