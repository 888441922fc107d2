//! Sessions: seeing them, making them, and telling WAHA what is wanted of them.

mod actions;
mod answer;
mod call;
mod create;
mod hooking;
mod pairing;
mod update;

use std::{sync::Arc, time::Duration};

use wahana_domain::{Session, SessionId, SessionName, Timestamp, reconciliation::Halt};
pub use wahana_store::sessions::{SessionQuery, SessionSort};
use wahana_store::{
    Caller,
    sessions::{ServersOfSessions, SessionNamed, SessionReference},
};

pub use actions::{delete, logout, restart, start, stop};
pub(crate) use call::{Action, Call, Said};
pub use create::{NewSession, StartTarget, Started, create, find_or_plan, start_or_create};
pub use pairing::{PairingCode, QrCode, QrNews, QrState, pairing_code, qr};
pub use update::{SessionUpdate, WahaSide, on_waha, update};
pub(crate) use update::{as_waha_config, lacking};

use crate::{
    ServiceError, Services, SyncReport,
    access::{Granted, Owned, ReadSessions},
};

/// A page of sessions and how old the news are that it is made of.
#[derive(Debug)]
pub struct SessionListing {
    /// The sessions of the page.
    pub sessions: Arc<[Session]>,
    /// How many there are on all pages.
    pub total: u64,
    /// How old the news are.
    pub sync: SyncReport,
}

/// One session and how old the news are.
#[derive(Debug)]
pub struct SessionNews {
    /// The session.
    pub session: Arc<Session>,
    /// How old the news are.
    pub sync: SyncReport,
}

/// When to ask again for news that could not be had.
const SYNC_RETRY: Duration = Duration::from_secs(5);

/// A page of the organization's sessions, as new as WAHA allows.
pub async fn list(
    services: &Services,
    access: &Granted<ReadSessions>,
    query: &SessionQuery,
) -> Result<SessionListing, ServiceError> {
    let servers = services
        .session_servers
        .get(
            access,
            &ServersOfSessions {
                only: access.session_limit(),
            },
        )
        .await?;
    let sync = services.sync.refresh(&servers).await;
    let page = services.session_pages.get(access, query).await?;
    Ok(SessionListing {
        sessions: page.sessions,
        total: page.total,
        sync,
    })
}

/// A session, as new as WAHA allows.
pub async fn get(
    services: &Services,
    access: &Granted<ReadSessions>,
    session: &Owned<Session>,
) -> Result<SessionNews, ServiceError> {
    let sync = services.sync.refresh(&[session.waha.server]).await;
    let session = known(services, access, session.id).await?;
    Ok(SessionNews { session, sync })
}

/// A session after a snapshot of its server that was taken now.
///
/// # Errors
///
/// [`ServiceError::WahaUnavailable`] if none could be taken: who asks for news and gets none is told so.
pub async fn synchronize(
    services: &Services,
    access: &Granted<ReadSessions>,
    session: &Owned<Session>,
) -> Result<SessionNews, ServiceError> {
    let sync = services.sync.refresh_now(&[session.waha.server]).await;
    if !sync.is_fresh {
        let reason = sync.reason.unwrap_or("WAHA has not answered yet.");
        return Err(ServiceError::WahaUnavailable {
            message: format!(
                "The session was not synchronized: {reason} What was last known of it stays; its status says \
                 how old that is."
            ),
            retry_after: SYNC_RETRY,
        });
    }
    let session = known(services, access, session.id).await?;
    Ok(SessionNews { session, sync })
}

/// The session as WAHA has it now, if WAHA can say. It is asked first, because WAHA itself answers for
/// a session in the wrong state only after ten seconds.
pub(crate) async fn fresh(
    services: &Services,
    caller: &Caller,
    session: &Session,
) -> Result<SessionNews, ServiceError> {
    let sync = services.sync.refresh(&[session.waha.server]).await;
    let session = known(services, caller, session.id).await?;
    Ok(SessionNews { session, sync })
}

/// The same of a session that was read at this moment: it is read again only if it was waited for WAHA.
pub(crate) async fn still_fresh(
    services: &Services,
    caller: &Caller,
    session: &Owned<Session>,
) -> Result<Arc<Session>, ServiceError> {
    if services.sync.wait_for_news(&[session.waha.server]).await {
        known(services, caller, session.id).await
    } else {
        Ok(session.shared())
    }
}

/// What wahana's upkeep of a session says of it, for people.
#[derive(Clone, Debug, Default)]
pub struct UpkeepReport {
    /// Why nothing more is done by itself until somebody acts; `None` while wahana keeps it as wanted.
    pub halted: Option<&'static str>,
    /// What WhatsApp restricts, as far as is known.
    pub restriction: Option<String>,
    /// What of its configuration on WAHA is not as it should be.
    pub drift: Option<String>,
}

/// What wahana's upkeep of a session says of it.
pub async fn upkeep(
    services: &Services,
    access: &Granted<ReadSessions>,
    session: &Session,
) -> Result<UpkeepReport, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    let upkeep = wahana_store::upkeep::get(&tx, session.id).await?;
    let restriction = upkeep.restriction_at(services.now());
    Ok(UpkeepReport {
        halted: upkeep.attempts.halt.map(Halt::as_str),
        restriction: restriction.map(|restriction| restriction.reason.clone()),
        drift: upkeep.drift,
    })
}

/// When the last whole snapshot of a session's server was taken.
#[must_use]
pub fn synced_at(services: &Services, session: &Session) -> Option<Timestamp> {
    services.sync.synced_at(session.waha.server)
}

/// Whether the events of a session's WAHA server arrive, and that in words; `None` if none are expected.
pub async fn hears_events(services: &Services, session: &Session) -> Result<Option<EventNews>, ServiceError> {
    let upstream = services.upstreams.get(session.waha.server).await?;
    let (since, heard) = (upstream.server.event_gap_since, upstream.server.last_event_at);
    let detail = match (since, heard) {
        (Some(since), _) => format!(
            "Changes have been found only by asking WAHA since {since}: its events do not arrive, so what is shown \
             may be some seconds old."
        ),
        (None, None) if services.settings.hook_url.is_none() => return Ok(None),
        (None, _) => "No event of WAHA's was missed.".to_owned(),
    };
    Ok(Some(EventNews {
        arrive: since.is_none(),
        detail,
    }))
}

/// Whether events arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNews {
    /// Whether they do, as far as is known.
    pub arrive: bool,
    /// The same in words.
    pub detail: String,
}

async fn known(services: &Services, caller: &Caller, id: SessionId) -> Result<Arc<Session>, ServiceError> {
    let read = SessionNamed {
        reference: SessionReference::Id(id),
        only: caller.session_limit(),
    };
    let session = services.session_by_name.get(caller, &read).await?;
    session.ok_or(ServiceError::SessionNotFound)
}

/// Whether a session of this name exists, for the caller's organization.
async fn name_is_taken(
    services: &Services,
    access: &Caller,
    name: &SessionName,
) -> Result<bool, ServiceError> {
    let tx = services.store.read(access.tenant()).await?;
    Ok(wahana_store::sessions::name_exists(&tx, name).await?)
}
