//! wahana behind a port of the loopback interface, with two organizations and everybody who might call.

mod actor;
mod client;
mod ending;
mod log;
mod people;
mod stream;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, extract::Request, middleware::Next};
use http::HeaderMap;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tracing::Instrument as _;
use url::Url;
use waha_client::{HttpClient, HttpOptions};
use waha_sim::{SessionSeed, WahaSim};
use wahana_api::{ApiSettings, ApiState};
use wahana_domain::{
    Clock, Organization, OrganizationId, OrganizationState, ServerId, Session, SessionId, SessionStatus,
    SystemClock, Timestamp, UserId,
};
use wahana_service::{
    ServiceSettings, Services, limits::LimitSettings, media::MediaStore, organization_events::StreamLimits,
};
use wahana_store::{NewServer, Store, Tenant, sessions};

pub use self::actor::{Actor, By, Home};
pub use self::client::{Answer, Client};
pub use self::ending::Ending;
pub use self::people::Sees;
pub use self::stream::{EventStream, ServerSentEvent};
use self::{
    log::{REQUEST_SPAN, RequestLog},
    people::{Homes, Person},
};
use crate::{database::TestDatabase, rows};

/// What must never be seen by a tenant or in a log.
const UPSTREAM_KEY: &str = "the key of the WAHA server of the tests";

/// How long is waited for news of the simulator, which always answers.
const SYNC_WAIT: Duration = Duration::from_secs(20);

/// wahana, answering at a port. Dropping it ends it.
#[derive(Debug)]
pub struct TestApp {
    address: SocketAddr,
    public_url: Url,
    store: Store,
    tenants: [Tenant; 4],
    server: ServerId,
    waha: WahaSim,
    media: MediaStore,
    services: Services,
    _folder: TempDir,
    log: RequestLog,
    serving: JoinHandle<()>,
}

/// What wahana did to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The statements that it ran, without their values.
    pub statements: Vec<String>,
    /// How often it called a WAHA server.
    pub upstream_calls: u64,
}

