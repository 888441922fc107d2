//! The way to WAHA: which server, with which key, and what its failures mean here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::future::Cache;
use url::Url;
use waha_client::{
    Circuit, Guard, GuardLimits, HeldBack, HttpClient, Outcome, Timeouts, WahaClient, WahaConfig, WahaError,
};
use wahana_domain::{ServerId, Session, SessionStatus, WahaServer};
use wahana_store::{Store, is_transaction_open_in_this_task};

use crate::ServiceError;

/// How long a server's address and key are believed without looking again.
const MAX_AGE: Duration = Duration::from_secs(4);
/// How long a server is believed to be of the version that it named. Operators replace servers with newer ones, and
/// seldom with older ones.
const VERSION_MAX_AGE: Duration = Duration::from_mins(10);
/// How many servers are remembered.
const CAPACITY: u64 = 10_000;
/// When to come back after a server could not be reached.
const UNREACHABLE_RETRY: Duration = Duration::from_secs(5);
/// When to come back after a server was busy with another change of the session.
const BUSY_RETRY: Duration = Duration::from_secs(2);
/// When to come back to a server that is paused.
const PAUSED_RETRY: Duration = Duration::from_mins(1);

/// A WAHA server that can be called.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) server: WahaServer,
    client: WahaClient,
}

impl Upstream {
    /// The client. Nobody may hold a transaction while WAHA thinks: on SQLite all writers would wait.
    pub(crate) fn waha(&self) -> &WahaClient {
        debug_assert!(
            !is_transaction_open_in_this_task(),
            "WAHA is called while a transaction is open"
        );
        &self.client
    }
}

/// The WAHA servers that this process talks to.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    store: Store,
    http: HttpClient,
    timeouts: Timeouts,
    limits: GuardLimits,
    known: Cache<ServerId, Arc<Upstream>>,
    guards: Arc<Mutex<HashMap<ServerId, Guard>>>,
    takes_message_keys: Cache<ServerId, bool>,
}

impl Upstreams {
    pub(crate) fn new(store: Store, http: HttpClient, timeouts: Timeouts, limits: GuardLimits) -> Self {
        Self {
            store,
            http,
            timeouts,
            limits,
            known: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(MAX_AGE)
                .build(),
            guards: Arc::default(),
            takes_message_keys: Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(VERSION_MAX_AGE)
                .build(),
        }
    }

    /// The server with this id.
    pub(crate) async fn get(&self, id: ServerId) -> Result<Arc<Upstream>, ServiceError> {
        if let Some(upstream) = self.known.get(&id).await {
            return Ok(upstream);
        }
        let tx = self.store.platform_read().await?;
        let server = tx.server(id).await?;
        drop(tx);
        let server =
            server.ok_or_else(|| ServiceError::Internal(format!("WAHA server {id} is not known")))?;
        let upstream = Arc::new(self.connect(server)?);
        self.known.insert(id, upstream.clone()).await;
        Ok(upstream)
    }

    /// Whether a server lets wahana choose the keys of texts. One that does not say what it is does not.
    pub(crate) async fn takes_message_keys(&self, upstream: &Upstream) -> bool {
        let id = upstream.server.id;
        if let Some(known) = self.takes_message_keys.get(&id).await {
            return known;
        }
        let Ok(version) = upstream.waha().version().await else {
            return false;
        };
        let takes = version.takes_message_keys();
        self.takes_message_keys.insert(id, takes).await;
        takes
    }

    /// A server that need not be known yet.
    pub(crate) fn connect(&self, server: WahaServer) -> Result<Upstream, ServiceError> {
        let guard = self.guard(&server);
        self.connect_through(server, guard)
    }

    /// The same, called whether it was away just now or not.
    pub(crate) fn connect_unguarded(&self, server: WahaServer) -> Result<Upstream, ServiceError> {
        let limits = limits(&server, self.limits);
        self.connect_through(server, Guard::new(limits))
    }

    fn connect_through(&self, server: WahaServer, guard: Guard) -> Result<Upstream, ServiceError> {
        let faulty = |error: &dyn std::fmt::Display| {
            ServiceError::Internal(format!("WAHA server {} is set up wrongly: {error}", server.name))
        };
        let base_url = Url::parse(&server.base_url).map_err(|error| faulty(&error))?;
        let config = WahaConfig {
            timeouts: self.timeouts,
            guard,
            ..WahaConfig::new(base_url, server.api_key.clone())
        };
        let client = WahaClient::new(&self.http, config).map_err(|error| faulty(&error))?;
        Ok(Upstream { server, client })
    }

