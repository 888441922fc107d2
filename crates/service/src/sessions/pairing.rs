//! Pairing a session with a phone: by QR code, or by a code to type.

use std::time::Duration;

use secrecy::SecretString;
use wahana_domain::{AuditOutcome, PhoneNumber, Session, SessionStatus, Timestamp};
use wahana_store::{Uniqueness, sessions as stored};

use super::{SessionNews, fresh};
use crate::{
    Context, ServiceError, Services, SyncReport,
    access::{Granted, ManageSessions, Owned},
    audit,
    upstream::{not_ready, refused_session},
};

/// How long WhatsApp shows a code before the next one takes its place: about twenty seconds.
const QR_LIFETIME: Duration = Duration::from_secs(20);
/// How often is looked whether a code has come.
const QR_POLL: Duration = Duration::from_millis(500);
/// When to ask again for a code that has not come.
const QR_RETRY: Duration = Duration::from_secs(2);

/// What a QR code says. Whoever scans it pairs the session, so it does not print itself.
#[derive(Debug)]
pub struct QrCode {
    /// The text that the code is a picture of.
    pub value: SecretString,
    /// When the next one takes its place, about.
    pub expires_at: Timestamp,
}

/// What can be shown to whoever wants to pair a session.
#[derive(Debug)]
pub enum QrState {
    /// It is paired and connected.
    Connected,
    /// This code is to be scanned.
    Code(QrCode),
    /// There is none yet; ask again after this time.
    Starting(Duration),
}

/// What can be shown, and how old the news are that it is made of.
#[derive(Debug)]
pub struct QrNews {
    /// What the session is doing.
    pub status: SessionStatus,
    /// What can be shown.
    pub state: QrState,
    /// How old the news are.
    pub sync: SyncReport,
}

/// A code to be typed on the phone.
#[derive(Debug)]
pub struct PairingCode(pub SecretString);

/// A session's QR code. While the session starts, waits up to `wait` for one.
pub async fn qr(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
    wait: Duration,
) -> Result<QrNews, ServiceError> {
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        let SessionNews { session, sync } = fresh(services, access, session).await?;
        let status = session.status;
        let showing = |state| QrNews { status, state, sync };
        match status {
            SessionStatus::Working => return Ok(showing(QrState::Connected)),
            SessionStatus::ScanQr => match code(services, access, &session).await {
                Ok(code) => return Ok(showing(QrState::Code(code))),
                // It went on since it was looked at.
                Err(ServiceError::SessionNotReady { .. }) => services.sync.outdate(session.waha.server),
                Err(error) => return Err(error),
            },
            SessionStatus::Connecting => {}
            status => return Err(not_ready(status)),
        }
        if tokio::time::Instant::now() + QR_POLL > deadline {
            return Ok(showing(QrState::Starting(QR_RETRY)));
        }
        tokio::time::sleep(QR_POLL).await;
        services.sync.outdate(session.waha.server);
    }
}

async fn code(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Session,
) -> Result<QrCode, ServiceError> {
    let upstream = services.upstreams.get(session.waha.server).await?;
    let value = upstream
        .waha()
        .qr_value(session.waha.name.as_str())
        .await
        .map_err(|error| {
            refused_session(
                &access.context().origin.request_id,
                session,
                "sessions.qr",
                &error,
            )
        })?;
    let tx = services.store.write(access.tenant()).await?;
    audit::record(
        &tx,
        access.context(),
        "sessions.qr",
        Some(session.id),
        AuditOutcome::Success,
    )
    .await?;
    tx.commit().await?;
    // WAHA tells of each new code by an event. Without events it is not known how old this one is.
    let now = services.now();
    let told_at = session.observed_at.filter(|at| now.since(*at) < QR_LIFETIME);
    Ok(QrCode {
        value,
        expires_at: told_at.unwrap_or(now).plus(QR_LIFETIME),
    })
}

/// A code to type on the phone with this number.
pub async fn pairing_code(
    services: &Services,
    access: &Granted<ManageSessions>,
    session: &Owned<Session>,
    number: &PhoneNumber,
) -> Result<PairingCode, ServiceError> {
    let session = fresh(services, access, session).await?.session;
    if session.status != SessionStatus::ScanQr {
        return Err(not_ready(session.status));
    }
    let (own, context, number) = (services.clone(), access.context().clone(), number.clone());
    services
        .to_the_end(async move { request_code(&own, &context, &session, &number).await })
        .await
}

async fn request_code(
    services: &Services,
    context: &Context,
    session: &Session,
    number: &PhoneNumber,
) -> Result<PairingCode, ServiceError> {
    const OPERATION: &str = "sessions.pairing_code";
    let tenant = context.caller.tenant();
    let upstream = services.upstreams.get(session.waha.server).await?;
    let tx = services.store.write(tenant).await?;
    // Only this organization's sessions count: what others hold is not told.
    if stored::number_is_taken(&tx, number, session.id).await? {
        return Err(Uniqueness::SessionPhoneNumber.into());
    }
    audit::record(&tx, context, OPERATION, Some(session.id), AuditOutcome::Intent).await?;
    tx.commit().await?;
    let asked = upstream
        .waha()
        .request_pairing_code(session.waha.name.as_str(), number.digits())
        .await;
    let outcome =
        asked.map_err(|error| refused_session(&context.origin.request_id, session, OPERATION, &error));
    let tx = services.store.write(tenant).await?;
    let result = outcome
        .as_ref()
        .err()
        .map_or(AuditOutcome::Success, |error| audit::failure(error.code()));
    audit::record(&tx, context, OPERATION, Some(session.id), result).await?;
    tx.commit().await?;
    outcome.map(PairingCode)
}
