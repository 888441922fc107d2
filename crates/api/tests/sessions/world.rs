//! wahana behind a port, on a fresh database, with simulated WAHA servers.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use waha_client::{GuardLimits, HttpClient, HttpOptions, Timeouts};
use waha_sim::{Status, WahaSim};
use wahana_api::{ApiSettings, ApiState};
use wahana_domain::{
    AccessToken, AuditEntry, Clock, EmailAddress, Membership, Organization, OrganizationId,
    OrganizationLimits, Role, Secret, ServerId, SessionId, SystemClock, Timestamp, UserId,
};
use wahana_service::{ServiceSettings, Services};
use wahana_store::{NewServer, NewUser, Store, Tenant, access_tokens, audit};
use wahana_testkit::{database::TestDatabase, rows};

use crate::client::{Client, Transcript};

/// What opens the simulated servers. No answer may say it.
pub(crate) const UPSTREAM_KEY: &str = "upstream-key-of-the-platform";
/// Longer than any answer about a session may be old.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct World<'a> {
    pub(crate) database: &'a TestDatabase,
    pub(crate) store: Store,
    pub(crate) services: Services,
    pub(crate) clock: Arc<TickingClock>,
    pub(crate) transcript: Transcript,
    address: SocketAddr,
    http: reqwest::Client,
    serving: JoinHandle<()>,
}

/// A simulated WAHA server that wahana knows.
pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) sim: WahaSim,
}

#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) id: OrganizationId,
    pub(crate) tenant: Tenant,
}

/// What a test wants different.
#[derive(Clone, Copy)]
pub(crate) struct Wishes {
    /// How long a read waits for news. Long by default, so that a slow machine does not change what tests see.
    pub(crate) sync_wait: Duration,
    pub(crate) timeouts: Timeouts,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            sync_wait: LONG,
            timeouts: Timeouts::default(),
        }
    }
}

impl<'a> World<'a> {
    pub(crate) async fn new(database: &'a TestDatabase) -> Self {
        Self::with(database, Wishes::default()).await
    }

