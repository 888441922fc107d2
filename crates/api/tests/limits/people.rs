//! What the tests of this program share.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use wahana_domain::{ManualClock, OrganizationLimits, Role, Session, Timestamp};
use wahana_service::limits::{LimitDefaults, LimitSettings};
use wahana_testkit::{
    app::{Actor, Answer, By, Client, Home, TestApp},
    database::TestDatabase,
};

/// wahana with few requests a minute, by a clock that stands still.
pub(crate) async fn start(database: &TestDatabase, requests_per_minute: u32) -> (TestApp, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-11-30T23:00:00Z").unwrap()));
    let limits = LimitSettings {
        defaults: LimitDefaults {
            requests_per_minute,
            ..LimitDefaults::default()
        },
        redis: None,
    };
    (
        TestApp::start_limited(database, clock.clone(), limits).await,
        clock,
    )
}

pub(crate) async fn agent(app: &TestApp, home: Home) -> Client {
    app.actor(Actor::Member(home, Role::Agent, By::Token)).await
}

/// Gives an organization limits of its own.
pub(crate) async fn set_limits(app: &TestApp, home: Home, limits: OrganizationLimits) {
    let tx = app.store().platform_write().await.unwrap();
    let id = app.organization_id(home);
    assert!(tx.set_organization_limits(id, &limits).await.unwrap());
    tx.commit().await.unwrap();
}

pub(crate) async fn send_text(client: &Client, session: &Session) -> Answer {
    let target = format!("/api/waha/sessions/{}/send-text", session.name);
    let body = json!({"to": "+15550001111", "text": "Hello"});
    client.send(Method::POST, &target, Some(&body)).await
}

pub(crate) async fn send_media(client: &Client, session: &Session) -> Answer {
    let target = format!("/api/waha/sessions/{}/send-media", session.name);
    let media = json!({"data": "aGVsbG8=", "mimetype": "application/pdf"});
    let body = json!({"to": "+15550001111", "media": media});
    client.send(Method::POST, &target, Some(&body)).await
}

/// The organization as its owner sees it.
pub(crate) async fn organization(app: &TestApp, home: Home) -> Value {
    let owner = app.actor(Actor::Member(home, Role::Owner, By::Token)).await;
    owner.get("/api/waha/organization").await.json()["data"].take()
}

/// Limit, remaining and reset of an answer.
pub(crate) fn allowance(answer: &Answer) -> [u64; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| {
        let value = answer.header(name);
        value.unwrap().parse().unwrap()
    })
}

/// That it was refused with this code, and says when to come back.
pub(crate) fn assert_refused(answer: &Answer, code: &str, limit: u64) {
    assert_eq!(answer.named(), format!("429 {code}"));
    let [told, remaining, reset] = allowance(answer);
    assert_eq!((told, remaining), (limit, 0));
    let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(retry_after >= 1 && retry_after == reset, "{answer:?}");
}
