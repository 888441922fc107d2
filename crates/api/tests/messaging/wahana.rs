//! wahana over SQLite and a simulated WAHA, with one organization and one session.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;
use url::Url;
use waha_client::{HttpClient, HttpOptions, TimeLimit};
use waha_sim::{SessionSeed, WahaSim, WahaSimBuilder};
use wahana_api::{ApiSettings, ApiState, UploadLimits};
use wahana_domain::{
    Abilities, AccessToken, AuditEntry, AuditOutcome, Clock, Country, DeliveryStatus, EmailAddress, FileName,
    ManualClock, MediaFile, MediaState, MediaType, Membership, MessageId, MessageKind, Organization,
    OrganizationLimits, OutgoingMessage, Role, Secret, ServerId, Session, SessionStatus, SystemClock,
    Timestamp, TokenId, UserId,
};
use wahana_service::{
    AllowedNetwork, ServiceSettings, Services,
    media::{self, MediaStore},
};
use wahana_store::{
    NewServer, NewUser, Store, Tenant, access_tokens,
    activity::Tally,
    audit::{self, AuditQuery},
    media_files::{self, ExpectedFile, NewFile},
    messages::{self, Ledger, MessageContent, MessageNews, NewMessage, Requester},
    sessions,
    upkeep::{self, Restriction},
};
use wahana_testkit::{database::TestDatabase, rows};

const SESSION: &str = "reception";
pub(crate) const WAHA_KEY: &str = "the key of the WAHA server of the tests";

/// How wahana is set up.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) country: Option<Country>,
    pub(crate) media_limit: Option<usize>,
    pub(crate) media_allow: Vec<AllowedNetwork>,
    /// What may be sent; everything if nothing is said.
    pub(crate) allowed_types: Vec<&'static str>,
    pub(crate) uploads: UploadLimits,
    /// How many bytes of files an organization may have.
    pub(crate) media_bytes: Option<u64>,
    /// NOWEB's store is off.
    pub(crate) without_store: bool,
    /// The machine's, if it is not said.
    pub(crate) clock: Option<Arc<ManualClock>>,
    /// How long a send may take; a second if it is not said.
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) limits: OrganizationLimits,
    pub(crate) resends_lost_messages: bool,
}

pub(crate) struct Wahana {
    pub(crate) sim: WahaSim,
    pub(crate) services: Services,
    pub(crate) session: Session,
    pub(crate) database: TestDatabase,
    router: Router,
    store: Store,
    pub(crate) tenant: Tenant,
    user: UserId,
    bearer: String,
    settings: ServiceSettings,
    /// Where files are kept, for as long as the test runs.
    media: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text))
    }

    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()["data"].take()
    }

    /// Status and error code.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["error_code"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), code)
    }

    /// The names of the faulty fields.
    pub(crate) fn faults(&self) -> Vec<String> {
        assert_eq!(
            self.refusal(),
            (422, "VALIDATION_ERROR".to_owned()),
            "{}",
            self.text
        );
        let errors = self.json()["errors"].take();
        errors.as_object().unwrap().keys().cloned().collect()
    }
}

impl Wahana {
    pub(crate) async fn start() -> Self {
        Self::with(WahaSim::builder(), Setup::default()).await
    }

    /// With so much time for a send that a slow machine has enough of it.
    pub(crate) async fn patient() -> Self {
        let setup = Setup {
            send_timeout: Some(Duration::from_secs(20)),
            ..Setup::default()
        };
        Self::with(WahaSim::builder(), setup).await
    }

