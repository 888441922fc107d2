//! Moving a session to another WAHA server.
//!
//! WAHA cannot hand a pairing over, so the session is made anew there, and paired again. It exists at both
//! places for a moment; the row changes over in one step once the new one is there. Whatever is left on a
//! server is written down before it can be left, and deleted there later.

mod leftovers;

use std::time::Duration;

use waha_client::{SessionConfig, WahaError, WahaSession};
use wahana_domain::{
    AuditOutcome, DesiredStatus, OrganizationId, OrganizationState, ServerId, Session, SessionId,
    SessionOrigin, SessionStatus, WahaAddress, WahaName, WahaServer,
};
use wahana_store::{
    Tenant, hooks,
    sessions::{self as stored, Relocation, SessionReference},
    upkeep,
};

pub use leftovers::delete_leftovers;
use leftovers::delete_there;

use crate::{
    FieldErrors, Operator, ServiceError, Services, audit,
    events::{Webhook, without_webhook},
    placement, reconcile,
    sessions::as_waha_config,
    upstream::{Upstream, may_have_happened, refused_by_waha},
};

const OPERATION: &str = "platform.sessions.move";
/// What a person must do after a move.
const PAIR_AGAIN: &str = "The session was moved to another WhatsApp service; pair it again.";
/// When something that was made for a move which did not end is deleted: longer than any move takes.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(10);

/// A session to be moved.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The session.
    pub session: SessionId,
    /// The WAHA server to which it goes.
    pub to: ServerId,
    /// Whether it is moved although WhatsApp restricts its account.
    pub is_forced: bool,
}

/// A move that can be made.
#[derive(Clone, Debug)]
pub struct MovePlan {
    /// The session as it is.
    pub session: Session,
    /// The WAHA server on which it is.
    pub from: WahaServer,
    /// The WAHA server to which it goes.
    pub to: WahaServer,
}

/// A session that was moved. It must be paired again.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The session as it is now.
    pub session: Session,
    /// Whether it was deleted on its old server; if not, that is done when the server is back.
    pub is_deleted_there: bool,
    /// Whether its whole configuration came along. What others configured on WAHA can be had only from there.
    pub has_whole_configuration: bool,
}

/// Makes sure that there is such a session, whosever it is.
pub async fn exists(services: &Services, _: &Operator, session: SessionId) -> Result<(), ServiceError> {
    let tx = services.store.platform_read().await?;
    let found = tx.session(session).await?;
    found.map(drop).ok_or(ServiceError::NotFound("Session"))
}

/// The session that somebody at the command line names by its name in an organization.
pub async fn find(
    services: &Services,
    _: &Operator,
    organization: OrganizationId,
    name: &str,
) -> Result<SessionId, ServiceError> {
    let not_found = || ServiceError::NotFound("Session");
    let tx = services.store.platform_read().await?;
    let tenant = tx.tenant(organization).await?.ok_or_else(not_found)?;
    drop(tx);
    let reference = SessionReference::parse(name).ok_or_else(not_found)?;
    let tx = services.store.read(tenant).await?;
    let found = stored::get(&tx, &reference, None).await?;
    Ok(found.ok_or_else(not_found)?.id)
}

/// Finds out whether a session can be moved; changes nothing.
///
/// # Errors
///
/// [`ServiceError::NotFound`] and [`ServiceError::Invalid`] if there is no such session or server;
/// [`ServiceError::Conflict`] if it cannot go there, with the reason.
pub async fn plan(services: &Services, _: &Operator, wanted: Move) -> Result<MovePlan, ServiceError> {
    Ok(prepare(services, wanted).await?.plan)
}

struct Prepared {
    plan: MovePlan,
    tenant: Tenant,
    /// Whether it runs there at once.
    is_started: bool,
    /// The version of the key with which it signs its events.
    hook_version: i64,
}

