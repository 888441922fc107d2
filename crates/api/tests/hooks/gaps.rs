//! Noticing that events do not arrive.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use waha_sim::Status;
use wahana_service::{Operator, platform::hooks};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Owner, World};

on_both_databases!(changes_without_events_are_named_until_events_come_again);

async fn check(world: &World<'_>, owner: &Owner) -> Value {
    let health = world.get(owner, "/shop/health").await;
    let checks = health["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == "events_arrive");
    found.unwrap().clone()
}

async fn report(world: &World<'_>) -> hooks::HookReport {
    let tx = world.store.platform_read().await.unwrap();
    let server = tx.server(world.server).await.unwrap().unwrap();
    hooks::report(&world.services, &Operator::CommandLine, &server)
}

async fn changes_without_events_are_named_until_events_come_again(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    // Somebody took the webhook away, and starts the session behind wahana's back.
    let api = format!("{}/api/sessions/{}", world.sim.base_url(), session.waha_name);
    let waha = |request: reqwest::RequestBuilder| request.header("x-api-key", crate::world::UPSTREAM_KEY);
    let bare = waha(world.http.put(&api)).json(&json!({"config": {}}));
    assert_eq!(bare.send().await.unwrap().status(), StatusCode::OK);
    world.post(&owner, "/shop/sync", &json!({})).await;
    assert_eq!(check(&world, &owner).await["passed"], true);

    let started = waha(world.http.post(format!("{api}/start")))
        .send()
        .await
        .unwrap();
    assert_eq!(started.status(), StatusCode::CREATED);
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;
    world.post(&owner, "/shop/sync", &json!({})).await;
    assert_eq!(
        check(&world, &owner).await["passed"],
        true,
        "an event may still come"
    );
    assert!(report(&world).await.is_good);

    world.clock.advance(Duration::from_secs(90));
    world.post(&owner, "/shop/sync", &json!({})).await;
    // Servers are remembered for some seconds of the machine's own time.
    crate::world::eventually(async || check(&world, &owner).await["passed"] == false).await;
    let gap = report(&world).await;
    assert!(!gap.is_good && gap.text.contains("one"), "{gap:?}");

    let event = world.event("evt_1", &session).to_string();
    let delivery = world.delivery(world.hook(Some(session.id)), event);
    assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    assert!(report(&world).await.is_good);
    crate::world::eventually(async || check(&world, &owner).await["passed"] == true).await;
}
