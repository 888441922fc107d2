//! A stream ends with what let its reader in.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::json;
use wahana_domain::{ManualClock, Role, Timestamp};
use wahana_testkit::{
    app::{Actor, By, Ending, EventStream, Home, TestApp},
    database::TestDatabase,
    on_both_databases,
};

use crate::{EVENTS, OWNER, Scene, keys, open};

/// Waits until a stream has ended.
async fn ended(mut stream: EventStream) {
    while stream.next().await.is_some() {}
}

async fn who_would_not_be_let_in_any_more_is_told_no_more(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let app = &scene.app;
    let ending = Ending::ahead(app, By::Token).await;
    let mut stays = open(&app.actor(OWNER).await, EVENTS).await;
    let mut streams = Vec::new();
    for client in ending.everybody() {
        streams.push(open(client, EVENTS).await);
    }

    ending.comes(app).await;

    for stream in streams {
        ended(stream).await;
    }
    scene.receive("A1").await;
    assert_eq!(keys(&mut stays, 1).await, ["A1"]);
    for (client, expected) in [
        (&ending.revoked, "401 UNAUTHENTICATED"),
        (&ending.removed, "403 NO_ORGANIZATION"),
        (&ending.disabled, "401 UNAUTHENTICATED"),
        (&ending.suspended, "403 ORGANIZATION_SUSPENDED"),
    ] {
        assert_eq!(client.get(EVENTS).await.named(), expected);
    }
}

async fn who_signs_out_is_told_no_more(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let signed_in = scene
        .app
        .actor(Actor::Member(Home::A, Role::Owner, By::Cookie))
        .await;
    let stream = open(&signed_in, EVENTS).await;
    let out = signed_in
        .send(Method::POST, "/api/auth/logout", Some(&json!({})))
        .await;
    assert_eq!(out.named(), "200", "{}", out.text());
    ended(stream).await;
}

async fn a_token_that_has_expired_is_told_no_more(database: &TestDatabase) {
    let start = Timestamp::from_seconds(1_800_000_000);
    let clock = Arc::new(ManualClock::at(start));
    let app = TestApp::start_delivering(database, clock.clone()).await;
    let owner = app.actor(OWNER).await;
    let expires_at = start.plus(Duration::from_hours(1));
    let made = owner
        .post_json(
            "/api/waha/tokens",
            &json!({"name": "n", "expires_at": expires_at}),
        )
        .await;
    assert_eq!(made.named(), "201", "{}", made.text());
    let bearer = made.json()["data"]["bearer"].as_str().unwrap().to_owned();
    let expiring = owner.clone().with("authorization", &format!("Bearer {bearer}"));
    let stream = open(&expiring, EVENTS).await;
    let mut stays = open(&owner, EVENTS).await;
    clock.advance(Duration::from_hours(1));
    ended(stream).await;
    app.session(Home::A).await;
    stays.next().await.unwrap();
}

async fn who_sees_other_sessions_than_before_is_told_no_more(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let owner = scene.owner().await;
    let (mut stays, limited) = (
        open(&scene.owner().await, EVENTS).await,
        open(&owner, EVENTS).await,
    );
    database
        .execute_unguarded(&format!(
            "UPDATE access_tokens SET is_limited_to_sessions = true WHERE id = '{}'",
            owner.token_id()
        ))
        .await;
    ended(limited).await;
    scene.receive("A1").await;
    assert_eq!(keys(&mut stays, 1).await, ["A1"]);
}

on_both_databases!(
    who_signs_out_is_told_no_more,
    a_token_that_has_expired_is_told_no_more,
    who_sees_other_sessions_than_before_is_told_no_more,
    who_would_not_be_let_in_any_more_is_told_no_more,
);
