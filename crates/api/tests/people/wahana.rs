//! wahana with its HTTP routes on a database, and calls to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::Url;
use waha_client::{HttpClient, HttpOptions};
use wahana_api::{ApiSettings, ApiState, router};
use wahana_domain::{
    Abilities, AccessToken, EmailAddress, ManualClock, Membership, OrganizationId, Role, Secret, Timestamp,
    UserId,
};
use wahana_service::{Operator, ServiceSettings, Services, password_resets};
use wahana_store::{NewUser, Store, UserChange, access_tokens};
use wahana_testkit::{database::TestDatabase, rows};

/// What everybody's password is.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The address of wahana as people see it.
pub(crate) const ORIGIN: &str = "https://wahana.example";

/// wahana on a database.
pub(crate) struct Wahana {
    router: Router,
    state: ApiState,
    pub(crate) store: Store,
    clock: Arc<ManualClock>,
}

/// A person with a password.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub(crate) id: UserId,
    pub(crate) email: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A request to be sent.
pub(crate) struct Call {
    request: axum::http::request::Builder,
    body: Body,
    source: SocketAddr,
}

impl Wahana {
    pub(crate) async fn on(database: &TestDatabase) -> Self {
        Self::at(database, ORIGIN).await
    }

    pub(crate) async fn at(database: &TestDatabase, public_url: &str) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
        let store = database.store(clock.clone()).await;
        let public_url: Url = public_url.parse().unwrap();
        // Another test of this process may have chosen the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = HttpClient::new(&HttpOptions::default()).unwrap();
        let services = Services::new(store.clone(), http, ServiceSettings::at(public_url.clone()));
        let state = ApiState::new(services, ApiSettings::at(public_url));
        Self {
            router: router(state.clone()),
            state,
            store,
            clock,
        }
    }

    pub(crate) async fn send(&self, call: Call) -> Answer {
        let mut request = call.request.body(call.body).unwrap();
        request.extensions_mut().insert(ConnectInfo(call.source));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) fn services(&self) -> &Services {
        self.state.services()
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Time passes for limits and lifetimes.
    pub(crate) fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        let organization = rows::organization(name, self.clock_now());
        let tx = self.store.platform_write().await.unwrap();
        tx.insert_organization(&organization).await.unwrap();
        tx.commit().await.unwrap();
        organization.id
    }

    /// A person without a password.
    pub(crate) async fn stranger(&self, email: &str) -> Somebody {
        let new = NewUser {
            id: UserId::new(),
            email: EmailAddress::parse(email).unwrap(),
            display_name: "Somebody".to_owned(),
            is_platform_administrator: false,
        };
        let tx = self.store.platform_write().await.unwrap();
        tx.insert_user(&new).await.unwrap();
        tx.commit().await.unwrap();
        Somebody {
            id: new.id,
            email: email.to_owned(),
        }
    }

    /// A person with a password, which they set by a link.
    pub(crate) async fn person(&self, email: &str) -> Somebody {
        let somebody = self.stranger(email).await;
        let token = self.reset_token(&somebody).await;
        self.send(reset(&token, PASSWORD)).await.is(StatusCode::OK);
        somebody
    }

    pub(crate) async fn join(&self, organization: OrganizationId, user: &Somebody, role: Role) {
        let tx = self.store.platform_write().await.unwrap();
        tx.insert_membership(&Membership {
            organization_id: organization,
            user_id: user.id,
            role,
            created_at: tx.now(),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
        self.services().callers().forget();
        // So that members have an order.
        self.wait(Duration::from_millis(1));
    }

    /// A person with a password who is a member.
    pub(crate) async fn member(&self, organization: OrganizationId, email: &str, role: Role) -> Somebody {
        let somebody = self.person(email).await;
        self.join(organization, &somebody, role).await;
        somebody
    }

    pub(crate) async fn disable(&self, user: &Somebody) {
        let tx = self.store.platform_write().await.unwrap();
        let change = UserChange {
            disabled_at: Some(Some(tx.now())),
            ..UserChange::default()
        };
        assert!(tx.update_user(user.id, &change).await.unwrap());
        tx.commit().await.unwrap();
        self.services().callers().forget();
    }

    /// What is behind the `#` of a link that an operator made to choose a password.
    pub(crate) async fn reset_token(&self, user: &Somebody) -> String {
        let created = password_resets::create(self.services(), &Operator::CommandLine, user.id);
        let link = created.await.unwrap().link;
        let (page, token) = link.expose_secret().split_once('#').unwrap();
        assert!(page.ends_with("/password-reset"), "{page}");
        token.to_owned()
    }

    /// Signs in; gives the cookie.
    pub(crate) async fn sign_in(&self, user: &Somebody) -> String {
        let answer = self.send(login(&user.email, PASSWORD)).await;
        answer.is(StatusCode::OK).cookie()
    }

    /// An access token of a member; gives what goes behind `Bearer`.
    pub(crate) async fn token(
        &self,
        organization: OrganizationId,
        user: &Somebody,
        abilities: Abilities,
    ) -> String {
        self.token_until(organization, user, abilities, None).await
    }

    /// The same, until it ends.
    pub(crate) async fn token_until(
        &self,
        organization: OrganizationId,
        user: &Somebody,
        abilities: Abilities,
        expires_at: Option<Timestamp>,
    ) -> String {
        let tx = self.store.platform_read().await.unwrap();
        let tenant = tx.tenant(organization).await.unwrap().unwrap();
        drop(tx);
        let secret = Secret::generate();
        let tx = self.store.write(tenant).await.unwrap();
        let token = AccessToken {
            abilities,
            expires_at,
            ..rows::token(organization, user.id, tx.now())
        };
        access_tokens::insert(&tx, &token, &secret.hash()).await.unwrap();
        tx.commit().await.unwrap();
        format!("{}|{}", token.id, secret.expose())
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// It refuses with this code.
    #[track_caller]
    pub(crate) fn refuses(self, status: StatusCode, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.json()["error_code"], code, "{}", answer.text);
        answer
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// The value of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers[header::SET_COOKIE].to_str().unwrap();
        let (pair, _) = set.split_once(';').unwrap();
        pair.strip_prefix("wahana_sign_in=").unwrap().to_owned()
    }

    /// What is behind the `#` of the link in it.
    pub(crate) fn link_token(&self) -> String {
        let data = self.data();
        let (_, token) = data["link"].as_str().unwrap().split_once('#').unwrap();
        token.to_owned()
    }

    /// All that must be alike where two refusals must not be told apart.
    pub(crate) fn fingerprint(&self) -> (StatusCode, Vec<(String, String)>, String) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "x-request-id");
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        (self.status, headers.collect(), self.text.clone())
    }
}