#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this, and a test without its app has failed"
)]
impl TestApp {
    /// wahana over a database, as it is without any settings.
    pub async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, |_| {}).await
    }

    /// wahana over a database, with other settings.
    pub async fn start_with(database: &TestDatabase, set: impl FnOnce(&mut ApiSettings)) -> Self {
        Self::start_as(database, Arc::new(SystemClock), set, |_| {}).await
    }

    /// wahana over a database, by this clock, with other limits.
    pub async fn start_limited(
        database: &TestDatabase,
        clock: Arc<dyn Clock>,
        limits: LimitSettings,
    ) -> Self {
        Self::start_as(database, clock, |_| {}, |settings| settings.limits = limits).await
    }

    /// wahana over a database, with room for so many streams of events.
    pub async fn start_with_streams(database: &TestDatabase, limits: StreamLimits) -> Self {
        let set = |settings: &mut ServiceSettings| settings.event_streams = limits;
        Self::start_as(database, Arc::new(SystemClock), |_| {}, set).await
    }

    /// wahana over a database, by this clock, which may deliver webhooks to the loopback interface. Whoever wants that
    /// done starts it.
    pub async fn start_delivering(database: &TestDatabase, clock: Arc<dyn Clock>) -> Self {
        let loopback = "127.0.0.0/8".parse().expect("a network");
        let allow = |settings: &mut ServiceSettings| settings.webhook_allow = vec![loopback];
        Self::start_as(database, clock, |_| {}, allow).await
    }

    async fn start_as(
        database: &TestDatabase,
        clock: Arc<dyn Clock>,
        set: impl FnOnce(&mut ApiSettings),
        set_services: impl FnOnce(&mut ServiceSettings),
    ) -> Self {
        let store = database.store(clock).await;
        let waha = WahaSim::builder()
            .api_key(UPSTREAM_KEY)
            .time_scale(0.02)
            .start()
            .await
            .expect("a free port");
        let server = insert_server(&store, &waha).await;
        let tenants = [
            insert_organization(&store, "A", OrganizationState::Active).await,
            insert_organization(&store, "B", OrganizationState::Active).await,
            insert_organization(&store, "Suspended", OrganizationState::Suspended).await,
            insert_organization(&store, "Closed", OrganizationState::Closed).await,
        ];

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let public_url: Url = format!("http://{address}/").parse().expect("an address");
        let mut settings = ApiSettings::at(public_url.clone());
        set(&mut settings);
        let log = RequestLog::start();
        let mut service_settings = ServiceSettings::at(public_url.clone());
        // On a machine that is busy, news of the simulator take longer than people would wait for them.
        service_settings.sync_wait = SYNC_WAIT;
        let folder = tempfile::tempdir().expect("a folder");
        let media = MediaStore::in_directory(folder.path().to_owned());
        service_settings.media.store = media.clone();
        set_services(&mut service_settings);
        let services = services(&store, service_settings);
        let router = wahana_api::router(ApiState::new(services.clone(), settings));
        let router = recorded(router, log.app()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a port that answers");
        });
        Self {
            address,
            public_url,
            store,
            tenants,
            server,
            waha,
            media,
            services,
            _folder: folder,
            log,
            serving,
        }
    }

    /// wahana once more over the same database, as another process of the same installation would be.
    pub async fn another_process(&self, limits: LimitSettings) -> AnotherProcess {
        let mut settings = ServiceSettings::at(self.public_url.clone());
        settings.limits = limits;
        let state = ApiState::new(
            services(&self.store, settings),
            ApiSettings::at(self.public_url.clone()),
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let router = wahana_api::router(state).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a port that answers");
        });
        AnotherProcess { address, serving }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its database, for what a test prepares and looks up behind its back.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What it does, for whoever starts what goes on beside its requests.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// Where it keeps files.
    #[must_use]
    pub const fn media(&self) -> &MediaStore {
        &self.media
    }

    /// The right to act for an organization.
    #[must_use]
    pub fn tenant(&self, home: Home) -> Tenant {
        Homes::tenant(self, home)
    }

    /// An organization's id.
    #[must_use]
    pub fn organization_id(&self, home: Home) -> OrganizationId {
        self.tenant(home).organization_id()
    }

    /// The only WAHA server.
    #[must_use]
    pub const fn waha(&self) -> &WahaSim {
        &self.waha
    }

    /// A new session of an organization, with a name that no other session has.
    pub async fn session(&self, home: Home) -> Session {
        self.sessions(home, 1, SessionStatus::Working).await.remove(0)
    }

    /// New sessions of an organization in this state, here and on WAHA, with names that no others have.
    pub async fn sessions(&self, home: Home, count: usize, status: SessionStatus) -> Vec<Session> {
        let tx = self.store.write(self.tenant(home)).await.expect("a transaction");
        let mut made = Vec::new();
        for _ in 0..count {
            let session = new_session(tx.organization_id(), self.server, status, tx.now());
            // In the simulator's short time codes would run out before a slow machine has asked for one.
            let seed = SessionSeed::new(session.waha.name.as_str()).never_scanned();
            self.waha.add_session(seed.status(on_waha(status).0));
            sessions::insert(&tx, &session).await.expect("a session");
            made.push(session);
        }
        tx.commit().await.expect("a commit");
        made
    }

    /// Removes every session, here and on WAHA, and every server that a test added, so that the next calls
    /// are not slowed down by them.
    pub async fn tidy_up(&self) {
        let tx = self.store.platform_read().await.expect("a transaction");
        let mut found = tx.sessions_on_server(self.server).await.expect("sessions");
        drop(tx);
        // Whoever still applies a snapshot locks them in this order, too.
        found.sort_unstable_by_key(|found| found.session.id);
        for tenant in self.tenants {
            let tx = self.store.write(tenant).await.expect("a transaction");
            for session in found.iter().filter(|session| session.tenant == tenant) {
                sessions::delete(&tx, session.session.id)
                    .await
                    .expect("a session");
            }
            tx.commit().await.expect("a commit");
        }
        let tx = self.store.platform_write().await.expect("a transaction");
        for load in tx.servers().await.expect("servers") {
            if load.server.id != self.server {
                tx.remove_server(load.server.id).await.expect("a server");
            }
        }
        tx.commit().await.expect("a commit");
        self.waha.lose_all_sessions();
    }

    /// Somebody new who is such an actor.
    pub async fn actor(&self, actor: Actor) -> Client {
        self.actors(&[(actor, None)]).await.remove(0)
    }

    /// Somebody new who is such an actor, and which user they are.
    pub async fn actor_with_user(&self, actor: Actor) -> (Client, UserId) {
        self.people(&[(actor, None)]).await.remove(0)
    }

    /// Somebody new for each of these actors; the limited ones see the sessions beside them.
    pub async fn actors(&self, actors: &[(Actor, Option<Sees>)]) -> Vec<Client> {
        let people = self.people(actors).await;
        people.into_iter().map(|(client, _)| client).collect()
    }

    async fn people(&self, actors: &[(Actor, Option<Sees>)]) -> Vec<(Client, UserId)> {
        let tx = self.store.platform_write().await.expect("a transaction");
        let mut people = Vec::new();
        for (actor, sees) in actors {
            people.push(Person::arrive(*actor, *sees, &tx, self).await);
        }
        tx.commit().await.expect("a commit");
        for home in [Home::A, Home::B, Home::Suspended, Home::Closed] {
            Person::settle(&people, home, self.tenant(home), &self.store).await;
        }
        people
            .iter()
            .map(|person| {
                let headers = person.headers(self.public_url.as_str(), self);
                (self.client(headers), person.user)
            })
            .collect()
    }

    /// New people who are such actors, for things that are theirs.
    pub async fn users(&self, actors: &[Actor]) -> Vec<UserId> {
        let tx = self.store.platform_write().await.expect("a transaction");
        let mut users = Vec::new();
        for actor in actors {
            users.push(Person::arrive(*actor, None, &tx, self).await.user);
        }
        tx.commit().await.expect("a commit");
        users
    }

    /// Somebody who sends these headers.
    #[must_use]
    pub const fn client(&self, headers: HeaderMap) -> Client {
        Client::new(self.address, headers)
    }

    /// Sends bytes that no HTTP client would send, and gives back everything that comes until the connection
    /// is closed, which the bytes should ask for.
    pub async fn send_bytes(&self, request: &[u8]) -> String {
        client::exchange_bytes(self.address, request).await
    }

    /// What is done while `act` runs.
    pub async fn work_of<R>(&self, act: impl Future<Output = R>) -> (R, Work) {
        self.log.settle().await;
        self.log.take_statements();
        let calls_before = self.waha.counts().total;
        let result = act.await;
        self.log.settle().await;
        let work = Work {
            statements: self.log.take_statements(),
            upstream_calls: self.waha.counts().total - calls_before,
        };
        (result, work)
    }

    /// Everything that was logged while requests were answered, a line each with all its fields.
    pub async fn log_lines(&self) -> Vec<String> {
        self.log.settle().await;
        self.log.lines()
    }

    /// What no answer and no log line may contain: the key of the WAHA server, its address, and its id.
    #[must_use]
    pub fn upstream_secrets(&self) -> [String; 3] {
        let address = self.waha.base_url();
        let address = address.trim_start_matches("http://").trim_end_matches('/');
        [
            UPSTREAM_KEY.to_owned(),
            address.to_owned(),
            self.server.to_string(),
        ]
    }
}