    /// What stands before a server, with the limits that its row has now. Whether the server is away outlives
    /// what is known of its address, key and limits.
    fn guard(&self, server: &WahaServer) -> Guard {
        let limits = limits(server, self.limits);
        let mut guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = guards.entry(server.id).or_insert_with(|| Guard::new(limits));
        if guard.limits() != limits {
            *guard = guard.with_limits(limits);
        }
        guard.clone()
    }

    /// Whether this process calls a server. One that it never called is taken to be there.
    pub(crate) fn circuit(&self, id: ServerId) -> Circuit {
        let guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
        guards.get(&id).map_or(Circuit::Closed, Guard::circuit)
    }

    /// Forgets what is known of a server, because it was changed.
    pub(crate) async fn forget(&self, id: ServerId) {
        self.known.invalidate(&id).await;
    }
}

/// How much a server is asked at most, where its row says so.
fn limits(server: &WahaServer, default: GuardLimits) -> GuardLimits {
    let concurrency = server.concurrency.and_then(|calls| usize::try_from(calls).ok());
    GuardLimits {
        concurrency: concurrency.unwrap_or(default.concurrency),
        calls_per_second: server
            .requests_per_second
            .and_then(|calls| u32::try_from(calls).ok())
            .or(default.calls_per_second),
        ..default
    }
}

/// A server on which an operator wants nothing to be started.
pub(crate) fn paused() -> ServiceError {
    ServiceError::WahaUnavailable {
        message: "The platform's operator paused the WhatsApp service of this session. Nothing was done."
            .to_owned(),
        retry_after: PAUSED_RETRY,
    }
}

/// Whether WAHA may have done what it was asked to do, although it gave an error.
pub(crate) fn may_have_happened(error: &WahaError) -> bool {
    error.outcome() == Outcome::Unknown
}

/// Logs that WAHA did not, or perhaps did not, do what it was asked for a session, and says what that means for
/// the caller.
pub(crate) fn refused_session(
    request_id: &str,
    session: &Session,
    operation: &'static str,
    error: &WahaError,
) -> ServiceError {
    macro_rules! line {
        ($message:literal) => {
            tracing::warn!(
                request.id = request_id,
                organization.id = %session.organization_id,
                session.id = %session.id,
                operation,
                error.kind = error.kind(),
                error = %error,
                $message
            )
        };
    }
    if may_have_happened(error) {
        line!("it is not known whether WAHA did what it was asked for a session");
    } else {
        line!("WAHA did not do what it was asked for a session");
    }
    refused_by_waha(error)
}

/// What a failure of WAHA's means for the caller. WAHA's own words stay in the log.
pub(crate) fn refused_by_waha(error: &WahaError) -> ServiceError {
    match error {
        WahaError::Unreachable { .. } => ServiceError::WahaUnavailable {
            message: "The WhatsApp service of this session cannot be reached at the moment. Nothing was done."
                .to_owned(),
            retry_after: UNREACHABLE_RETRY,
        },
        WahaError::HeldBack {
            why: HeldBack::Away,
            retry_after,
        } => ServiceError::WahaUnavailable {
            message: "The WhatsApp service of this session does not answer at the moment. Nothing was done."
                .to_owned(),
            retry_after: *retry_after,
        },
        WahaError::HeldBack {
            why: HeldBack::Crowded,
            retry_after,
        } => ServiceError::WahaUnavailable {
            message: "The WhatsApp service of this session has too much to do at the moment. Nothing was done."
                .to_owned(),
            retry_after: *retry_after,
        },
        WahaError::Busy => ServiceError::WahaUnavailable {
            message: "The WhatsApp service is busy with another change of this session. Nothing was done."
                .to_owned(),
            retry_after: BUSY_RETRY,
        },
        WahaError::OutcomeUnknown { .. } => ServiceError::WahaTimeout { message_id: None },
        WahaError::WrongState { status, .. } => not_ready(SessionStatus::from_waha(status.as_str())),
        WahaError::UnknownSession | WahaError::NotRunning => not_ready(SessionStatus::Disconnected),
        WahaError::NotFound => ServiceError::NotFound("This"),
        WahaError::Unsupported { .. } => ServiceError::WahaFaulty(
            "The WAHA server of this session, its engine or the session's configuration does not support this."
                .to_owned(),
        ),
        WahaError::Rejected { .. } => {
            ServiceError::WahaFaulty("WAHA did not accept this request. Nothing was done.".to_owned())
        }
        WahaError::KeyRefused { .. } => ServiceError::WahaFaulty(
            "The WAHA server of this session does not accept wahana's key; the platform's operator must act."
                .to_owned(),
        ),
        WahaError::AlreadyExists
        | WahaError::ServerError { .. }
        | WahaError::BrokenAnswer { .. }
        | WahaError::NotSendable { .. } => ServiceError::WahaFaulty(
            "WAHA gave an unexpected answer. Try again, and tell the platform's operator if it stays.".to_owned(),
        ),
    }
}