    pub(crate) async fn with(sim: WahaSimBuilder, setup: Setup) -> Self {
        // Every test may be the first of its process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Boxed, as every test holds this future within its own.
        let sim = Box::pin(sim.api_key(WAHA_KEY).time_scale(0.02).start());
        let sim = sim.await.unwrap();
        let database = TestDatabase::sqlite().await;
        let clock: Arc<dyn Clock> = match setup.clock.clone() {
            Some(clock) => clock,
            None => Arc::new(SystemClock),
        };
        let store = database.store(clock).await;

        let (server, user, tenant) = insert_rows(&store, &sim, &setup).await;
        let session = new_session(&store, tenant, server).await;
        let seed = SessionSeed::new(session.waha.name.as_str());
        sim.add_session(if setup.without_store {
            seed.config(Value::Null)
        } else {
            seed
        });

        let mut service_settings = ServiceSettings {
            media_allow: setup.media_allow,
            ..ServiceSettings::at(Url::parse("http://wahana.test/").unwrap())
        };
        let media = TempDir::new().unwrap();
        service_settings.media.store = MediaStore::in_directory(media.path().to_owned());
        if let Some(bytes) = setup.media_bytes {
            service_settings.media.organization_bytes = bytes;
        }
        if !setup.allowed_types.is_empty() {
            let types = setup.allowed_types.iter().map(|pattern| pattern.parse().unwrap());
            service_settings.media.allowed_types = types.collect();
        }
        let send_timeout = setup.send_timeout.unwrap_or(Duration::from_secs(1));
        service_settings.waha_timeouts.send = TimeLimit {
            idle: send_timeout,
            total: Some(send_timeout),
        };
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let services = Services::new(store.clone(), http, service_settings.clone());
        let mut settings = ApiSettings::at(Url::parse("http://wahana.test/").unwrap());
        settings.uploads = setup.uploads;
        if let Some(limit) = setup.media_limit {
            settings.media_limit = limit;
        }
        let router = wahana_api::router(ApiState::new(services.clone(), settings));
        let mut wahana = Self {
            sim,
            services,
            session,
            database,
            router,
            store,
            tenant,
            user,
            bearer: String::new(),
            settings: service_settings,
            media,
        };
        wahana.bearer = Box::pin(wahana.token(user, Abilities::All)).await;
        wahana
    }

