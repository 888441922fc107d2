//! Sessions that wahana makes and starts send their events to its hook, signed.

use serde_json::{Value, json};
use waha_sim::{IncomingMessage, RestartLoss, SessionSeed, Status};
use wahana_store::upkeep;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Made, World, eventually};

on_both_databases!(
    a_new_sessions_events_arrive_signed,
    a_new_key_comes_with_the_next_start_and_restarts_no_phone,
    a_restart_brings_the_new_key_in_one_go,
    a_session_that_waha_forgot_gets_its_webhook_again,
    a_changed_configuration_brings_the_webhook_along,
    without_an_address_there_is_no_webhook,
    no_tenant_sees_the_webhook,
);

async fn kinds(world: &World<'_>, session: &Made) -> Vec<String> {
    let stored = world.stored().await;
    let own = stored.iter().filter(|line| line.starts_with(&session.waha_name));
    own.map(|line| line.rsplit(' ').next().unwrap().to_owned())
        .collect()
}

async fn webhook(world: &World<'_>, session: &Made) -> Value {
    let config = world.configuration(&session.waha_name).await;
    let webhooks = config["webhooks"].as_array().cloned().unwrap_or_default();
    assert!(webhooks.len() <= 1, "{webhooks:?}");
    webhooks.into_iter().next().unwrap_or(Value::Null)
}

fn version(webhook: &Value) -> String {
    let url = webhook["url"].as_str().unwrap();
    url.rsplit('.').next().unwrap().to_owned()
}

/// The version of the newest key, and of the one that WAHA has.
async fn noted(world: &World<'_>, session: &Made) -> (i64, Option<i64>) {
    let tx = world.store.read(session.tenant).await.unwrap();
    let hook = upkeep::get(&tx, session.id).await.unwrap().hook;
    (hook.version, hook.applied_version)
}

async fn raise(world: &World<'_>) {
    let tx = world.store.platform_write().await.unwrap();
    assert!(tx.raise_hook_versions(world.server).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_new_sessions_events_arrive_signed(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.made(&owner, &json!({"session_name": "shop"})).await;
    assert_eq!(noted(&world, &session).await, (1, Some(1)));
    let hook = webhook(&world, &session).await;
    assert_eq!(
        hook["url"].as_str().unwrap(),
        format!("{}hooks/waha/{}/{}/1.1", world.url, world.server, session.id)
    );
    assert_eq!(hook["retries"]["policy"], "linear");

    let name = &session.waha_name;
    world.sim.wait_for_status(name, Status::ScanQrCode).await;
    world.sim.pair_with(name, "15550000001").unwrap();
    world.sim.wait_for_status(name, Status::Working).await;
    world
        .sim
        .receive_message(name, IncomingMessage::text("15550001111@c.us", "hello"))
        .unwrap();
    world.sim.receive_call(name, "15550001111@c.us").unwrap();
    eventually(async || {
        let kinds = kinds(&world, &session).await;
        let has = |kind: &str, count| kinds.iter().filter(|found| *found == kind).count() >= count;
        has("session.status", 3) && has("message.any", 1) && has("call.received", 1)
    })
    .await;
    // A message that came in is told once, and nothing that was not asked for.
    assert!(!kinds(&world, &session).await.contains(&"message".to_owned()));
}

async fn a_new_key_comes_with_the_next_start_and_restarts_no_phone(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.made(&owner, &json!({"session_name": "shop"})).await;
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;
    let keep = json!({"configuration": {"ignore": {"groups": true}}});
    world.patch(&owner, "/shop", &keep).await;
    raise(&world).await;
    assert_eq!(noted(&world, &session).await, (2, Some(1)));

    world.post(&owner, "/shop/start", &json!({})).await;
    assert_eq!(
        version(&webhook(&world, &session).await),
        "1",
        "it runs, so it is left alone"
    );

    world.post(&owner, "/shop/stop", &json!({})).await;
    world.post(&owner, "/shop/start", &json!({})).await;
    assert_eq!(version(&webhook(&world, &session).await), "2");
    assert_eq!(noted(&world, &session).await, (2, Some(2)));
    let config = world.configuration(&session.waha_name).await;
    assert_eq!(config["ignore"]["groups"], true, "the rest stays");
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;

    // What is there already is not written again.
    world.post(&owner, "/shop/stop", &json!({})).await;
    world.sim.reset_records();
    world.post(&owner, "/shop/start", &json!({})).await;
    let puts = world.sim.received_requests();
    assert!(puts.iter().all(|request| request.method != "PUT"), "{puts:?}");
}

async fn a_restart_brings_the_new_key_in_one_go(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.made(&owner, &json!({"session_name": "shop"})).await;
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;
    raise(&world).await;
    world.sim.reset_records();
    world.post(&owner, "/shop/restart", &json!({})).await;
    assert_eq!(version(&webhook(&world, &session).await), "2");
    assert_eq!(noted(&world, &session).await, (2, Some(2)));
    let requests = world.sim.received_requests();
    let changes: Vec<_> = requests
        .iter()
        .filter(|request| request.method != "GET")
        .collect();
    assert_eq!(changes.len(), 1, "the phone is interrupted once: {changes:?}");
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;
}

async fn a_session_that_waha_forgot_gets_its_webhook_again(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    world.sim.restart(RestartLoss::Everything).await;
    world.post(&owner, "/shop/start", &json!({})).await;
    assert_eq!(version(&webhook(&world, &session).await), "1");
    world
        .sim
        .wait_for_status(&session.waha_name, Status::ScanQrCode)
        .await;
    eventually(async || !kinds(&world, &session).await.is_empty()).await;
}

async fn a_changed_configuration_brings_the_webhook_along(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    // As a release before made it.
    let before = SessionSeed::new(&session.waha_name).status(Status::Stopped);
    world.sim.add_session(before.config(json!({"debug": false})));
    let same = json!({"configuration": {"debug": false}});
    world.patch(&owner, "/shop", &same).await;
    assert_eq!(
        webhook(&world, &session).await,
        Value::Null,
        "nothing was to be written"
    );
    let other = json!({"configuration": {"debug": true}});
    world.patch(&owner, "/shop", &other).await;
    assert_eq!(version(&webhook(&world, &session).await), "1");
    assert_eq!(noted(&world, &session).await, (1, Some(1)));
}

async fn without_an_address_there_is_no_webhook(database: &TestDatabase) {
    let clock = std::sync::Arc::default();
    let store = database.store(std::sync::Arc::clone(&clock) as _).await;
    let world = World::over(database, store, clock, false).await;
    let owner = world.owner("a").await;
    let session = world.made(&owner, &json!({"session_name": "shop"})).await;
    assert_eq!(webhook(&world, &session).await, Value::Null);
    assert_eq!(noted(&world, &session).await, (1, None));
}

async fn no_tenant_sees_the_webhook(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.made(&owner, &json!({"session_name": "shop"})).await;
    let hook = webhook(&world, &session).await;
    let key = hook["hmac"]["key"].as_str().unwrap();
    for path in ["", "/shop/status", "/shop/info", "/shop/health"] {
        let shown = world.get(&owner, path).await.to_string();
        for hidden in [key, "hooks/waha", "webhooks", &world.server.to_string()] {
            assert!(!shown.contains(hidden), "{path} shows {hidden}");
        }
    }
}