/// What a failure to read from a WAHA server means for an operator, who knows the server and can act.
pub(crate) fn unreadable_for_operator(server: &WahaServer, error: &WahaError) -> ServiceError {
    let message = format!("WAHA server {} at {}: {error}.", server.name, server.base_url);
    match error {
        WahaError::Unreachable { .. } | WahaError::OutcomeUnknown { .. } | WahaError::Busy => {
            ServiceError::WahaUnavailable {
                message,
                retry_after: UNREACHABLE_RETRY,
            }
        }
        _ => ServiceError::WahaFaulty(message),
    }
}

/// The session is in a state in which this cannot be done; says which and what to do next.
pub(crate) fn not_ready(status: SessionStatus) -> ServiceError {
    let next = match status {
        SessionStatus::Working => "It is connected to WhatsApp already.",
        SessionStatus::Connecting => "Wait until it is connected, or ask for its QR code.",
        SessionStatus::ScanQr => "Scan its QR code first: GET /api/waha/sessions/{sessionId}/qr.",
        SessionStatus::ActionRequired => "Follow the step that its last_error names, on the phone.",
        SessionStatus::Disconnected => "Start it first: POST /api/waha/sessions/{sessionId}/start.",
        SessionStatus::Error => "Restart it first: POST /api/waha/sessions/{sessionId}/restart.",
    };
    ServiceError::SessionNotReady {
        status,
        message: format!("The session is {status}. {next}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use waha_client::HttpOptions;
    use wahana_domain::{SystemClock, Timestamp};
    use wahana_testkit::database::TestDatabase;

    use super::*;

    /// Uses a client in a task of its own, as requests do; says whether that was let happen.
    async fn calls_waha(store: Store, upstream: Arc<Upstream>, is_transaction_open: bool) -> bool {
        let task = tokio::spawn(async move {
            let transaction = if is_transaction_open {
                Some(store.platform_read().await.unwrap())
            } else {
                None
            };
            let _ = upstream.waha();
            drop(transaction);
        });
        task.await.is_ok()
    }

    #[tokio::test]
    #[cfg(debug_assertions)]
    async fn waha_is_not_called_while_a_transaction_is_open() {
        // Another test of the same process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = TestDatabase::sqlite().await;
        let store = database.store(Arc::new(SystemClock)).await;
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let upstreams = Upstreams::new(store.clone(), http, Timeouts::default(), GuardLimits::default());
        let upstream = Arc::new(upstreams.connect(server()).unwrap());
        assert!(!calls_waha(store.clone(), upstream.clone(), true).await);
        assert!(calls_waha(store, upstream, false).await);
    }

    fn server() -> WahaServer {
        let now = Timestamp::from_seconds(0);
        WahaServer {
            id: ServerId::new(),
            name: "one".to_owned(),
            base_url: "http://127.0.0.1:1".to_owned(),
            api_key: "key".to_owned().into(),
            capacity: None,
            concurrency: None,
            requests_per_second: None,
            organization: None,
            paused_at: None,
            draining_at: None,
            last_snapshot_at: None,
            hook_version: 1,
            last_event_at: None,
            event_gap_since: None,
            created_at: now,
            updated_at: now,
        }
    }

    #[tokio::test]
    async fn a_server_is_called_as_its_row_says_and_stays_away_when_the_row_changes() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = TestDatabase::sqlite().await;
        let store = database.store(Arc::new(SystemClock)).await;
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let upstreams = Upstreams::new(store, http, Timeouts::default(), GuardLimits::default());
        let mut server = server();
        let upstream = upstreams.connect(server.clone()).unwrap();
        assert_eq!(upstreams.guard(&server).limits(), GuardLimits::default());
        for _ in 0..3 {
            assert!(upstream.waha().ping().await.is_err());
        }
        assert!(matches!(upstreams.circuit(server.id), Circuit::Open(_)));
        server.concurrency = Some(3);
        server.requests_per_second = Some(7);
        let upstream = upstreams.connect(server.clone()).unwrap();
        let limits = upstreams.guard(&server).limits();
        assert_eq!((limits.concurrency, limits.calls_per_second), (3, Some(7)));
        assert!(matches!(
            upstream.waha().ping().await,
            Err(WahaError::HeldBack {
                why: HeldBack::Away,
                ..
            })
        ));
        assert_eq!(upstreams.circuit(ServerId::new()), Circuit::Closed);
    }
}
