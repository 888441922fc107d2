//! wahana behind a port, a simulated WAHA server, and two organizations with their owners.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use waha_client::{HttpClient, HttpOptions};
use waha_sim::{Status, WahaSim};
use wahana_api::{ApiSettings, ApiState};
use wahana_domain::{
    Clock, EmailAddress, Membership, Role, Secret, ServerId, SessionId, SystemClock, Timestamp, UserId,
};
use wahana_service::{
    ServiceSettings, Services,
    events::{Hook, HookKeyId},
};
use wahana_store::{NewServer, NewUser, Store, Tenant, access_tokens, sessions};
use wahana_testkit::{database::TestDatabase, rows};

pub(crate) const UPSTREAM_KEY: &str = "upstream-key-of-the-platform";

pub(crate) struct World<'a> {
    pub(crate) database: &'a TestDatabase,
    pub(crate) store: Store,
    pub(crate) services: Services,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) sim: WahaSim,
    pub(crate) server: ServerId,
    pub(crate) url: Url,
    pub(crate) http: reqwest::Client,
    serving: JoinHandle<()>,
}

/// An organization's owner.
pub(crate) struct Owner {
    pub(crate) tenant: Tenant,
    bearer: String,
}

/// A session as its owner and WAHA name it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: SessionId,
    pub(crate) waha_name: String,
    pub(crate) tenant: Tenant,
}

impl<'a> World<'a> {
    /// How often WAHA was asked to change something.
    pub(crate) fn acts(&self) -> u64 {
        let counts = self.sim.counts();
        let acts = counts.by_route.keys().filter(|route| !route.starts_with("GET "));
        acts.map(|route| counts.route(route)).sum()
    }

    pub(crate) async fn new(database: &'a TestDatabase) -> Self {
        let clock = Arc::new(ShiftedClock::default());
        let store = database.store(clock.clone()).await;
        Self::over(database, store, clock, true).await
    }