impl Call {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self {
            request: Request::builder().method(method).uri(path),
            body: Body::empty(),
            source: ([192, 0, 2, 1], 50_000).into(),
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path).json(body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(mut self, media_type: &str, text: String) -> Self {
        self.body = text.into();
        self.header("content-type", media_type)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sent by this host of a network.
    pub(crate) fn at_host(mut self, host: u8) -> Self {
        self.source = ([198, 51, 100, host], 50_000).into();
        self
    }

    /// With the cookie, as wahana's own pages send it.
    pub(crate) fn with_cookie(self, cookie: &str) -> Self {
        self.with_bare_cookie(cookie)
            .header("origin", ORIGIN)
            .header("x-requested-with", "fetch")
    }

    /// With the cookie and no more.
    pub(crate) fn with_bare_cookie(self, cookie: &str) -> Self {
        self.header("cookie", &format!("wahana_sign_in={cookie}"))
    }

    pub(crate) fn with_token(self, bearer: &str) -> Self {
        self.header("authorization", &format!("Bearer {bearer}"))
    }

    pub(crate) fn in_organization(self, id: OrganizationId) -> Self {
        self.header("x-organization-id", &id.to_string())
    }
}

pub(crate) fn login(email: &str, password: &str) -> Call {
    Call::post("/api/auth/login", &json!({"email": email, "password": password}))
}

pub(crate) fn reset(token: &str, password: &str) -> Call {
    Call::post(
        "/api/auth/password-reset",
        &json!({"token": token, "password": password}),
    )
}

pub(crate) fn me(cookie: &str) -> Call {
    Call::get("/api/auth/me").with_bare_cookie(cookie)
}

/// The three-key body of the 401.
pub(crate) const UNAUTHENTICATED: &str =
    r#"{"success":false,"message":"Authentication required","error_code":"UNAUTHENTICATED"}"#;
/// The three-key body of the 403 for users without an organization.
pub(crate) const NO_ORGANIZATION: &str = r#"{"success":false,"message":"User must belong to an organization to access WAHA features","error_code":"NO_ORGANIZATION"}"#;
