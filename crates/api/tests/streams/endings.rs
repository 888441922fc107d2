//! A stream ends with what let its reader in.

use wahana_testkit::{
    app::{By, Ending, EventStream},
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

on_both_databases!(who_would_not_be_let_in_any_more_is_told_no_more);