    /// The same with a store of the test's own, and with an address for hooks or without.
    pub(crate) async fn over(
        database: &'a TestDatabase,
        store: Store,
        clock: Arc<ShiftedClock>,
        takes_events: bool,
    ) -> Self {
        // Another world of the same process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url: Url = format!("http://{address}").parse().unwrap();
        let settings = ServiceSettings {
            hook_url: takes_events.then(|| url.clone()),
            sync_wait: Duration::from_secs(20),
            webhook_allow: vec!["127.0.0.0/8".parse().unwrap()],
            ..ServiceSettings::at(url.clone())
        };
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let services = Services::new(store.clone(), http, settings);
        let router = wahana_api::router(ApiState::new(services.clone(), ApiSettings::at(url.clone())));
        let serving = tokio::spawn(async move {
            let app = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).await.unwrap();
        });
        let sim = WahaSim::builder().api_key(UPSTREAM_KEY).time_scale(0.02);
        let sim = sim.start().await.unwrap();
        let server = insert_server(&store, "one", &sim.base_url()).await;
        Self {
            database,
            store,
            services,
            clock,
            sim,
            server,
            url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            serving,
        }
    }

    pub(crate) async fn owner(&self, organization: &str) -> Owner {
        let (user, secret) = (UserId::new(), Secret::generate());
        let tx = self.store.platform_write().await.unwrap();
        let home = rows::organization(organization, tx.now());
        tx.insert_organization(&home).await.unwrap();
        tx.insert_user(&NewUser {
            id: user,
            email: EmailAddress::parse(&format!("{user}@example.com")).unwrap(),
            display_name: organization.to_owned(),
            is_platform_administrator: false,
        })
        .await
        .unwrap();
        tx.insert_membership(&Membership {
            organization_id: home.id,
            user_id: user,
            role: Role::Owner,
            created_at: tx.now(),
        })
        .await
        .unwrap();
        let tenant = tx.tenant(home.id).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let tx = self.store.write(tenant).await.unwrap();
        let token = rows::token(home.id, user, tx.now());
        access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        let bearer = format!("Bearer {}|{}", token.id, secret.expose());
        Owner { tenant, bearer }
    }

    /// A request of an owner's to `/api/waha/sessions…`, which must be a success.
    pub(crate) async fn post(&self, owner: &Owner, path: &str, body: &Value) -> Value {
        self.success(self.request_of(owner, Method::POST, path).json(body))
            .await
    }

    pub(crate) async fn get(&self, owner: &Owner, path: &str) -> Value {
        self.success(self.request_of(owner, Method::GET, path)).await
    }

    pub(crate) async fn patch(&self, owner: &Owner, path: &str, body: &Value) -> Value {
        self.success(self.request_of(owner, Method::PATCH, path).json(body))
            .await
    }

    /// What a request of an owner's to `/api/waha/sessions…` is answered, whatever that is.
    pub(crate) async fn asked(&self, owner: &Owner, method: Method, path: &str) -> (StatusCode, Value) {
        self.send(self.request_of(owner, method, path)).await
    }

    fn request_of(&self, owner: &Owner, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.url.join(&format!("/api/waha/sessions{path}")).unwrap();
        let request = self.http.request(method, url);
        request.header("authorization", &owner.bearer)
    }

    /// A session that is paired with a number and works.
    pub(crate) async fn working(&self, owner: &Owner, name: &str, number: &str) -> Made {
        let made = self.made(owner, &json!({"session_name": name})).await;
        self.sim
            .wait_for_status(&made.waha_name, Status::ScanQrCode)
            .await;
        self.sim.pair_with(&made.waha_name, number).unwrap();
        self.sim.wait_for_status(&made.waha_name, Status::Working).await;
        made
    }

    async fn success(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        body["data"].clone()
    }

    /// A session that its organization made, stopped, so that WAHA says nothing of it by itself.
    pub(crate) async fn session(&self, owner: &Owner, name: &str) -> Made {
        self.made(owner, &json!({"session_name": name, "start": false}))
            .await
    }

    pub(crate) async fn made(&self, owner: &Owner, body: &Value) -> Made {
        let made = self.post(owner, "", body).await;
        let id: SessionId = made["id"].as_str().unwrap().parse().unwrap();
        let tx = self.store.read(owner.tenant).await.unwrap();
        let session = sessions::with_ids(&tx, &[id]).await.unwrap().remove(0);
        Made {
            id,
            waha_name: session.waha.name.as_str().to_owned(),
            tenant: owner.tenant,
        }
    }

    pub(crate) async fn texts(&self, query: &str) -> Vec<String> {
        self.database.texts_unguarded(query).await
    }

    /// What is stored of events: the name on WAHA of whose they are, their id and kind.
    pub(crate) async fn stored(&self) -> Vec<String> {
        self.texts(
            "SELECT s.waha_name || ' ' || e.event_id || ' ' || e.kind FROM waha_events e
             JOIN sessions s ON s.id = e.session_id AND s.organization_id = e.organization_id
             WHERE e.state = 'waiting' AND e.payload IS NOT NULL ORDER BY e.event_id",
        )
        .await
    }

    /// Configuration of a session as WAHA has it.
    pub(crate) async fn configuration(&self, waha_name: &str) -> Value {
        let url = format!("{}/api/sessions/{waha_name}", self.sim.base_url());
        let answer = self.http.get(url).header("x-api-key", UPSTREAM_KEY).send().await;
        let session: Value = answer.unwrap().json().await.unwrap();
        session["config"].clone()
    }

    /// The hook of a session of the only server.
    pub(crate) fn hook(&self, session: Option<SessionId>) -> Hook {
        Hook {
            server: self.server,
            session,
        }
    }

    pub(crate) fn delivery(&self, hook: Hook, body: impl Into<String>) -> Delivery {
        let key = self.store.hook_key_id(1).unwrap();
        Delivery {
            hook,
            key,
            signed_for: (hook, key),
            body: body.into(),
        }
    }

    /// An event of a session, of now.
    pub(crate) fn event(&self, id: &str, session: &Made) -> Value {
        json!({
            "id": id,
            "timestamp": self.clock.now().as_micros() / 1000,
            "event": "session.status",
            "session": session.waha_name,
            "me": null,
            "payload": {"name": session.waha_name, "status": "WORKING", "statuses": []},
            "engine": "NOWEB",
            "environment": {"version": "2026.2.1"},
        })
    }

    pub(crate) async fn deliver(&self, delivery: &Delivery) -> StatusCode {
        let (status, _) = self.send(self.request(delivery)).await;
        status
    }

    pub(crate) fn request(&self, delivery: &Delivery) -> reqwest::RequestBuilder {
        let (hook, key) = delivery.signed_for;
        let key = self.store.hook_key(hook, key).unwrap();
        let signature = waha_client::events::sign(&key, delivery.body.as_bytes()).unwrap();
        self.unsigned(delivery)
            .header("x-webhook-hmac", signature)
            .header("x-webhook-hmac-algorithm", "sha512")
    }

    pub(crate) fn unsigned(&self, delivery: &Delivery) -> reqwest::RequestBuilder {
        let Hook { server, session } = delivery.hook;
        let session = session.map_or_else(String::new, |session| format!("{session}/"));
        let path = format!("/hooks/waha/{server}/{session}{}", delivery.key);
        self.http
            .post(self.url.join(&path).unwrap())
            .header("content-type", "application/json")
            .body(delivery.body.clone())
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// What is sent to a hook.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) hook: Hook,
    pub(crate) key: HookKeyId,
    /// The hook and key that it is signed for.
    pub(crate) signed_for: (Hook, HookKeyId),
    pub(crate) body: String,
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) async fn insert_server(store: &Store, name: &str, base_url: &str) -> ServerId {
    let new = NewServer {
        id: ServerId::new(),
        name: name.to_owned(),
        base_url: base_url.to_owned(),
        api_key: UPSTREAM_KEY.to_owned().into(),
        capacity: None,
    };
    let tx = store.platform_write().await.unwrap();
    tx.insert_server(&new).await.unwrap();
    tx.commit().await.unwrap();
    new.id
}

/// Looks again and again until something is so; the test runner ends a test that waits in vain.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The machine's clock, as far ahead as it is told to be.
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::SeqCst))
    }
}