impl Homes for TestApp {
    fn tenant(&self, home: Home) -> Tenant {
        let [a, b, suspended, closed] = self.tenants;
        match home {
            Home::A => a,
            Home::B => b,
            Home::Suspended => suspended,
            Home::Closed => closed,
        }
    }
}

/// wahana once more. Dropping it ends it.
#[derive(Debug)]
pub struct AnotherProcess {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl AnotherProcess {
    /// Somebody who sends these headers to it.
    #[must_use]
    pub const fn client(&self, headers: HeaderMap) -> Client {
        Client::new(self.address, headers)
    }
}

impl Drop for AnotherProcess {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The router with every request in a span, by which what happens in it is told apart.
fn recorded(router: Router, app: u64) -> Router {
    router.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
        next.run(request)
            .instrument(tracing::info_span!(REQUEST_SPAN, app))
    }))
}

#[expect(clippy::expect_used, reason = "only tests call this")]
fn services(store: &Store, settings: ServiceSettings) -> Services {
    // Another app of the same process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = HttpClient::new(&HttpOptions::default()).expect("an HTTP client");
    Services::new(store.clone(), http, settings)
}

/// A state that a session can be put in, as the simulator has it and in WAHA's word.
#[expect(clippy::panic, reason = "only tests call this")]
fn on_waha(status: SessionStatus) -> (waha_sim::Status, &'static str) {
    match status {
        SessionStatus::Working => (waha_sim::Status::Working, "WORKING"),
        SessionStatus::ScanQr => (waha_sim::Status::ScanQrCode, "SCAN_QR_CODE"),
        SessionStatus::Disconnected => (waha_sim::Status::Stopped, "STOPPED"),
        SessionStatus::Error => (waha_sim::Status::Failed, "FAILED"),
        SessionStatus::Connecting | SessionStatus::ActionRequired => {
            panic!("a session does not stay {status:?}")
        }
    }
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn insert_server(store: &Store, waha: &WahaSim) -> ServerId {
    let new = NewServer {
        id: ServerId::new(),
        name: "WAHA".to_owned(),
        base_url: waha.base_url(),
        api_key: UPSTREAM_KEY.to_owned().into(),
        capacity: None,
    };
    let tx = store.platform_write().await.expect("a transaction");
    tx.insert_server(&new).await.expect("a server");
    tx.commit().await.expect("a commit");
    new.id
}

#[expect(clippy::expect_used, reason = "only tests call this")]
async fn insert_organization(store: &Store, name: &str, state: OrganizationState) -> Tenant {
    let tx = store.platform_write().await.expect("a transaction");
    let new = Organization {
        state,
        ..rows::organization(name, tx.now())
    };
    tx.insert_organization(&new).await.expect("an organization");
    let tenant = tx.tenant(new.id).await.expect("an organization");
    tx.commit().await.expect("a commit");
    tenant.expect("the organization that was made")
}

fn new_session(
    organization_id: OrganizationId,
    server: ServerId,
    status: SessionStatus,
    now: Timestamp,
) -> Session {
    let name = format!("name_{}", SessionId::new().as_uuid().simple());
    Session {
        status,
        waha_status: Some(on_waha(status).1.to_owned()),
        observed_at: Some(now),
        ..rows::session(organization_id, server, &name, now)
    }
}
