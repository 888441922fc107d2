//! Many events at once, and a storage that is away.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use wahana_store::{DatabaseSettings, Store};
use wahana_testkit::{cutting_proxy::CuttingProxy, database::TestDatabase, on_both_databases, on_postgres};

use crate::world::{ShiftedClock, World};

on_both_databases!(a_crowd_with_duplicates_is_stored_once_each);
on_postgres!(while_the_storage_is_away_waha_keeps_its_events);

/// How many different events arrive, each three times.
const EVENTS: usize = 500;
const AT_ONCE: usize = 100;

async fn a_crowd_with_duplicates_is_stored_once_each(database: &TestDatabase) {
    let world = World::new(database).await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let sessions = [
        world.session(&a, "one").await,
        world.session(&a, "two").await,
        world.session(&b, "one").await,
    ];
    let deliveries: Vec<_> = (0..EVENTS)
        .map(|number| {
            let session = &sessions[number % sessions.len()];
            let hook = world.hook((number % 2 == 0).then_some(session.id));
            let event = world.event(&format!("evt_{number:05}"), session);
            world.delivery(hook, event.to_string())
        })
        .collect();
    // Not in the order of their names, and repeated at the same moment and later.
    let order = (0..EVENTS * 3).map(|step| (step * 7919) % EVENTS);
    let statuses: Vec<StatusCode> = stream::iter(order)
        .map(|number| world.deliver(&deliveries[number]))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert!(
        statuses.iter().all(|status| *status == StatusCode::OK),
        "{statuses:?}"
    );

    let expected: Vec<String> = (0..EVENTS)
        .map(|number| {
            let name = &sessions[number % sessions.len()].waha_name;
            format!("{name} evt_{number:05} session.status")
        })
        .collect();
    assert_eq!(world.stored().await, expected);
}

async fn while_the_storage_is_away_waha_keeps_its_events(database: &TestDatabase) {
    let url = database.settings().url.expose_secret().parse().unwrap();
    let (proxy, url) = CuttingProxy::in_front_of_url(&url).unwrap();
    let clock = Arc::new(ShiftedClock::default());
    let settings = DatabaseSettings {
        max_connections: 2,
        ..DatabaseSettings::new(url.to_string())
    };
    let store = Store::open(&settings, database.keys(), clock.clone())
        .await
        .unwrap();
    let world = World::over(database, store, clock, true).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "one").await;
    let delivery = world.delivery(
        world.hook(Some(session.id)),
        world.event("evt_1", &session).to_string(),
    );

    proxy.refuse().await;
    let (status, body) = world.send(world.request(&delivery)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body["error_code"], "SERVICE_UNAVAILABLE");
    assert_eq!(world.stored().await, Vec::<String>::new());

    proxy.resume().unwrap();
    assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    assert_eq!(world.stored().await.len(), 1);
}
