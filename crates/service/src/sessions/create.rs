//! Making a session, here and on WAHA.

use std::{sync::Arc, time::Duration};

use waha_client::{WahaError, WahaSession};
use wahana_domain::{
    AuditOutcome, BusinessProfile, DesiredStatus, InvalidSessionName, OrganizationId, ServerId, Session,
    SessionConfiguration, SessionCounters, SessionId, SessionName, SessionOrigin, SessionStatus, Timestamp,
    WahaAddress, WahaName,
};
use wahana_store::{
    Caller, Uniqueness, hooks, sessions as stored, sessions::SessionReference, upkeep::Upkeep,
};

use super::{hooking::WantedWebhook, name_is_taken, update::as_waha_config};
use crate::{
    Conflict, Context, FieldErrors, ServiceError, Services,
    access::{CreateSessions, Granted, ManageSessions, Owned},
    audit,
    limits::Allowance,
    placement, reconcile,
    sync::{self, observe},
    upstream::{Upstream, may_have_happened, refused_session},
};

/// When to look again whether a session may be made. Only somebody who deletes one or raises the quota
/// changes that, so it is long.
const QUOTA_RETRY: Duration = Duration::from_hours(1);

/// A session to be made.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// Its name; one is made up if there is none.
    pub name: Option<SessionName>,
    /// Its name for people.
    pub display_name: Option<String>,
    /// What the organization says about itself.
    pub business: BusinessProfile,
    /// Its configuration on WAHA.
    pub configuration: SessionConfiguration,
    /// Whether it runs at once.
    pub is_started: bool,
}

/// What a call to start names: a session that is there, or one that may be made.
#[derive(Clone, Debug)]
pub enum StartTarget {
    /// It is there.
    There(Owned<Session>),
    /// It is not, and the name is free.
    New(SessionName),
    /// No session can have this name.
    Impossible(InvalidSessionName),
}

/// What starting came to.
#[derive(Debug)]
pub struct Started {
    /// The session.
    pub session: Arc<Session>,
    /// Whether it was made.
    pub is_new: bool,
}

/// Makes a session.
pub async fn create(
    services: &Services,
    access: &Granted<CreateSessions>,
    new: NewSession,
) -> Result<Arc<Session>, ServiceError> {
    create_as(services, access.context(), new, "sessions.create").await
}

/// Finds what a call to start names. An id that is not the organization's is never made.
pub async fn find_or_plan(
    services: &Services,
    caller: &Caller,
    named: &str,
) -> Result<StartTarget, ServiceError> {
    match Owned::<Session>::find(services, caller, named).await {
        Ok(session) => Ok(StartTarget::There(session)),
        Err(ServiceError::SessionNotFound) => match SessionReference::parse(named) {
            // A token that is limited to some sessions may not learn that another has this name.
            _ if caller.sessions().is_some() => Err(ServiceError::SessionNotFound),
            Some(SessionReference::Name(name)) => Ok(StartTarget::New(name)),
            Some(SessionReference::Id(_)) => Err(ServiceError::SessionNotFound),
            None => match SessionName::parse(named) {
                Err(fault) => Ok(StartTarget::Impossible(fault)),
                Ok(name) => Ok(StartTarget::New(name)),
            },
        },
        Err(error) => Err(error),
    }
}

/// Starts a session, and makes it first if there is none by its name. Of several who do so at once one
/// makes it, and the others start what it made.
///
/// # Errors
///
/// [`ServiceError::Invalid`] if there is none and its name is no name.
pub async fn start_or_create(
    services: &Services,
    access: &Granted<ManageSessions>,
    target: StartTarget,
    new: NewSession,
) -> Result<Started, ServiceError> {
    match target {
        StartTarget::There(session) => {
            let session = super::start(services, access, &session).await?;
            Ok(Started {
                session,
                is_new: false,
            })
        }
        StartTarget::New(name) => {
            let creating = Granted::<CreateSessions>::check(access.context().clone())?;
            let new = NewSession {
                name: Some(name),
                is_started: true,
                ..new
            };
            let named = new.name.clone();
            match create_as(services, creating.context(), new, "sessions.start").await {
                Ok(session) => Ok(Started {
                    session,
                    is_new: true,
                }),
                Err(ServiceError::Conflict {
                    kind: Conflict::SessionAlreadyExists,
                    message,
                }) => {
                    let named = named.as_ref().map_or("", SessionName::as_str);
                    let made = Owned::<Session>::find(services, &access.context().caller, named).await;
                    // It may have been deleted again, or never come to be.
                    let made = made.map_err(|_| ServiceError::Conflict {
                        kind: Conflict::SessionAlreadyExists,
                        message,
                    })?;
                    let session = super::start(services, access, &made).await?;
                    Ok(Started {
                        session,
                        is_new: false,
                    })
                }
                Err(error) => Err(error),
            }
        }
        StartTarget::Impossible(fault) => {
            Granted::<CreateSessions>::check(access.context().clone())?;
            Err(FieldErrors::one("session_name", fault).into())
        }
    }
}