    /// The names and sizes of all that is in the media store, what is being written included.
    pub(crate) fn kept(&self) -> Vec<(String, u64)> {
        let mut kept = Vec::new();
        let mut folders = vec![self.media.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                // What was deleted meanwhile is not there.
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => {
                        kept.push((entry.file_name().into_string().unwrap(), metadata.len()));
                    }
                    Err(_) => {}
                }
            }
        }
        kept
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    async fn token(&self, user: UserId, abilities: Abilities) -> String {
        let tx = self.store.write(self.tenant).await.unwrap();
        let secret = Secret::generate();
        let token = AccessToken {
            abilities,
            ..rows::token(self.tenant.organization_id(), user, tx.now())
        };
        access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        format!("Bearer {}|{}", token.id, secret.expose())
    }

    /// A viewer's token.
    pub(crate) async fn viewer(&self) -> String {
        let user = UserId::new();
        let tx = self.store.platform_write().await.unwrap();
        let new_user = NewUser {
            id: user,
            email: EmailAddress::parse("viewer@wahana.test").unwrap(),
            display_name: "Viewer".to_owned(),
            is_platform_administrator: false,
        };
        tx.insert_user(&new_user).await.unwrap();
        let membership = Membership {
            organization_id: self.tenant.organization_id(),
            user_id: user,
            role: Role::Viewer,
            created_at: tx.now(),
        };
        tx.insert_membership(&membership).await.unwrap();
        tx.commit().await.unwrap();
        self.token(user, Abilities::All).await
    }

    /// What a request is answered. It is made apart, so that a test may hang up.
    pub(crate) fn request(&self, request: Request<Body>) -> impl Future<Output = Answer> + Send + 'static {
        let router = self.router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Answer {
                status: parts.status,
                headers: parts.headers,
                text: String::from_utf8(bytes.to_vec()).unwrap(),
            }
        }
    }

    /// A request that posts to the session.
    pub(crate) fn posting(&self, what: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
        Request::post(format!("/api/waha/sessions/{SESSION}/{what}"))
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, content_type)
            .body(body.into())
            .unwrap()
    }

    pub(crate) async fn post(&self, what: &str, body: &Value) -> Answer {
        self.request(self.posting(what, "application/json", body.to_string()))
            .await
    }

    pub(crate) async fn get(&self, what: &str) -> Answer {
        let request = Request::get(format!("/api/waha/sessions/{SESSION}/{what}"))
            .header(header::AUTHORIZATION, &self.bearer)
            .body(Body::empty())
            .unwrap();
        self.request(request).await
    }

    /// Posts to the session with these headers.
    pub(crate) async fn post_with(
        &self,
        what: &str,
        body: &Value,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut request = self.posting(what, "application/json", body.to_string());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        self.request(request).await
    }

    /// Calls what lies outside of the session.
    pub(crate) async fn call(&self, method: &str, path: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/waha/{path}"))
            .header(header::AUTHORIZATION, &self.bearer)
            .body(Body::empty())
            .unwrap();
        self.request(request).await
    }

    /// Hands over what waits, as a process does beside answering requests, until it is dropped.
    pub(crate) fn dispatch(&self) -> DropGuard {
        Self::dispatching(self.services.clone())
    }

    /// The same in another process of the same installation.
    pub(crate) fn dispatch_elsewhere(&self) -> DropGuard {
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        Self::dispatching(Services::new(self.store.clone(), http, self.settings.clone()))
    }

    fn dispatching(services: Services) -> DropGuard {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move { wahana_service::messages::dispatch(&services, &stop).await });
        guard
    }

    /// Applies what an event of WAHA's says of a message.
    pub(crate) async fn hear(&self, news: &MessageNews) {
        let tx = self.store.write(self.tenant).await.unwrap();
        sessions::lock(&tx, self.session.id).await.unwrap();
        let keys = [news.key.as_str()];
        let mut ledger = Ledger::open(&tx, self.session.id, keys).await.unwrap();
        ledger.hear(news);
        let mut tally = Tally::new();
        ledger.write(&tx, &mut tally).await.unwrap();
        tally.write(&tx, self.session.id).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Gives the session this pace; null for none.
    pub(crate) async fn set_pacing(&self, pacing: Value) {
        let body = serde_json::json!({"pacing": pacing}).to_string();
        let request = Request::patch(format!("/api/waha/sessions/{SESSION}"))
            .header(header::AUTHORIZATION, &self.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into())
            .unwrap();
        self.request(request).await.data();
    }

    /// The texts that went out, in their order.
    pub(crate) fn texts(&self) -> Vec<String> {
        let sent = self.sim.sent_messages().into_iter();
        sent.map(|sent| sent.text.unwrap_or_default()).collect()
    }

    /// Takes back the token of whoever calls.
    pub(crate) async fn revoke(&self) {
        let id = self
            .bearer
            .trim_start_matches("Bearer ")
            .split('|')
            .next()
            .unwrap();
        let tx = self.store.write(self.tenant).await.unwrap();
        assert!(
            access_tokens::revoke(&tx, &TokenId::parse(id).unwrap())
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
    }

    /// Notes that WhatsApp restricts the session's number.
    pub(crate) async fn restrict(&self, reason: &str, until: Option<Timestamp>) {
        let tx = self.store.write(self.tenant).await.unwrap();
        let reason = reason.to_owned();
        upkeep::set_restriction(&tx, self.session.id, &Restriction { reason, until })
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until a message has this status.
    pub(crate) async fn until(&self, id: &Value, status: DeliveryStatus) -> OutgoingMessage {
        loop {
            let message = self.message(id).await;
            if message.status == status {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a message says that it waits for something, and makes sure that it is this.
    pub(crate) async fn until_it_waits(&self, id: &Value, for_what: &str) {
        loop {
            if let Some(reason) = self.message(id).await.reason {
                assert!(reason.contains(for_what), "{reason}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How often WAHA was asked to send.
    pub(crate) fn sends(&self) -> u64 {
        let counts = self.sim.counts();
        let sends = counts
            .by_route
            .iter()
            .filter(|(route, _)| route.contains("/api/send"));
        sends.map(|(_, count)| count).sum()
    }

    /// The session's counters of messages and media sent.
    pub(crate) async fn counted(&self) -> (i64, i64) {
        let tx = self.store.read(self.tenant).await.unwrap();
        let session = sessions::with_ids(&tx, &[self.session.id])
            .await
            .unwrap()
            .remove(0);
        (session.counters.messages_sent, session.counters.media_sent)
    }

    /// A request of the owner's for any path.
    pub(crate) async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path).header(header::AUTHORIZATION, &self.bearer);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(Body::empty()).unwrap()).await
    }

    /// A message without a file.
    pub(crate) async fn insert_message(&self) -> MessageId {
        let tx = self.store.write(self.tenant).await.unwrap();
        let message = OutgoingMessage {
            kind: MessageKind::Document,
            status: DeliveryStatus::Accepted,
            ..rows::message(self.session.id, tx.now())
        };
        let new = NewMessage {
            message: &message,
            content: &MessageContent::default(),
            requester: &Requester {
                user: self.user,
                token: None,
                request_id: "request".to_owned(),
            },
            key: None,
        };
        messages::enqueue(&tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        message.id
    }

    /// A message with a file that is kept.
    pub(crate) async fn insert_file(
        &self,
        media_type: &str,
        name: Option<&str>,
        text: &'static str,
    ) -> (MessageId, MediaFile) {
        let message = self.insert_message().await;
        let bytes = futures_util::stream::iter([Ok::<_, ()>(text.into())]);
        let upload = media::upload(&self.services, self.tenant, bytes, 1000).await;
        let tx = self.store.write(self.tenant).await.unwrap();
        let new = NewFile {
            stored: upload.unwrap().claim().clone(),
            media_type: MediaType::parse(media_type).unwrap(),
            name: name.and_then(FileName::sanitize),
            expires_at: tx.now().plus(Duration::from_hours(1)),
        };
        let file = media_files::insert(&tx, &new).await.unwrap();
        assert!(media_files::attach(&tx, file.id, message, None).await.unwrap());
        tx.commit().await.unwrap();
        (message, file)
    }

    /// A message whose file is in a state in which it cannot be had.
    pub(crate) async fn insert_lost_file(&self, state: MediaState) -> MessageId {
        let message = self.insert_message().await;
        let tx = self.store.write(self.tenant).await.unwrap();
        let expected = ExpectedFile {
            message,
            source: None,
            media_type: MediaType::unknown(),
            name: None,
        };
        let id = media_files::expect(&tx, &expected).await.unwrap().unwrap();
        if state != MediaState::Waiting {
            media_files::give_up(&tx, id, state).await.unwrap();
        }
        tx.commit().await.unwrap();
        message
    }

    pub(crate) async fn message(&self, id: &Value) -> OutgoingMessage {
        let id: MessageId = id.as_str().unwrap().parse().unwrap();
        let tx = self.store.read(self.tenant).await.unwrap();
        messages::get(&tx, id).await.unwrap().unwrap()
    }

    /// The audit log, oldest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let tx = self.store.read(self.tenant).await.unwrap();
        let mut entries = audit::page(&tx, &AuditQuery::default(), 100).await.unwrap();
        entries.reverse();
        entries
    }

    /// The outcomes in the audit log, oldest first.
    pub(crate) async fn outcomes(&self) -> Vec<String> {
        let entries = self.audit().await;
        let words = entries.into_iter().map(|entry| {
            let outcome = match entry.outcome {
                AuditOutcome::Intent => "intent".to_owned(),
                AuditOutcome::Success => "success".to_owned(),
                AuditOutcome::Failure { error_code } => error_code,
            };
            format!("{} {outcome}", entry.operation)
        });
        words.collect()
    }
}

/// A WAHA server, an organization and its owner.
async fn insert_rows(store: &Store, sim: &WahaSim, setup: &Setup) -> (ServerId, UserId, Tenant) {
    let server = ServerId::new();
    let user = UserId::new();
    let tx = store.platform_write().await.unwrap();
    let now = tx.now();
    tx.insert_server(&NewServer {
        id: server,
        name: "WAHA".to_owned(),
        base_url: sim.base_url(),
        api_key: WAHA_KEY.to_owned().into(),
        capacity: None,
    })
    .await
    .unwrap();
    let organization = Organization {
        country: setup.country,
        limits: setup.limits,
        resends_lost_messages: setup.resends_lost_messages,
        ..rows::organization("A", now)
    };
    tx.insert_organization(&organization).await.unwrap();
    let new_user = NewUser {
        id: user,
        email: EmailAddress::parse("owner@wahana.test").unwrap(),
        display_name: "Owner".to_owned(),
        is_platform_administrator: false,
    };
    tx.insert_user(&new_user).await.unwrap();
    let membership = Membership {
        organization_id: organization.id,
        user_id: user,
        role: Role::Owner,
        created_at: now,
    };
    tx.insert_membership(&membership).await.unwrap();
    let tenant = tx.tenant(organization.id).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    (server, user, tenant)
}

async fn new_session(store: &Store, tenant: Tenant, server: ServerId) -> Session {
    let tx = store.write(tenant).await.unwrap();
    let now = tx.now();
    let session = Session {
        status: SessionStatus::Working,
        waha_status: Some("WORKING".to_owned()),
        ..rows::session(tenant.organization_id(), server, SESSION, now)
    };
    sessions::insert(&tx, &session).await.unwrap();
    tx.commit().await.unwrap();
    session
}