async fn prepare(services: &Services, wanted: Move) -> Result<Prepared, ServiceError> {
    let tx = services.store.platform_read().await?;
    let not_found = ServiceError::NotFound("Session");
    let found = tx.session(wanted.session).await?.ok_or(not_found)?;
    let (tenant, session) = (found.tenant, found.session);
    let organization = super::organization(&tx, tenant.organization_id()).await?;
    let from = tx.server(session.waha.server).await?;
    let from =
        from.ok_or_else(|| ServiceError::Internal("a session is on a server that is not known".to_owned()))?;
    let servers = tx.servers().await?;
    drop(tx);
    let to = servers.into_iter().find(|load| load.server.id == wanted.to);
    let to = to.ok_or_else(|| FieldErrors::one("server_id", "must be the id of a WAHA server"))?;
    if session.desired_status == DesiredStatus::Deleted {
        return Err(ServiceError::conflict("This session is being deleted."));
    }
    if from.id == to.server.id {
        return Err(ServiceError::conflict(
            "The session is on this WAHA server already.",
        ));
    }
    if !to.server.takes_sessions_of(tenant.organization_id()) || !to.server.has_room_beside(to.sessions) {
        return Err(takes_none(&to.server, tenant));
    }
    let tx = services.store.read(tenant).await?;
    let upkeep = upkeep::get(&tx, session.id).await?;
    drop(tx);
    if upkeep.is_restricted(services.now()) && !wanted.is_forced {
        return Err(ServiceError::conflict(
            "WhatsApp restricts the account of this session at present, and to pair it anew may make that worse. \
             Wait until that ends, or force the move.",
        ));
    }
    let is_started =
        session.desired_status == DesiredStatus::Running && organization.state == OrganizationState::Active;
    let plan = MovePlan {
        session,
        from,
        to: to.server,
    };
    Ok(Prepared {
        plan,
        tenant,
        is_started,
        hook_version: upkeep.hook.version,
    })
}

/// Why a server takes no session of an organization.
fn takes_none(server: &WahaServer, tenant: Tenant) -> ServiceError {
    let why = if server.paused_at.is_some() {
        "is paused. Resume it first"
    } else if server.draining_at.is_some() {
        "is draining. End that first"
    } else if server
        .organization
        .is_some_and(|only| only != tenant.organization_id())
    {
        "is another organization's own. Choose one that is shared, or the organization's own"
    } else {
        "has no room left. Raise its capacity, or choose another"
    };
    ServiceError::conflict(format!("The WAHA server {} {why}.", server.name))
}

/// Moves a session to another WAHA server. It keeps its id, its names, its counters, its messages and its
/// configuration, and must be paired again.
///
/// # Errors
///
/// Those of [`plan`], and those of WAHA if the session cannot be made there; it stays where it is then.
pub async fn carry_out(
    services: &Services,
    operator: &Operator,
    wanted: Move,
) -> Result<Moved, ServiceError> {
    let prepared = prepare(services, wanted).await?;
    let (own, operator) = (services.clone(), operator.clone());
    services
        .to_the_end(async move { carry_out_to_the_end(&own, &operator, prepared).await })
        .await
}

async fn carry_out_to_the_end(
    services: &Services,
    operator: &Operator,
    prepared: Prepared,
) -> Result<Moved, ServiceError> {
    let Prepared {
        plan: MovePlan { session, from, to },
        tenant,
        is_started,
        hook_version,
    } = prepared;
    let new = WahaAddress {
        server: to.id,
        name: WahaName::generate(),
    };
    let there = Session {
        waha: new.clone(),
        ..session.clone()
    };
    let webhook = Webhook::of(services, &there, hook_version)?;
    let (old_upstream, new_upstream) = (
        services.upstreams.get(from.id).await?,
        services.upstreams.get(to.id).await?,
    );
    let configuration = configuration(&old_upstream, &session).await;
    let has_whole_configuration = configuration.is_ok();
    let mut configuration = configuration.unwrap_or_else(|_| as_waha_config(&session.configuration));
    if let Some(webhook) = &webhook {
        webhook.lay_over(&mut configuration);
    }
    let tx = services.store.write(tenant).await?;
    let due_at = tx.now().plus(GIVEN_UP_AFTER);
    stored::insert_leftover(&tx, session.id, &new, due_at).await?;
    // It is not to be put right at the one place or the other meanwhile.
    reconcile::hold(&tx, session.id).await?;
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), AuditOutcome::Intent).await?;
    tx.commit().await?;

    let made = new_upstream
        .waha()
        .create_session(new.name.as_str(), Some(&configuration), is_started)
        .await;
    let outcome = match made {
        Ok(said) => {
            let there = There {
                server: &to,
                address: &new,
                said: said.as_ref(),
                is_started,
                hook_version: webhook.as_ref().map(Webhook::version),
            };
            let changed_over = change_over(services, operator, tenant, &session, there).await;
            if changed_over.is_err() {
                delete_there(services, &new_upstream, tenant, session.id, &new).await;
            }
            changed_over
        }
        Err(error) => {
            tracing::warn!(session.id = %session.id, error.kind = error.kind(), error = %error, "WAHA did not make a session that is moved");
            // What may still be made there is deleted when that is over.
            if !may_have_happened(&error) {
                let tx = services.store.write(tenant).await?;
                stored::delete_leftover(&tx, &new).await?;
                tx.commit().await?;
            }
            Err(not_made(&error))
        }
    };
    if let Err(error) = outcome {
        let tx = services.store.write(tenant).await?;
        reconcile::resume(&tx, session.id, false).await?;
        let failure = audit::failure(error.code());
        audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), failure).await?;
        tx.commit().await?;
        return Err(error);
    }
    services.sync.outdate(from.id);
    services.sync.outdate(to.id);
    let is_deleted_there = delete_there(services, &old_upstream, tenant, session.id, &session.waha).await;
    let tx = services.store.read(tenant).await?;
    let moved = stored::with_ids(&tx, &[session.id]).await?.pop();
    Ok(Moved {
        session: moved.unwrap_or(session),
        is_deleted_there,
        has_whole_configuration,
    })
}