    pub(crate) async fn with(database: &'a TestDatabase, wishes: Wishes) -> Self {
        // Another world of the same process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(TickingClock::default());
        let store = database.store(clock.clone()).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url: Url = format!("http://{address}").parse().unwrap();
        let settings = ServiceSettings {
            sync_wait: wishes.sync_wait,
            waha_timeouts: wishes.timeouts,
            // A server that was away is tried again at once, whatever time the machine takes.
            waha_guard: GuardLimits {
                first_pause: Duration::ZERO,
                ..GuardLimits::default()
            },
            ..ServiceSettings::at(public_url.clone())
        };
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let services = Services::new(store.clone(), http, settings);
        let router = wahana_api::router(ApiState::new(services.clone(), ApiSettings::at(public_url)));
        let serving = tokio::spawn(async move {
            let app = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            transcript: Transcript::default(),
            services,
            database,
            store,
            clock,
            address,
            serving,
        }
    }

    /// Another simulated WAHA server.
    pub(crate) async fn server(&self, name: &str) -> Server {
        self.server_for(name, None).await
    }

    /// The same, with room for so many sessions.
    pub(crate) async fn server_for(&self, name: &str, capacity: Option<i32>) -> Server {
        self.server_at_speed(name, capacity, 0.1).await
    }

    /// The same, whose own times are multiplied by this.
    pub(crate) async fn server_at_speed(&self, name: &str, capacity: Option<i32>, time_scale: f64) -> Server {
        // Two servers never give two messages one id.
        let seed = name.bytes().fold(0_u64, |seed, byte| {
            seed.wrapping_mul(31).wrapping_add(byte.into())
        });
        let sim = WahaSim::builder().api_key(UPSTREAM_KEY).seed(seed);
        let sim = sim.time_scale(time_scale).start().await.unwrap();
        let id = self.insert_server(name, &sim.base_url(), capacity).await;
        Server { id, sim }
    }

    pub(crate) async fn insert_server(&self, name: &str, base_url: &str, capacity: Option<i32>) -> ServerId {
        let new = NewServer {
            id: ServerId::new(),
            name: name.to_owned(),
            base_url: base_url.to_owned(),
            api_key: UPSTREAM_KEY.to_owned().into(),
            capacity,
        };
        let tx = self.store.platform_write().await.unwrap();
        tx.insert_server(&new).await.unwrap();
        tx.commit().await.unwrap();
        new.id
    }

    pub(crate) async fn organization(&self, name: &str, limits: OrganizationLimits) -> Home {
        let tx = self.store.platform_write().await.unwrap();
        let new = Organization {
            limits,
            ..rows::organization(name, tx.now())
        };
        tx.insert_organization(&new).await.unwrap();
        let tenant = tx.tenant(new.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        Home { id: new.id, tenant }
    }

    /// The owner of a new organization.
    pub(crate) async fn owner(&self, organization: &str) -> Client {
        let home = self
            .organization(organization, OrganizationLimits::default())
            .await;
        self.member(home, Role::Owner).await
    }

    /// A new member of an organization.
    pub(crate) async fn member(&self, home: Home, role: Role) -> Client {
        self.member_limited_to(home, role, None).await
    }

    /// The same, who sees these sessions only.
    pub(crate) async fn member_limited_to(
        &self,
        home: Home,
        role: Role,
        sessions: Option<Vec<SessionId>>,
    ) -> Client {
        let (user, secret) = (UserId::new(), Secret::generate());
        let tx = self.store.platform_write().await.unwrap();
        tx.insert_user(&NewUser {
            id: user,
            email: EmailAddress::parse(&format!("{user}@example.com")).unwrap(),
            display_name: role.to_string(),
            is_platform_administrator: false,
        })
        .await
        .unwrap();
        tx.insert_membership(&Membership {
            organization_id: home.id,
            user_id: user,
            role,
            created_at: tx.now(),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let tx = self.store.write(home.tenant).await.unwrap();
        let token = AccessToken {
            sessions,
            ..rows::token(home.id, user, tx.now())
        };
        access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        Client {
            http: self.http.clone(),
            sessions_url: format!("http://{}/api/waha/sessions", self.address),
            bearer: format!("Bearer {}|{}", token.id, secret.expose()),
            transcript: self.transcript.clone(),
        }
    }

    /// Lets what is known of sessions grow old, so that the next read asks WAHA and is not put off by a failure
    /// either.
    pub(crate) fn later(&self) {
        self.clock.advance(LONG);
    }

    /// What the sessions of this name are called on WAHA, the oldest first.
    pub(crate) async fn waha_names(&self, session: &str) -> Vec<String> {
        let query = format!(
            "SELECT waha_name FROM sessions WHERE session_name = '{session}' ORDER BY created_at, deleted_at"
        );
        self.database.texts_unguarded(&query).await
    }

    /// What the only session of this name is called on WAHA.
    pub(crate) async fn waha_name(&self, session: &str) -> String {
        let mut names = self.waha_names(session).await;
        assert_eq!(names.len(), 1, "one session is called {session}");
        names.remove(0)
    }

    /// The rows of all sessions, with everything of them that synchronization may touch.
    pub(crate) async fn rows(&self) -> Vec<String> {
        self.database
            .texts_unguarded(
                "SELECT session_name || ' ' || status || ' ' || coalesce(waha_status, '-') || ' ' ||
                    coalesce(phone_number, '-') || ' ' || desired_status || ' ' || error_count || ' ' ||
                    coalesce(last_error, '-') || ' ' || coalesce(observed_at, 0) || ' ' || updated_at || ' ' ||
                    coalesce(deleted_at, 0)
                 FROM sessions ORDER BY created_at, waha_name",
            )
            .await
    }

    /// An organization's audit log, oldest first.
    pub(crate) async fn audit(&self, home: Home) -> Vec<AuditEntry> {
        let tx = self.store.read(home.tenant).await.unwrap();
        let mut entries = audit::page(&tx, &audit::AuditQuery::default(), 1000)
            .await
            .unwrap();
        entries.reverse();
        entries
    }

    /// A new session that waits for its QR code to be scanned.
    pub(crate) async fn waiting(&self, client: &Client, server: &Server, name: &str) -> Value {
        let created = client
            .post_json("", &json!({"session_name": name}))
            .await
            .expect(201);
        let waha_name = self.waha_names(name).await.pop().unwrap();
        server.sim.wait_for_status(&waha_name, Status::ScanQrCode).await;
        created.data().clone()
    }

    /// A new session that is paired with this number and works, as far as WAHA knows.
    pub(crate) async fn paired(&self, client: &Client, server: &Server, name: &str, number: &str) -> Value {
        let created = self.waiting(client, server, name).await;
        let waha_name = self.waha_names(name).await.pop().unwrap();
        server.sim.pair_with(&waha_name, number).unwrap();
        server.sim.wait_for_status(&waha_name, Status::Working).await;
        created
    }

    /// A new session that works, as wahana knows.
    pub(crate) async fn working(&self, client: &Client, server: &Server, name: &str, number: &str) -> Value {
        self.paired(client, server, name, number).await;
        let synced = client.post(&format!("/{name}/sync")).await.ok();
        assert_eq!(synced.data()["status"], "working");
        synced.data().clone()
    }

    /// A request outside of `/api/waha/sessions`, by a member.
    pub(crate) async fn get_elsewhere(&self, client: &Client, path: &str) -> crate::client::Answer {
        let request = self
            .http
            .request(Method::GET, format!("http://{}{path}", self.address));
        client.send(request.header("authorization", &client.bearer)).await
    }
}

impl Server {
    /// A session's configuration as WAHA has it.
    pub(crate) async fn configuration(&self, waha_name: &str) -> Value {
        let url = format!("{}/api/sessions/{waha_name}", self.sim.base_url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(url)
            .header("x-api-key", UPSTREAM_KEY)
            .send()
            .await
            .unwrap();
        let session: Value = answer.json().await.unwrap();
        session["config"].clone()
    }
}

/// Looks again and again until something is so; the test runner ends a test that waits in vain.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A clock that goes on by a microsecond whenever it is looked at, and otherwise when it is told to.
#[derive(Debug)]
pub(crate) struct TickingClock {
    now: AtomicI64,
    /// How much time has passed beside the machine's own, in microseconds.
    passed: AtomicU64,
}

impl Default for TickingClock {
    fn default() -> Self {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        Self {
            now: AtomicI64::new(start.as_micros()),
            passed: AtomicU64::new(0),
        }
    }
}

impl TickingClock {
    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap();
        self.passed.fetch_add(micros, Ordering::SeqCst);
        self.now
            .fetch_add(i64::try_from(micros).unwrap(), Ordering::SeqCst);
    }

    /// Sets the clock ahead, although no time has passed.
    pub(crate) fn set_ahead(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock back.
    pub(crate) fn set_back(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.now.fetch_sub(micros, Ordering::SeqCst);
    }
}

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.fetch_add(1, Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + Duration::from_micros(self.passed.load(Ordering::SeqCst))
    }
}
