//! `GET /api/waha/sessions/{sessionId}/{status,info,connected,health}` and `POST …/sync`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wahana_domain::{Health, HealthStatus, Session, SessionStatus, Timestamp};
use wahana_service::{
    SyncReport,
    access::ReadSessions,
    sessions::{self, WahaSide},
};

use super::{
    SessionMeta, SessionResource,
    configuration::{ClientFields, ConfigurationFields, IgnoreFields, NowebFields, NowebStoreFields},
};
use crate::{
    envelope::Envelope,
    error::{ApiError, ErrorBody},
    extract::{Allowed, OfSession},
    state::ApiState,
};

/// A session, and what WAHA itself says of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionInfo<'a> {
    #[serde(flatten)]
    session: SessionResource<'a>,
    /// Null when WAHA does not know the session or cannot be asked.
    waha: Option<WahaInfo>,
}

/// What WAHA itself says of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct WahaInfo {
    /// WAHA's engine, such as `NOWEB`; null while the session is stopped.
    engine: Option<String>,
    /// The account's profile.
    profile: ProfileInfo,
    /// The session's configuration without anything secret.
    configuration: ConfigurationFields,
}

/// The account's profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileInfo {
    /// The name that the account shows to others.
    push_name: Option<String>,
}

/// Whether a session is connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connected {
    connected: bool,
    #[schema(value_type = String)]
    status: SessionStatus,
}

/// How well a session does.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthReport<'a> {
    #[schema(value_type = String)]
    health_status: HealthStatus,
    /// Why that is thought.
    reason: &'a str,
    #[schema(value_type = String)]
    status: SessionStatus,
    error_count: i64,
    last_error: Option<&'a str>,
    checks: Vec<HealthCheck>,
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthCheck {
    name: &'static str,
    passed: bool,
    detail: String,
}

impl From<WahaSide> for WahaInfo {
    fn from(side: WahaSide) -> Self {
        let visible = side.configuration.unwrap_or_default();
        Self {
            engine: side.engine,
            profile: ProfileInfo {
                push_name: side.push_name,
            },
            configuration: ConfigurationFields {
                debug: visible.debug,
                ignore: visible.ignore.map(|ignore| IgnoreFields {
                    status: ignore.status,
                    groups: ignore.groups,
                    channels: ignore.channels,
                    broadcast: ignore.broadcast,
                }),
                client: visible.client.map(|client| ClientFields {
                    device_name: client.device_name,
                    browser_name: client.browser_name,
                }),
                noweb: visible.noweb.map(|noweb| NowebFields {
                    mark_online: noweb.mark_online,
                    store: noweb.store.map(|store| NowebStoreFields {
                        enabled: store.enabled,
                        full_sync: store.full_sync,
                    }),
                }),
            },
        }
    }
}

/// The session, as new as WAHA allows.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/status", operation_id = "sessions.status", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionResource, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn status(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadSessions>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let news = sessions::get(services, &allowed.access, &allowed.found).await?;
    let resource = SessionResource::of(&news.session, sessions::synced_at(services, &news.session));
    let meta = SessionMeta::of(&news.sync, services.now());
    Ok(allowed
        .reply("Session status retrieved.", resource)
        .with_meta(meta)
        .into_response())
}

/// The session, as new as WAHA allows, and what WAHA itself says of it.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/info", operation_id = "sessions.info", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionInfo, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn info(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadSessions>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let news = sessions::get(services, &allowed.access, &allowed.found).await?;
    let waha = sessions::on_waha(services, &allowed.access, &allowed.found, &news.sync).await;
    let info = SessionInfo {
        session: SessionResource::of(&news.session, sessions::synced_at(services, &news.session)),
        waha: waha.map(Into::into),
    };
    let meta = SessionMeta::of(&news.sync, services.now());
    Ok(allowed
        .reply("Session information retrieved.", info)
        .with_meta(meta)
        .into_response())
}

/// Whether the session is connected.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/connected", operation_id = "sessions.connected", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<Connected, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn connected(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadSessions>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let news = sessions::get(services, &allowed.access, &allowed.found).await?;
    let status = news.session.status;
    let meta = SessionMeta::of(&news.sync, services.now());
    let connected = Connected {
        connected: status.is_working(),
        status,
    };
    Ok(allowed
        .reply("Connection checked.", connected)
        .with_meta(meta)
        .into_response())
}