/// The outcome of a call that did not make the session: it is where it was, whatever became of the call.
fn not_made(error: &WahaError) -> ServiceError {
    match refused_by_waha(error) {
        ServiceError::WahaTimeout { .. } => ServiceError::WahaUnavailable {
            message: "The WAHA server to which the session goes did not answer in time. The session stays where it is."
                .to_owned(),
            retry_after: Duration::from_mins(1),
        },
        refusal => refusal,
    }
}

/// The configuration with which a session is made anew. What others configured before wahana was is known to
/// its old server alone.
async fn configuration(from: &Upstream, session: &Session) -> Result<SessionConfig, WahaError> {
    let known = as_waha_config(&session.configuration);
    if session.origin == SessionOrigin::Created {
        return Ok(known);
    }
    let found = from.waha().session(session.waha.name.as_str()).await?;
    let mut configuration = found.config.unwrap_or_default();
    // It leads to the hook of the old server, at which the session is unknown from now on.
    without_webhook(&mut configuration, session);
    configuration.merge(known.into_map());
    Ok(configuration)
}

/// A session that was made at its new place.
struct There<'a> {
    server: &'a WahaServer,
    address: &'a WahaAddress,
    /// What WAHA said of it.
    said: Option<&'a WahaSession>,
    is_started: bool,
    /// The version of the key of the webhook that it got; `None` if it got none.
    hook_version: Option<i64>,
}

/// Makes the session's row say that it is at its new place, if that still has room for it.
async fn change_over(
    services: &Services,
    operator: &Operator,
    tenant: Tenant,
    session: &Session,
    there: There<'_>,
) -> Result<(), ServiceError> {
    let There {
        server,
        address: new,
        said,
        is_started,
        hook_version,
    } = there;
    let Some(tx) = placement::take_on(services, tenant, server.id).await? else {
        return Err(takes_none(server, tenant));
    };
    let unsaid = if is_started {
        SessionStatus::Connecting
    } else {
        SessionStatus::Disconnected
    };
    let waha_status = said.map(|said| said.status.as_str().to_owned());
    let relocation = Relocation {
        session: session.id,
        from: session.waha.clone(),
        to: new.clone(),
        status: waha_status.as_deref().map_or(unsaid, SessionStatus::from_waha),
        waha_status,
        last_error: PAIR_AGAIN.to_owned(),
    };
    // Whoever deleted or moved it meanwhile, or gave this move up, was faster.
    if !stored::delete_leftover(&tx, new).await? || !stored::relocate(&tx, &relocation).await? {
        return Err(ServiceError::conflict(
            "The session was changed meanwhile. Look at it, and try again.",
        ));
    }
    if let Some(version) = hook_version {
        hooks::set_applied(&tx, session.id, version).await?;
    }
    stored::insert_leftover(&tx, session.id, &session.waha, tx.now()).await?;
    audit::record_by_operator_in(&tx, operator, OPERATION, Some(session.id), AuditOutcome::Success).await?;
    Ok(tx.commit().await?)
}
