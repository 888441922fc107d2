//! How old an answer may be, and how seldom WAHA is asked for it.

use std::time::Duration;

use futures_util::future::join_all;
use waha_client::{TimeLimit, Timeouts};
use waha_sim::{Fault, FaultKind};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Wishes, World};

const LIST: &str = "GET /api/sessions";

on_both_databases!(
    a_young_answer_is_given_again,
    readers_of_all_organizations_share_one_call,
    a_hanging_server_holds_up_no_other,
    servers_are_asked_at_the_same_time,
    a_demand_is_not_content_with_an_older_call,
);

async fn a_young_answer_is_given_again(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    owner.get("").await.ok();
    server.sim.reset_records();
    for path in [
        "",
        "/shop/status",
        "/shop/connected",
        "/shop/health",
        "?status=error",
    ] {
        let answer = owner.get(path).await.ok();
        assert_eq!(answer.sync()["is_fresh"], true, "{path}");
    }
    assert_eq!(server.sim.counts().route(LIST), 0);
    world.later();
    owner.get("/shop/status").await.ok();
    assert_eq!(server.sim.counts().route(LIST), 1);
    owner.post("/shop/sync").await.ok();
    assert_eq!(server.sim.counts().route(LIST), 2, "a demand asks in any case");
}

async fn readers_of_all_organizations_share_one_call(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let mut readers = Vec::new();
    for name in ["a", "b", "c"] {
        let owner = world.owner(name).await;
        world.waiting(&owner, &server, "shop").await;
        readers.push(owner);
    }
    world.later();
    server.sim.reset_records();
    let slow = Fault::slow(Duration::from_millis(300)).on_path("/api/sessions");
    server.sim.set_fault(slow);
    let answers = join_all((0..50).map(|number| {
        let reader = &readers[number % readers.len()];
        async move {
            reader
                .get(if number % 2 == 0 { "" } else { "/shop/status" })
                .await
        }
    }));
    for answer in answers.await {
        assert_eq!(answer.ok().sync()["is_fresh"], true);
    }
    assert_eq!(server.sim.counts().total, 1);
    assert_eq!(server.sim.counts().route(LIST), 1);
}

async fn a_hanging_server_holds_up_no_other(database: &TestDatabase) {
    let second = Duration::from_secs(1);
    let wishes = Wishes {
        sync_wait: Duration::from_millis(500),
        timeouts: Timeouts {
            quick: TimeLimit {
                idle: 3 * second,
                total: Some(3 * second),
            },
            ..Timeouts::default()
        },
    };
    let world = World::with(database, wishes).await;
    let (one, two) = (world.server("one").await, world.server("two").await);
    let owner = world.owner("a").await;
    // The server with the fewest sessions gets the next one.
    world.waiting(&owner, &one, "first").await;
    world.waiting(&owner, &two, "second").await;
    world.later();
    for name in ["first", "second"] {
        assert_eq!(
            owner.post(&format!("/{name}/sync")).await.ok().data()["status"],
            "scan_qr"
        );
    }

    let (first, second) = (world.waha_name("first").await, world.waha_name("second").await);
    one.sim.stop_session(&first).unwrap();
    two.sim.stop_session(&second).unwrap();
    for sim in [&one.sim, &two.sim] {
        sim.reset_records();
    }
    two.sim.set_fault(Fault::new(FaultKind::Hang));
    world.later();
    let list = owner.get("?sort_by=session_name&sort_direction=asc").await.ok();
    assert_eq!(two.sim.counts().route(LIST), 1, "it was asked, and still hangs");
    assert_eq!(
        list.data()[0]["status"],
        "disconnected",
        "the other server's news are there"
    );
    assert_eq!(list.data()[1]["status"], "scan_qr", "this one's are not");
    assert_eq!(list.sync()["is_fresh"], false);
    assert!(list.sync()["reason"].is_string());
    assert!(
        list.sync()["age_seconds"].as_u64().unwrap() >= 20,
        "{}",
        list.sync()
    );
    owner.get("/second/status").await.ok();
    owner.get("/second/health").await.ok();
    assert_eq!(
        two.sim.counts().route(LIST),
        1,
        "nobody asks again while it hangs"
    );

    two.sim.clear_faults();
    // The call that hangs is given up at some time; then the next reader asks again.
    while owner.status("second").await["status"] != "disconnected" {
        world.later();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(owner.status("first").await["status"], "disconnected");
}

async fn servers_are_asked_at_the_same_time(database: &TestDatabase) {
    let wishes = Wishes {
        sync_wait: Duration::from_millis(500),
        ..Wishes::default()
    };
    let world = World::with(database, wishes).await;
    let servers = [world.server("one").await, world.server("two").await];
    let owner = world.owner("a").await;
    for (server, name) in servers.iter().zip(["first", "second"]) {
        world.waiting(&owner, server, name).await;
    }
    for server in &servers {
        server.sim.reset_records();
        server.sim.set_fault(Fault::new(FaultKind::Hang));
    }
    world.later();
    let list = owner.get("").await.ok();
    assert_eq!(list.data().as_array().unwrap().len(), 2);
    assert_eq!(list.sync()["is_fresh"], false);
    // Asked one after the other, the second would not have been asked before the wait was over.
    for server in &servers {
        assert_eq!(server.sim.counts().route(LIST), 1);
    }
}

async fn a_demand_is_not_content_with_an_older_call(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    server.sim.reset_records();
    let slow = Fault::slow(Duration::from_millis(500)).on_path("/api/sessions");
    server.sim.set_fault(slow.times(1));
    let reader = owner.clone();
    let earlier = tokio::spawn(async move { reader.get("").await.ok() });
    while server.sim.counts().route(LIST) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let demanded = owner.post("/shop/sync").await.ok();
    assert_eq!(demanded.sync()["is_fresh"], true, "{}", demanded.json);
    assert_eq!(demanded.message(), "Session synchronized.");
    assert_eq!(server.sim.counts().route(LIST), 2);
    earlier.await.unwrap();
}
