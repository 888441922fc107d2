//! Starting, stopping, restarting, logging out and deleting.
//!
//! The intent is written before WAHA is called and the outcome after it. What WAHA did, or may have
//! done, becomes the organization's wish; what it did not see or refused changes nothing.

use std::sync::Arc;

use waha_client::WahaError;
use wahana_domain::{AuditOutcome, Session, Timestamp};
use wahana_store::{hooks, sessions as stored, upkeep};

use super::{
    answer::write_answer,
    call::{Action, Call, Said},
};
use crate::{
    Context, ServiceError, Services,
    access::{Granted, ManageSessions, Owned},
    audit, reconcile,
    upstream::{may_have_happened, paused, refused_session},
};

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
    if action.is_start() && upstream.server.paused_at.is_some() {
        return Err(paused());
    }
    let tx = services.store.write(context.caller.tenant()).await?;
    reconcile::hold(&tx, session.id).await?;
    let present = stored::lock(&tx, session.id).await?;
    if present.is_some_and(|present| present.waha != session.waha) {
        return Err(ServiceError::conflict(
            "The session was moved to another WhatsApp service just now. Nothing was done; try again.",
        ));
    }
    audit::record(
        &tx,
        context,
        action.operation(),
        Some(session.id),
        AuditOutcome::Intent,
    )
    .await?;
    let known = upkeep::get(&tx, session.id).await?;
    tx.commit().await?;

    let mut call = Call::new(services, &upstream, session, &known)?;
    let outcome = call.act(action).await;
    let answered_at = services.now();
    if let Some(version) = call.applied_webhook() {
        let tx = services.store.write(context.caller.tenant()).await?;
        hooks::set_applied(&tx, session.id, version).await?;
        tx.commit().await?;
    }
    conclude(services, context, session, action, answered_at, outcome).await
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
        .map(|error| refused_session(&context.origin.request_id, session, action.operation(), error));
    let happened_perhaps = outcome.as_ref().err().is_none_or(may_have_happened);
    if failure.is_some() && happened_perhaps {
        services.sync.outdate(session.waha.server);
    }
    if let Ok(said) = &outcome {
        let is_unpaired = action == Action::Logout;
        write_answer(services, tenant, session, said, answered_at, is_unpaired).await?;
    }
    let tx = services.store.write(tenant).await?;
    if happened_perhaps && let Some(wish) = action.wish() {
        stored::set_desired_status(&tx, session.id, wish).await?;
    }
    let may_be_going_on = failure.is_some() && happened_perhaps;
    reconcile::reset(&tx, session.id, may_be_going_on).await?;
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
