//! What a snapshot writes, and what it leaves alone.

use std::time::Duration;

use waha_sim::SessionSeed;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    changed_rows_are_written_and_no_others,
    what_another_process_wrote_is_compared_with_a_list_that_says_nothing_new,
    a_snapshot_claims_nothing,
);

async fn changed_rows_are_written_and_no_others(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    for number in 0..4 {
        world.waiting(&a, &server, &format!("a{number}")).await;
        world.waiting(&b, &server, &format!("b{number}")).await;
    }
    a.post("/a0/sync").await.ok();
    let before = world.rows().await;
    for _ in 0..3 {
        world.later();
        assert_eq!(a.get("").await.ok().sync()["is_fresh"], true);
        assert_eq!(world.rows().await, before, "nothing was new");
    }
    for name in ["a1", "a2", "b3"] {
        server.sim.stop_session(&world.waha_name(name).await).unwrap();
    }
    world.later();
    // A reader of one organization brings the news to all.
    a.get("").await.ok();
    let after = world.rows().await;
    let changed: Vec<&str> = after
        .iter()
        .filter(|row| !before.contains(row))
        .map(|row| row.split(' ').next().unwrap())
        .collect();
    assert_eq!(changed, ["a1", "a2", "b3"]);
    assert_eq!(b.status("b3").await["status"], "disconnected");
}

async fn what_another_process_wrote_is_compared_with_a_list_that_says_nothing_new(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let a = world.owner("a").await;
    world.waiting(&a, &server, "shop").await;
    let soon = Duration::from_secs(6);
    world.clock.advance(soon);
    a.get("").await.ok();
    world.clock.advance(soon);
    a.get("").await.ok();
    database
        .execute_unguarded(
            "UPDATE sessions SET status = 'working', waha_status = 'WORKING', updated_at = updated_at + 1",
        )
        .await;
    world.clock.advance(soon);
    assert_eq!(a.get("").await.ok().sync()["is_fresh"], true);
    assert_eq!(a.status("shop").await["status"], "scan_qr");
}

async fn a_snapshot_claims_nothing(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    world.waiting(&a, &server, "shop").await;
    let rows = world.rows().await.len();
    // On WAHA, and nobody's: also under the name of a tenant's session, and of one that a tenant would like.
    for name in ["shop", "wanted", "w_0123456789abcdef0123456789abcdef"] {
        server
            .sim
            .add_session(SessionSeed::new(name).phone("15559990000"));
    }
    world.later();
    for client in [&a, &b] {
        client.get("").await.ok();
        for name in ["wanted", "w_0123456789abcdef0123456789abcdef"] {
            for path in ["status", "info", "qr"] {
                client
                    .get(&format!("/{name}/{path}"))
                    .await
                    .refused(404, "SESSION_NOT_FOUND");
            }
        }
    }
    assert_eq!(a.names("").await, ["shop"]);
    assert_eq!(
        a.status("shop").await["status"],
        "scan_qr",
        "not that of the namesake"
    );
    assert_eq!(b.names("").await, Vec::<String>::new());
    b.get("/shop/status").await.refused(404, "SESSION_NOT_FOUND");
    assert_eq!(world.rows().await.len(), rows);

    // Who starts a session of that name gets one of their own.
    b.post("/wanted/start").await.expect(201);
    assert_ne!(world.waha_name("wanted").await, "wanted");
    assert!(b.status("wanted").await["phone_number"].is_null());
}
