//! Events that are believed.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use wahana_domain::SessionId;
use wahana_store::events::{self, EventState};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    an_event_is_stored_once_however_often_it_comes,
    a_servers_own_hook_takes_the_events_of_all_its_sessions,
    events_of_nobodys_sessions_are_taken_and_not_kept,
    what_is_stored_is_what_was_sent,
    an_event_may_be_as_old_as_waha_keeps_trying,
);

async fn an_event_is_stored_once_however_often_it_comes(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    let event = world.event("evt_1", &session).to_string();
    let own = world.delivery(world.hook(Some(session.id)), event.clone());
    let global = world.delivery(world.hook(None), event);
    for delivery in [&own, &own, &global, &own] {
        assert_eq!(world.deliver(delivery).await, StatusCode::OK);
        let expected = format!("{} evt_1 session.status", session.waha_name);
        assert_eq!(world.stored().await, [expected]);
    }
    // Also when what it said was applied and forgotten since.
    let tx = world.store.write(owner.tenant).await.unwrap();
    let waiting = events::waiting(&tx, session.id, 10).await.unwrap();
    events::finish(&tx, &[waiting[0].id], EventState::Applied)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.deliver(&own).await, StatusCode::OK);
    assert_eq!(world.stored().await, Vec::<String>::new());
}

async fn a_servers_own_hook_takes_the_events_of_all_its_sessions(database: &TestDatabase) {
    let world = World::new(database).await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let of_a = world.session(&a, "shop").await;
    let of_b = world.session(&b, "shop").await;
    for (id, session) in [("evt_1", &of_a), ("evt_2", &of_b)] {
        let delivery = world.delivery(world.hook(None), world.event(id, session).to_string());
        assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    }
    assert_eq!(
        world.stored().await,
        [
            format!("{} evt_1 session.status", of_a.waha_name),
            format!("{} evt_2 session.status", of_b.waha_name),
        ]
    );
    for (owner, session) in [(&a, &of_a), (&b, &of_b)] {
        let tx = world.store.read(owner.tenant).await.unwrap();
        let waiting = events::waiting(&tx, session.id, 10).await.unwrap();
        assert_eq!(waiting.len(), 1, "each organization has its own");
    }
}

async fn events_of_nobodys_sessions_are_taken_and_not_kept(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let mut session = world.session(&owner, "shop").await;
    "somebody-elses".clone_into(&mut session.waha_name);
    let event = world.event("evt_1", &session).to_string();
    for hook in [world.hook(None), world.hook(Some(SessionId::new()))] {
        let delivery = world.delivery(hook, event.clone());
        assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    }
    assert_eq!(world.stored().await, Vec::<String>::new());
    // They tell all the same that the server's events arrive.
    let tx = world.store.platform_read().await.unwrap();
    let server = tx.server(world.server).await.unwrap().unwrap();
    assert!(server.last_event_at.is_some());
}

async fn what_is_stored_is_what_was_sent(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    let mut event = world.event("evt_1", &session);
    event["payload"]["text"] = json!("Grüße 👍 \u{0} \" \\");
    let body = serde_json::to_string_pretty(&event).unwrap();
    let delivery = world.delivery(world.hook(Some(session.id)), body.clone());
    assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    let tx = world.store.read(owner.tenant).await.unwrap();
    let stored = events::waiting(&tx, session.id, 10).await.unwrap().remove(0);
    assert_eq!(stored.payload, body);
    assert_eq!((stored.session, stored.server), (session.id, world.server));
    assert_eq!(
        stored.happened_at.as_micros(),
        event["timestamp"].as_i64().unwrap() * 1000
    );
}

async fn an_event_may_be_as_old_as_waha_keeps_trying(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let session = world.session(&owner, "shop").await;
    let hook = world.hook(Some(session.id));
    let delivery = world.delivery(hook, world.event("evt_1", &session).to_string());
    world.clock.advance(Duration::from_hours(47));
    assert_eq!(world.deliver(&delivery).await, StatusCode::OK);
    let mut early = world.event("evt_2", &session);
    early["timestamp"] = json!(early["timestamp"].as_i64().unwrap() + 240_000);
    assert_eq!(
        world.deliver(&world.delivery(hook, early.to_string())).await,
        StatusCode::OK
    );
    assert_eq!(world.stored().await.len(), 2);
}