/// How well the session does, and why that is thought.
#[utoipa::path(
    get, path = "/api/waha/sessions/{sessionId}/health", operation_id = "sessions.health", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<HealthReport, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn health(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadSessions>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let news = sessions::get(services, &allowed.access, &allowed.found).await?;
    let now = services.now();
    let session = &*news.session;
    let is_fresh = news.sync.is_fresh;
    let silence = (!is_fresh).then(|| silence(session, &news.sync, now));
    let health = match &silence {
        Some(reason) => Health {
            status: HealthStatus::Unknown,
            reason,
        },
        None => session.health(),
    };
    // What was seen before WAHA fell silent passes no check: it may have changed since.
    let seen = |sentence: String| {
        if is_fresh {
            sentence
        } else {
            format!("Not known now. When WAHA last answered: {sentence}")
        }
    };
    let check = |name, passed, detail| HealthCheck {
        name,
        passed: is_fresh && passed,
        detail: seen(detail),
    };
    let upkeep = sessions::upkeep(services, &allowed.access, session).await?;
    let restriction = upkeep.restriction.map(|reason| {
        format!("WhatsApp restricts this number: {reason}. wahana neither restarts nor reconfigures it.")
    });
    // What wahana wrote down itself, it knows also while WAHA is silent; that there is nothing, it does not.
    let unless = |name, problem: Option<String>, otherwise: &str| match problem {
        Some(detail) => HealthCheck {
            name,
            passed: false,
            detail,
        },
        None => check(name, true, otherwise.to_owned()),
    };
    let known = if session.is_gone() {
        "WAHA does not know the session any more."
    } else {
        "WAHA knows the session."
    };
    let mut checks = vec![
        HealthCheck {
            name: "waha_answers",
            passed: is_fresh,
            detail: news
                .sync
                .reason
                .unwrap_or("WAHA answered a moment ago.")
                .to_owned(),
        },
        check("known_to_waha", !session.is_gone(), known.to_owned()),
        check(
            "connected_to_whatsapp",
            session.status.is_working(),
            format!("The session is {}.", session.status),
        ),
        unless(
            "kept_running",
            upkeep.halted.map(str::to_owned),
            "wahana keeps the session as it is wanted.",
        ),
        unless(
            "configured_as_wanted",
            upkeep.drift,
            "Its configuration on WAHA is not known to differ from what is wanted.",
        ),
        unless(
            "unrestricted",
            restriction,
            "WhatsApp is not known to restrict this number.",
        ),
        unless("alive", session.warning.clone(), "Nothing speaks against it."),
    ];
    if let Some(news) = sessions::hears_events(services, session).await? {
        checks.push(HealthCheck {
            name: "events_arrive",
            passed: news.arrive,
            detail: news.detail,
        });
    }
    let report = HealthReport {
        health_status: health.status,
        reason: health.reason,
        status: session.status,
        error_count: session.error_count,
        last_error: session.last_error.as_deref(),
        checks,
    };
    let meta = SessionMeta::of(&news.sync, now);
    Ok(allowed
        .reply("Session health checked.", report)
        .with_meta(meta)
        .into_response())
}

/// That WAHA is silent, and what it said before.
fn silence(session: &Session, sync: &SyncReport, now: Timestamp) -> String {
    let why = sync.reason.unwrap_or("WAHA has not answered yet.");
    match sync.synced_at {
        Some(at) => format!(
            "{why} Last known {} seconds ago: {}.",
            now.since(at).as_secs(),
            session.status
        ),
        None => format!("{why} Last known: {}.", session.status),
    }
}

/// Asks WAHA now, and gives the session as it is then; 503 if WAHA cannot be asked.
#[utoipa::path(
    post, path = "/api/waha/sessions/{sessionId}/sync", operation_id = "sessions.sync", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session's name or id")),
    responses((status = OK, body = Envelope<SessionResource, SessionMeta>), (status = "4XX", body = ErrorBody)),
)]
pub(crate) async fn sync(
    State(state): State<ApiState>,
    allowed: Allowed<OfSession, ReadSessions>,
) -> Result<Response, ApiError> {
    let services = state.services();
    let news = sessions::synchronize(services, &allowed.access, &allowed.found).await?;
    let resource = SessionResource::of(&news.session, sessions::synced_at(services, &news.session));
    let meta = SessionMeta::of(&news.sync, services.now());
    Ok(allowed
        .reply("Session synchronized.", resource)
        .with_meta(meta)
        .into_response())
}
