//! Stopping, restarting, logging out and deleting.

use serde_json::json;
use waha_sim::Status;
use wahana_domain::{OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    stopping_and_restarting_are_repeatable,
    logging_out_forgets_the_number,
    deleting_frees_the_name,
    what_waha_lost_can_be_put_to_rest,
    those_who_only_read_or_send_may_not,
);

async fn stopping_and_restarting_are_repeatable(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    for _ in 0..2 {
        let stopped = owner.post("/shop/stop").await.ok();
        assert_eq!(stopped.data()["status"], "disconnected");
        assert_eq!(stopped.data()["waha_status"], "STOPPED");
        assert_eq!(stopped.data()["phone_number"], "+15550000001", "it stays paired");
    }
    for _ in 0..2 {
        let restarted = owner.post("/shop/restart").await.ok();
        assert_eq!(restarted.data()["status"], "connecting");
    }
    server
        .sim
        .wait_for_status(&world.waha_name("shop").await, Status::Working)
        .await;
}

async fn logging_out_forgets_the_number(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    for _ in 0..2 {
        let answer = owner.post("/shop/logout").await.ok();
        assert!(answer.data()["phone_number"].is_null(), "{}", answer.json);
        assert_eq!(answer.data()["desired_status"], "running");
    }
    server
        .sim
        .wait_for_status(&world.waha_name("shop").await, Status::ScanQrCode)
        .await;
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(session["status"], "scan_qr");
    assert!(session["phone_number"].is_null());

    // Also of one that is stopped, whose status stays as it is.
    world.working(&owner, &server, "other", "15550000002").await;
    owner.post("/other/stop").await.ok();
    let answer = owner.post("/other/logout").await.ok();
    assert!(answer.data()["phone_number"].is_null(), "{}", answer.json);
    assert_eq!(answer.data()["status"], "disconnected");
}

async fn deleting_frees_the_name(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let first = world.working(&owner, &server, "shop", "15550000001").await;
    let waha_name = world.waha_name("shop").await;
    let deleted = owner.delete("/shop").await.ok();
    assert!(deleted.data().is_null());
    assert!(server.sim.session_status(&waha_name).is_none());
    owner.delete("/shop").await.refused(404, "SESSION_NOT_FOUND");
    owner
        .get(&format!("/{}/status", first["id"].as_str().unwrap()))
        .await
        .refused(404, "SESSION_NOT_FOUND");
    assert_eq!(owner.names("").await, Vec::<String>::new());

    // Its number is free too.
    let second = world.working(&owner, &server, "shop", "15550000001").await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["phone_number"], "+15550000001");
    let names = world.waha_names("shop").await;
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1], "a name on WAHA is never used again");
}

async fn what_waha_lost_can_be_put_to_rest(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for (action, name) in [("stop", "first"), ("logout", "second")] {
        world.working(&owner, &server, name, "15550000001").await;
        server.sim.delete_session(&world.waha_name(name).await).unwrap();
        let answer = owner.post(&format!("/{name}/{action}")).await.ok();
        assert_eq!(answer.data()["status"], "disconnected", "{action}");
        assert!(answer.data()["waha_status"].is_null(), "{action}");
        owner.delete(&format!("/{name}")).await.ok();
    }
}

async fn those_who_only_read_or_send_may_not(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    world.waiting(&owner, &server, "shop").await;
    server.sim.reset_records();
    for role in [Role::Viewer, Role::Agent] {
        let member = world.member(home, role).await;
        for action in ["stop", "restart", "logout"] {
            member
                .post(&format!("/shop/{action}"))
                .await
                .refused(403, "FORBIDDEN");
        }
        member.delete("/shop").await.refused(403, "FORBIDDEN");
        member.get("/shop/qr").await.refused(403, "FORBIDDEN");
        let number = json!({"phone_number": "+15550000001"});
        member
            .post_json("/shop/pairing-code", &number)
            .await
            .refused(403, "FORBIDDEN");
        member
            .patch("/shop", &json!({"display_name": "x"}))
            .await
            .refused(403, "FORBIDDEN");
        member.post_json("", &json!({})).await.refused(403, "FORBIDDEN");
        // What is not there is not there, also for those who may not.
        member
            .post("/nothing/stop")
            .await
            .refused(404, "SESSION_NOT_FOUND");
    }
    assert_eq!(server.sim.counts().total, 0);
    let viewer = world.member(home, Role::Viewer).await;
    for path in [
        "",
        "/shop/status",
        "/shop/info",
        "/shop/connected",
        "/shop/health",
    ] {
        viewer.get(path).await.ok();
    }
    viewer.post("/shop/sync").await.ok();
}
