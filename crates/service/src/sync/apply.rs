//! Comparing a snapshot with what is known, and writing what is new.

use std::collections::HashMap;

use waha_client::{Me, WahaSession};
use wahana_domain::{AuditOutcome, DesiredStatus, PhoneNumber, ServerId, Session, SessionId, Timestamp};
use wahana_store::{
    PlatformTx, SessionOnServer, Store, StoreError, Tenant, TenantTx, Uniqueness,
    sessions::{self, Observation, ObservedChange},
};

use crate::{ServiceError, audit};

/// What was new in a server's list.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Of how many sessions WAHA's status had changed.
    pub(super) changed_on_waha: usize,
    /// The sessions that did not work before and do now.
    pub(super) working_again: Vec<(Tenant, SessionId)>,
}

/// Compares a server's list with the sessions that a transaction sees, and writes what is new, each
/// organization's in a transaction of its own.
pub(super) async fn apply(
    store: &Store,
    tx: PlatformTx,
    server: ServerId,
    asked_at: Timestamp,
    listed: &[WahaSession],
) -> Result<Applied, ServiceError> {
    let listed: HashMap<&str, &WahaSession> = listed
        .iter()
        .map(|session| (session.name.as_str(), session))
        .collect();
    let known = tx.sessions_on_server(server).await?;
    drop(tx);

    let mut changes: HashMap<Tenant, Vec<News>> = HashMap::new();
    let mut applied = Applied::default();
    for SessionOnServer { tenant, session } in known {
        let listed = listed.get(session.waha.name.as_str()).copied();
        let observation = observation(listed, asked_at);
        let is_deleted = listed.is_none()
            && session.desired_status == DesiredStatus::Deleted
            && (session.updated_at < asked_at || session.updated_at.is_out_of_reach(asked_at));
        if is_deleted {
            changes.entry(tenant).or_default().push(News::Deleted(session.id));
        } else if let Some(change) = observation.change(&session) {
            // WAHA says nothing of what it forgot, nor of what was before wahana first looked.
            let is_told = listed.is_some() && session.observed_at.is_some();
            applied.changed_on_waha += usize::from(is_told && change.waha_status != session.waha_status);
            if change.status.is_working() && !session.status.is_working() {
                applied.working_again.push((tenant, session.id));
            }
            changes.entry(tenant).or_default().push(News::Changed(change));
        } else if let Some(claim) = observation.claim(&session)
            && is_free(store, tenant, &claim).await?
        {
            changes.entry(tenant).or_default().push(News::Changed(claim));
        }
    }
    for (tenant, mut news) in changes {
        // Others lock sessions in this order, too.
        news.sort_unstable_by_key(News::session);
        write(store, tenant, &news).await?;
    }
    Ok(applied)
}

/// Whether no other session of the organization holds the number any more.
async fn is_free(store: &Store, tenant: Tenant, claim: &ObservedChange) -> Result<bool, ServiceError> {
    let Some(number) = &claim.phone_number else {
        return Ok(false);
    };
    let tx = store.read(tenant).await?;
    Ok(!sessions::number_is_taken(&tx, number, claim.session).await?)
}

enum News {
    Changed(ObservedChange),
    /// What the organization wanted deleted is gone.
    Deleted(SessionId),
}

impl News {
    const fn session(&self) -> SessionId {
        match self {
            Self::Changed(change) => change.session,
            Self::Deleted(session) => *session,
        }
    }
}

async fn write(store: &Store, tenant: Tenant, news: &[News]) -> Result<(), ServiceError> {
    let tx = store.write(tenant).await?;
    let mut conflict = false;
    for one in news {
        match one {
            News::Deleted(session) => finish_deletion(&tx, *session).await?,
            News::Changed(change) => match sessions::observe(&tx, change).await {
                // On PostgreSQL the transaction is lost with this.
                Err(StoreError::Conflict(Uniqueness::SessionPhoneNumber)) => {
                    conflict = true;
                    break;
                }
                other => other?,
            },
        }
    }
    if !conflict {
        return Ok(tx.commit().await?);
    }
    drop(tx);
    for one in news {
        match one {
            News::Deleted(session) => {
                let tx = store.write(tenant).await?;
                finish_deletion(&tx, *session).await?;
                tx.commit().await?;
            }
            News::Changed(change) => observe(store, tenant, change).await?,
        }
    }
    Ok(())
}

/// Ends a deletion whose outcome was not known when it was asked for.
async fn finish_deletion(tx: &TenantTx, session: SessionId) -> Result<(), ServiceError> {
    if sessions::finish_deletion(tx, session).await? {
        let outcome = AuditOutcome::Success;
        audit::record_by_system(tx, "sessions.delete", Some(session), outcome).await?;
    }
    Ok(())
}

/// Writes one change. A number that another session of the organization holds stays there; the session
/// that was paired with it too says so.
pub(crate) async fn observe(
    store: &Store,
    tenant: Tenant,
    change: &ObservedChange,
) -> Result<(), ServiceError> {
    let tx = store.write(tenant).await?;
    match sessions::observe(&tx, change).await {
        Ok(()) => return Ok(tx.commit().await?),
        Err(StoreError::Conflict(Uniqueness::SessionPhoneNumber)) => drop(tx),
        Err(error) => return Err(error.into()),
    }
    let tx = store.write(tenant).await?;
    sessions::observe(&tx, &change.clone().with_taken_number()).await?;
    Ok(tx.commit().await?)
}

/// Writes that no number is paired with a session any more.
pub(crate) async fn forget_number(
    store: &Store,
    tenant: Tenant,
    session: &Session,
    observed_at: Timestamp,
) -> Result<(), ServiceError> {
    let change = ObservedChange {
        session: session.id,
        status: session.status,
        waha_status: session.waha_status.clone(),
        phone_number: None,
        last_error: session.last_error.clone(),
        observed_at,
    };
    observe(store, tenant, &change).await
}

/// What a session's entry in the list says; without one, that it is gone.
pub(crate) fn observation(listed: Option<&WahaSession>, asked_at: Timestamp) -> Observation {
    Observation {
        waha_status: listed.map(|session| session.status.as_str().to_owned()),
        phone_number: listed
            .and_then(|session| session.me.as_ref())
            .and_then(phone_number),
        asked_at,
    }
}

/// The number in an account's id, which WAHA writes as `6281234567890@c.us`, or with a device behind a
/// colon.
pub(crate) fn phone_number(me: &Me) -> Option<PhoneNumber> {
    let digits = me.id.split(['@', ':']).next()?;
    PhoneNumber::from_digits(digits).ok()
}