async fn create_as(
    services: &Services,
    context: &Context,
    new: NewSession,
    operation: &'static str,
) -> Result<Arc<Session>, ServiceError> {
    if let Some(name) = &new.name
        && name_is_taken(services, &context.caller, name).await?
    {
        return Err(Uniqueness::SessionName.into());
    }
    let (own, context) = (services.clone(), context.clone());
    services
        .to_the_end(async move { create_on(&own, &context, new, operation).await })
        .await
}

/// Makes a session on WAHA. Its name there is nobody else's, so one that is there already was made by
/// somebody who started it at the same moment.
pub(super) async fn make(
    upstream: &Upstream,
    session: &Session,
    webhook: Option<&WantedWebhook>,
    is_started: bool,
) -> Result<Option<WahaSession>, WahaError> {
    let (waha, name) = (upstream.waha(), session.waha.name.as_str());
    let mut configuration = as_waha_config(&session.configuration);
    if let Some(webhook) = webhook {
        webhook.lay_over(&mut configuration);
    }
    match waha.create_session(name, Some(&configuration), is_started).await {
        Err(WahaError::AlreadyExists) => waha.session(name).await.map(Some),
        other => other,
    }
}

fn quota_is_used_up(limit: u32) -> ServiceError {
    ServiceError::QuotaExceeded {
        message: format!("The organization may have {limit} sessions and has them. Delete one first."),
        allowance: Allowance {
            limit,
            remaining: 0,
            reset_after: QUOTA_RETRY,
        },
    }
}

async fn create_on(
    services: &Services,
    context: &Context,
    new: NewSession,
    operation: &'static str,
) -> Result<Arc<Session>, ServiceError> {
    let tenant = context.caller.tenant();
    let (upstream, tx) = placement::take(services, tenant).await?;
    let organization = wahana_store::organizations::get_locked(&tx).await?;
    let limit =
        organization.and_then(|organization| services.effective_limits(&organization.limits).sessions);
    if let Some(limit) = limit
        && stored::count(&tx).await? >= u64::from(limit)
    {
        return Err(quota_is_used_up(limit));
    }
    let is_started = new.is_started;
    let session = planned(new, tenant.organization_id(), upstream.server.id, tx.now());
    let webhook = WantedWebhook::of(services, &session, &Upkeep::default())?;
    stored::insert(&tx, &session).await?;
    reconcile::hold(&tx, session.id).await?;
    audit::record(&tx, context, operation, Some(session.id), AuditOutcome::Intent).await?;
    tx.commit().await?;

    let made = make(&upstream, &session, webhook.as_ref(), is_started).await;
    let answered_at = services.now();
    match made {
        Ok(said) => {
            if let Some(said) = &said
                && let Some(change) = sync::observation(Some(said), answered_at).change(&session)
            {
                observe(&services.store, tenant, &change).await?;
            }
            let tx = services.store.write(tenant).await?;
            reconcile::reset(&tx, session.id, false).await?;
            if let Some(webhook) = &webhook {
                hooks::set_applied(&tx, session.id, webhook.version()).await?;
            }
            audit::record(&tx, context, operation, Some(session.id), AuditOutcome::Success).await?;
            let now_known = stored::with_ids(&tx, &[session.id]).await?.pop();
            tx.commit().await?;
            Ok(Arc::new(now_known.unwrap_or(session)))
        }
        Err(error) => {
            let failure = match refused_session(&context.origin.request_id, &session, operation, &error) {
                ServiceError::WahaTimeout { .. } => ServiceError::SessionOutcomeUnknown {
                    session: session.id,
                    name: session.name.clone(),
                },
                failure => failure,
            };
            let tx = services.store.write(tenant).await?;
            // What WAHA may have made stays known here, so that nothing is left behind there unseen.
            if !may_have_happened(&error) {
                stored::delete(&tx, session.id).await?;
            }
            audit::record(
                &tx,
                context,
                operation,
                Some(session.id),
                audit::failure(failure.code()),
            )
            .await?;
            tx.commit().await?;
            Err(failure)
        }
    }
}

/// A session as it is before WAHA knows it.
fn planned(new: NewSession, organization_id: OrganizationId, server: ServerId, now: Timestamp) -> Session {
    Session {
        id: SessionId::new(),
        organization_id,
        waha: WahaAddress {
            server,
            name: WahaName::generate(),
        },
        origin: SessionOrigin::Created,
        name: new.name.unwrap_or_else(SessionName::generate),
        display_name: new.display_name,
        phone_number: None,
        configuration: new.configuration,
        status: if new.is_started {
            SessionStatus::Connecting
        } else {
            SessionStatus::Disconnected
        },
        waha_status: None,
        desired_status: if new.is_started {
            DesiredStatus::Running
        } else {
            DesiredStatus::Stopped
        },
        observed_at: None,
        error_count: 0,
        last_error: None,
        warning: None,
        business: new.business,
        pacing: None,
        counters: SessionCounters::default(),
        last_message_at: None,
        created_at: now,
        updated_at: now,
    }
}
