//! What is told, and told again to who comes back.

use std::sync::Arc;

use serde_json::json;
use wahana_domain::SystemClock;
use wahana_testkit::{app::Home, database::TestDatabase, on_both_databases};

use crate::{EVENTS, OWNER_OF_B, Scene, keys, open, receive};

async fn what_happens_is_told_as_it_happens(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let mut stream = open(&scene.owner().await, EVENTS).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    scene.receive("A1").await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.event, "message.received");
    let body = event.data;
    assert_eq!(json!(event.id), json!(body["number"].to_string()));
    assert_eq!(body["type"], "message.received");
    assert_eq!(body["organization_id"], json!(scene.app.organization_id(Home::A)));
    assert_eq!(body["session_id"], json!(scene.session.id));
    assert_eq!(body["session_name"], json!(scene.session.name));
    assert_eq!(body["data"]["message"]["chat_id"], "15550001111@c.us");
    let text = body.to_string();
    for secret in scene.app.upstream_secrets() {
        assert!(!text.contains(&secret), "{text}");
    }
    assert!(!text.contains(scene.session.waha.name.as_str()), "{text}");
}

async fn who_comes_back_misses_nothing(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let owner = scene.owner().await;
    let mut stream = open(&owner, EVENTS).await;
    scene.receive("A1").await;
    let seen = stream.next().await.unwrap();
    drop(stream);
    for number in 2..=300 {
        scene.receive(&format!("A{number}")).await;
    }
    let expected: Vec<String> = (2..=301).map(|number| format!("A{number}")).collect();
    let again = owner.clone().with("last-event-id", &seen.id);
    let by_query = format!("{EVENTS}?last_event_id={}", seen.id);
    let mut streams = [open(&again, EVENTS).await, open(&owner, &by_query).await];
    scene.receive("A301").await;
    for stream in &mut streams {
        assert_eq!(keys(stream, 300).await, expected);
    }
}

async fn what_cannot_be_told_any_more_is_said_to_be_lost(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let owner = scene.owner().await;
    for key in ["A1", "A2"] {
        scene.receive(key).await;
    }
    // A never had that many; B has.
    let of_b = scene.app.actor(OWNER_OF_B).await;
    drop(open(&of_b, EVENTS).await);
    // The number may be the last that there is.
    let most = format!("{EVENTS}?last_event_id={}", i64::MAX);
    assert_eq!(open(&owner, &most).await.next().await.unwrap().event, "reset");
    let mut ahead = open(&owner, &format!("{EVENTS}?last_event_id=1000")).await;
    let reset = ahead.next().await.unwrap();
    assert_eq!((reset.event.as_str(), reset.id.as_str()), ("reset", "3"));
    assert_eq!(reset.data, json!({"last_event_number": 3}));

    let tx = scene.app.store().platform_write().await.unwrap();
    let later = tx.now().plus(std::time::Duration::from_secs(1));
    assert_eq!(tx.delete_organization_events(later, 2).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut kept = open(&owner, &format!("{EVENTS}?last_event_id=2")).await;
    assert_eq!(keys(&mut kept, 1).await, ["A2"]);
    let mut old = open(&owner, &format!("{EVENTS}?last_event_id=1")).await;
    assert_eq!(old.next().await.unwrap().event, "reset");
    scene.receive("A3").await;
    for stream in [&mut ahead, &mut kept, &mut old] {
        assert_eq!(keys(stream, 1).await, ["A3"]);
    }
}

async fn what_another_process_writes_is_told_too(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let mut stream = open(&scene.owner().await, EVENTS).await;
    // Of its own connections, and without a word to the first.
    let another = database.store(Arc::new(SystemClock)).await;
    for key in ["A1", "A2"] {
        receive(&another, scene.a(), scene.session.id, key).await;
        assert_eq!(keys(&mut stream, 1).await, [key]);
    }
}

async fn each_organization_is_told_its_own(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let of_b = scene.app.session(Home::B).await;
    let mut streams = [
        open(&scene.owner().await, EVENTS).await,
        open(&scene.app.actor(OWNER_OF_B).await, EVENTS).await,
    ];
    for round in 0..3 {
        scene.receive(&format!("A{round}")).await;
        receive(
            scene.app.store(),
            scene.app.tenant(Home::B),
            of_b.id,
            &format!("B{round}"),
        )
        .await;
    }
    let [of_a, of_b] = &mut streams;
    assert_eq!(keys(of_a, 3).await, ["A0", "A1", "A2"]);
    assert_eq!(keys(of_b, 3).await, ["B0", "B1", "B2"]);
}

on_both_databases!(
    what_happens_is_told_as_it_happens,
    who_comes_back_misses_nothing,
    what_cannot_be_told_any_more_is_said_to_be_lost,
    what_another_process_writes_is_told_too,
    each_organization_is_told_its_own,
);
