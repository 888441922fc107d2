//! On which WAHA server sessions are made.

use futures_util::future::join_all;
use serde_json::json;
use wahana_domain::{OrganizationLimits, Role, ServerId};
use wahana_store::ServerChange;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Server, World};

const CREATE: &str = "POST /api/sessions";

on_both_databases!(
    parallel_creations_do_not_exceed_the_capacity,
    nothing_is_made_or_started_on_a_paused_server,
    a_draining_server_gets_nothing_and_goes_on,
    a_bound_server_is_its_organizations_alone,
    a_server_that_is_away_is_the_last_choice,
);

async fn change(world: &World<'_>, server: ServerId, change: ServerChange) {
    let tx = world.store.platform_write().await.unwrap();
    assert!(tx.update_server(server, &change).await.unwrap());
    tx.commit().await.unwrap();
}

fn made(server: &Server) -> u64 {
    server.sim.counts().route(CREATE)
}

async fn parallel_creations_do_not_exceed_the_capacity(database: &TestDatabase) {
    let world = World::new(database).await;
    let small = world.server_for("small", Some(2)).await;
    let large = world.server_for("large", Some(5)).await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let burst = join_all((0..20).map(|number| {
        let client = if number % 2 == 0 { a.clone() } else { b.clone() };
        async move { client.post_json("", &json!({"start": false})).await }
    }));
    let mut created = 0;
    for answer in burst.await {
        if answer.status.as_u16() == 201 {
            created += 1;
        } else {
            answer.refused(503, "WAHA_UNAVAILABLE");
        }
    }
    assert_eq!((created, made(&small), made(&large)), (7, 2, 5));
    assert_eq!(a.names("").await.len() + b.names("").await.len(), 7);
}

async fn nothing_is_made_or_started_on_a_paused_server(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    owner
        .post_json("", &json!({"session_name": "shop", "start": false}))
        .await
        .expect(201);
    let paused_at = Some(Some(world.store.clock().now()));
    // Another process does this, so what this one believes of the server must have grown old.
    change(
        &world,
        server.id,
        ServerChange {
            paused_at,
            ..Default::default()
        },
    )
    .await;
    crate::world::eventually(async || owner.post("/shop/start").await.status.as_u16() == 503).await;
    server.sim.reset_records();
    for path in ["/shop/start", "/shop/restart"] {
        let refused = owner.post(path).await.refused(503, "WAHA_UNAVAILABLE");
        assert!(refused.message().contains("paused"), "{}", refused.message());
        assert!(refused.headers.contains_key("retry-after"));
    }
    owner
        .post_json("", &json!({"start": false}))
        .await
        .refused(503, "WAHA_UNAVAILABLE");
    assert_eq!(server.sim.counts().route("POST /api/sessions/{session}/start"), 0);
    assert_eq!(made(&server), 0);
    // To stop is never in the way of what a pause is for.
    owner.post("/shop/stop").await.ok();
}

async fn a_draining_server_gets_nothing_and_goes_on(database: &TestDatabase) {
    let world = World::new(database).await;
    let (old, new) = (world.server("old").await, world.server_for("new", Some(3)).await);
    let owner = world.owner("a").await;
    let draining_at = Some(Some(world.store.clock().now()));
    owner
        .post_json("", &json!({"session_name": "shop", "start": false}))
        .await
        .expect(201);
    let first = if made(&old) == 1 { &old } else { &new };
    let other = if made(&old) == 1 { &new } else { &old };
    change(
        &world,
        first.id,
        ServerChange {
            draining_at,
            ..Default::default()
        },
    )
    .await;
    for _ in 0..3 {
        owner.post_json("", &json!({"start": false})).await.expect(201);
    }
    assert_eq!((made(first), made(other)), (1, 3));
    owner.post("/shop/start").await.ok();
}

async fn a_bound_server_is_its_organizations_alone(database: &TestDatabase) {
    let world = World::new(database).await;
    let (own, shared) = (
        world.server_for("own", Some(2)).await,
        world.server("shared").await,
    );
    let home = world.organization("a", OrganizationLimits::default()).await;
    let (ours, theirs) = (world.member(home, Role::Owner).await, world.owner("b").await);
    let organization = Some(Some(home.id));
    change(
        &world,
        own.id,
        ServerChange {
            organization,
            ..Default::default()
        },
    )
    .await;
    for _ in 0..3 {
        theirs.post_json("", &json!({"start": false})).await.expect(201);
    }
    for _ in 0..2 {
        ours.post_json("", &json!({"start": false})).await.expect(201);
    }
    assert_eq!((made(&own), made(&shared)), (2, 3));
    ours.post_json("", &json!({"start": false}))
        .await
        .refused(503, "WAHA_UNAVAILABLE");
    change(
        &world,
        own.id,
        ServerChange {
            organization: Some(None),
            ..Default::default()
        },
    )
    .await;
    ours.post_json("", &json!({"start": false})).await.expect(201);
    assert_eq!((made(&own), made(&shared)), (2, 4));
}

async fn a_server_that_is_away_is_the_last_choice(database: &TestDatabase) {
    let world = World::new(database).await;
    let away = world.insert_server("away", "http://127.0.0.1:1", None).await;
    let owner = world.owner("a").await;
    // Each of these finds out that nothing answers there.
    for _ in 0..3 {
        owner
            .post_json("", &json!({"start": false}))
            .await
            .refused(503, "WAHA_UNAVAILABLE");
    }
    let there = world.server("there").await;
    for _ in 0..2 {
        owner.post_json("", &json!({"start": false})).await.expect(201);
    }
    assert_eq!(made(&there), 2);
    let tx = world.store.platform_read().await.unwrap();
    let servers = tx.servers().await.unwrap();
    let load = servers.iter().find(|load| load.server.id == away).unwrap();
    assert_eq!(load.sessions, 0);
}
