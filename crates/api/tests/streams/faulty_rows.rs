//! Rows that cannot be read keep nobody from being told of the others.

use serde_json::json;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{EVENTS, Scene, keys, open};

async fn an_event_that_cannot_be_read_stops_no_stream(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    let owner = scene.owner().await;
    // The first event is of the session itself.
    for key in ["A1", "A2", "A3"] {
        scene.receive(key).await;
    }
    database
        .execute_unguarded("UPDATE organization_events SET data = '{' WHERE number = 3")
        .await;
    let mut stream = open(&owner, &format!("{EVENTS}?last_event_id=1")).await;
    assert_eq!(keys(&mut stream, 2).await, ["A1", "A3"]);
    scene.receive("A4").await;
    assert_eq!(keys(&mut stream, 1).await, ["A4"]);
}

async fn what_an_event_is_about_is_told_as_not_kept_if_it_cannot_be_read(database: &TestDatabase) {
    let scene = Scene::open(database).await;
    for key in ["A1", "A2"] {
        scene.receive(key).await;
    }
    for faulty in [
        "UPDATE messages SET kind = 'hologram' WHERE message_key = 'A1'",
        "UPDATE sessions SET desired_status = 'dreaming'",
    ] {
        database.execute_unguarded(faulty).await;
    }
    let mut stream = open(&scene.owner().await, &format!("{EVENTS}?last_event_id=1")).await;
    let event = stream.next().await.unwrap();
    assert_eq!(
        (&event.data["session_name"], &event.data["data"]["message"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(keys(&mut stream, 1).await, ["A2"]);
}

on_both_databases!(
    an_event_that_cannot_be_read_stops_no_stream,
    what_an_event_is_about_is_told_as_not_kept_if_it_cannot_be_read,
);
