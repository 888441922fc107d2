//! What attackers and broken clients send: each gets the clear refusal that it should, and nothing changes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that lacks what it needs has failed"
)]

mod bodies;
mod credentials;
mod envelope;
mod framing;
mod identity;
mod origins;
mod paths;
mod revocation;

use wahana_domain::Role;
use wahana_testkit::{
    app::{Actor, By, Client, Home, TestApp},
    database::{TestDatabase, run},
};

const OWNER: Actor = Actor::Member(Home::A, Role::Owner, By::Token);
const OWNER_BY_COOKIE: Actor = Actor::Member(Home::A, Role::Owner, By::Cookie);
const OWNER_OF_B: Actor = Actor::Member(Home::B, Role::Owner, By::Token);

/// wahana over a database, an owner of A, and what must not change.
struct Scene {
    database: TestDatabase,
    app: TestApp,
    owner: Client,
}

impl Scene {
    async fn open() -> Self {
        let database = TestDatabase::sqlite().await;
        let app = TestApp::start(&database).await;
        let owner = app.actor(OWNER).await;
        Self { database, app, owner }
    }

    /// Everything that a call of the organization API can change, here and on WAHA.
    async fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for query in [
            "SELECT name || state || COALESCE(country, '') || time_zone FROM organizations ORDER BY id",
            "SELECT id || name || abilities || COALESCE(revoked_at, '') FROM access_tokens ORDER BY id",
            "SELECT session_name || status || desired_status || COALESCE(display_name, '') \
             || COALESCE(deleted_at, '') FROM sessions ORDER BY id",
        ] {
            state.extend(self.database.texts_unguarded(query).await);
        }
        state.push(format!("{:?}", self.app.waha().counts()));
        state
    }

    /// The answer to a request that is written by hand.
    async fn raw(&self, request: &str) -> RawAnswer {
        RawAnswer::of(&self.app.send_bytes(request.as_bytes()).await)
    }
}

/// An answer as it came over the connection.
#[derive(Debug)]
struct RawAnswer {
    status: u16,
    error_code: Option<String>,
    text: String,
}

impl RawAnswer {
    fn of(text: &str) -> Self {
        let status = text
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let error_code = text
            .split_once("\"error_code\":\"")
            .and_then(|(_, rest)| rest.split('"').next())
            .map(str::to_owned);
        Self {
            status,
            error_code,
            text: text.to_owned(),
        }
    }

    fn named(&self) -> String {
        match &self.error_code {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// The header by which a client says who it is, as a line of a request.
fn authorization(client: &Client) -> String {
    let value = client.headers().get("authorization").unwrap();
    format!("Authorization: {}\r\n", value.to_str().unwrap())
}

/// Runs a test's body to its end.
fn scene(test: impl AsyncFnOnce(&Scene)) {
    run(async {
        let scene = Scene::open().await;
        test(&scene).await;
    });
}
