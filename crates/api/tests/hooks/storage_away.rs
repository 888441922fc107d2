//! A PostgreSQL that goes away and comes back under a process that goes on.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use waha_sim::Status;
use wahana_store::{DatabaseSettings, Store};
use wahana_testkit::{cutting_proxy::CuttingProxy, database::TestDatabase, on_postgres};

use crate::{
    living::Living,
    world::{Owner, ShiftedClock, World, eventually},
};

on_postgres!(
    after_a_cut_everything_goes_on_by_itself,
    after_frozen_connections_everything_goes_on_by_itself,
);

/// A world whose storage is behind a proxy.
async fn proxied(database: &TestDatabase) -> (World<'_>, CuttingProxy) {
    let url = database.settings().url.expose_secret().parse().unwrap();
    let (proxy, url) = CuttingProxy::in_front_of_url(&url).unwrap();
    let clock = Arc::new(ShiftedClock::default());
    let settings = DatabaseSettings {
        max_connections: 4,
        ..DatabaseSettings::new(url.to_string())
    };
    let store = Store::open(&settings, database.keys(), clock.clone()).await;
    (World::over(database, store.unwrap(), clock, true).await, proxy)
}

async fn after_a_cut_everything_goes_on_by_itself(database: &TestDatabase) {
    let (world, proxy) = proxied(database).await;
    the_storage_is_away(&world, &proxy, async || proxy.refuse().await).await;
}

async fn after_frozen_connections_everything_goes_on_by_itself(database: &TestDatabase) {
    let (world, proxy) = proxied(database).await;
    the_storage_is_away(&world, &proxy, async || proxy.freeze()).await;
}

/// What is written of sessions, and of what was done to them.
async fn written(world: &World<'_>) -> Vec<String> {
    let mut rows = Vec::new();
    for query in [
        "SELECT session_name || ' ' || status || ' ' || desired_status || ' ' || updated_at FROM sessions",
        "SELECT operation || ' ' || outcome FROM audit_entries ORDER BY created_at, id",
        "SELECT event_id || ' ' || state FROM waha_events ORDER BY event_id",
    ] {
        rows.extend(world.texts(query).await);
    }
    rows
}

async fn is_refused(world: &World<'_>, owner: &Owner, method: Method, path: &str) {
    let (status, body) = world.asked(owner, method, path).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
    assert_eq!(body["error_code"], "SERVICE_UNAVAILABLE", "{path}");
}

async fn the_storage_is_away(world: &World<'_>, proxy: &CuttingProxy, go_away: impl AsyncFnOnce()) {
    let owner = world.owner("a").await;
    let session = world.working(&owner, "shop", "15550000001").await;
    let resting = world.session(&owner, "resting").await;
    let process = Living::begin(world, world.store.clone());
    let statuses = "SELECT status FROM sessions ORDER BY session_name";
    eventually(async || world.texts(statuses).await == ["disconnected", "working"]).await;
    eventually(async || {
        let waiting = "SELECT event_id FROM waha_events WHERE state = 'waiting'";
        world.texts(waiting).await.is_empty()
    })
    .await;

    go_away().await;
    let (before, acts) = (written(world).await, world.acts());
    world.sim.stop_session(&session.waha_name).unwrap();
    let event = world.event("evt_during", &session).to_string();
    let delivery = world.delivery(world.hook(None), event);
    tokio::join!(
        async { assert_eq!(world.deliver(&delivery).await, StatusCode::SERVICE_UNAVAILABLE) },
        is_refused(world, &owner, Method::GET, "/shop/status"),
        is_refused(world, &owner, Method::GET, ""),
        is_refused(world, &owner, Method::POST, "/shop/stop"),
        is_refused(world, &owner, Method::POST, "/resting/start"),
    );
    assert_eq!(written(world).await, before);
    assert_eq!(
        world.acts(),
        acts,
        "WAHA was asked for nothing that is not written down"
    );
    assert_eq!(
        world.sim.session_status(&session.waha_name),
        Some(Status::Stopped)
    );

    proxy.resume().unwrap();
    world
        .sim
        .wait_for_status(&session.waha_name, Status::Working)
        .await;
    eventually(async || world.texts(statuses).await == ["disconnected", "working"]).await;
    // WAHA sends what was not answered again.
    eventually(async || world.deliver(&delivery).await == StatusCode::OK).await;
    let state = "SELECT state FROM waha_events WHERE event_id = 'evt_during'";
    eventually(async || world.texts(state).await == ["applied"]).await;
    assert_eq!(world.get(&owner, "/shop/status").await["status"], "working");
    assert_eq!(
        world.sim.session_status(&resting.waha_name),
        Some(Status::Stopped)
    );
    let by_people =
        "SELECT operation FROM audit_entries WHERE actor <> 'system' AND operation = 'sessions.stop'";
    assert_eq!(world.texts(by_people).await, Vec::<String>::new());
    drop(process);
}
