//! A WAHA that is away, wrong, or has lost its sessions.

use serde_json::json;
use waha_sim::{Fault, FaultKind, RestartLoss};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    a_waha_in_trouble_loses_nothing_and_is_never_a_success,
    reads_of_a_fresh_process_do_not_need_waha,
    a_waha_that_forgot_everything_is_believed,
);

async fn a_waha_in_trouble_loses_nothing_and_is_never_a_success(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    let rows = world.rows().await;
    // One that nobody would notice in time if the trouble were taken for news.
    server.sim.stop_session(&world.waha_name("shop").await).unwrap();

    let troubles = [
        None,
        Some(FaultKind::Status(500)),
        Some(FaultKind::Status(401)),
        Some(FaultKind::Garbage),
        Some(FaultKind::Html(502)),
        Some(FaultKind::Html(200)),
        Some(FaultKind::CloseBefore),
        Some(FaultKind::CloseInBody),
    ];
    for trouble in troubles {
        match &trouble {
            None => server.sim.go_away().await,
            Some(kind) => server.sim.set_fault(Fault::new(kind.clone())),
        }
        world.later();
        for path in [
            "",
            "/shop/status",
            "/shop/info",
            "/shop/connected",
            "/shop/health",
        ] {
            let answer = owner.get(path).await.ok();
            assert_eq!(answer.sync()["is_fresh"], false, "{trouble:?} {path}");
            assert!(answer.sync()["reason"].is_string(), "{trouble:?} {path}");
        }
        let demanded = owner.post("/shop/sync").await.refused(503, "WAHA_UNAVAILABLE");
        assert!(demanded.headers.contains_key("retry-after"), "{trouble:?}");
        assert!(demanded.message().contains("not synchronized"), "{trouble:?}");
        assert_eq!(world.rows().await, rows, "{trouble:?}");
        let health = owner.get("/shop/health").await.ok();
        assert_eq!(health.data()["health_status"], "unknown", "{trouble:?}");
        let reason = health.data()["reason"].as_str().unwrap();
        assert!(
            reason.contains("Last known") && reason.contains("working"),
            "{reason}"
        );
        for check in health.data()["checks"].as_array().unwrap() {
            assert_eq!(check["passed"], false, "{trouble:?} {check}");
        }
        let qr = owner.get("/shop/qr").await.ok();
        assert_eq!(qr.sync()["is_fresh"], false, "{trouble:?}");
        assert_eq!(
            health.data()["checks"][0],
            json!({
                "name": "waha_answers", "passed": false, "detail": health.sync()["reason"],
            })
        );
        server.sim.clear_faults();
        server.sim.come_back().await;
    }
    world.later();
    let answer = owner.get("").await.ok();
    assert_eq!(answer.sync()["is_fresh"], true);
    assert_eq!(answer.data()[0]["status"], "disconnected");
    assert_eq!(answer.data()[0]["phone_number"], "+15550000001");
}

async fn reads_of_a_fresh_process_do_not_need_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world
        .organization("a", wahana_domain::OrganizationLimits::default())
        .await;
    let owner = world.member(home, wahana_domain::Role::Owner).await;
    world.working(&owner, &server, "shop", "15550000001").await;
    server.sim.go_away().await;

    let restarted = World::new(database).await;
    restarted.clock.advance(std::time::Duration::from_hours(1));
    let owner = restarted.member(home, wahana_domain::Role::Owner).await;
    let list = owner.get("").await.ok();
    assert_eq!(list.data()[0]["status"], "working");
    assert_eq!(list.sync()["is_fresh"], false);
    assert!(
        list.sync()["synced_at"].is_string(),
        "what the process before wrote down is known: {}",
        list.json
    );
}

async fn a_waha_that_forgot_everything_is_believed(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    server.sim.restart(RestartLoss::Everything).await;
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(session["status"], "disconnected");
    assert!(session["waha_status"].is_null());
    assert_eq!(session["health_status"], "critical");
    assert!(
        session["last_error"].as_str().unwrap().contains("gone"),
        "{session}"
    );
    assert_eq!(session["desired_status"], "running");
    assert_eq!(session["phone_number"], "+15550000001", "it may come back");
}
