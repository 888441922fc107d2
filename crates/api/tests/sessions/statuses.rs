//! What WAHA says of a session, in the organization's words.

use serde_json::json;
use waha_sim::Status;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{scripted::ScriptedWaha, world::World};

on_both_databases!(
    every_status_has_its_word,
    a_passkey_is_a_step_for_a_person,
    a_failure_is_counted_and_explained,
    what_is_deleted_behind_our_back_is_gone,
    an_unknown_word_is_kept,
);

async fn every_status_has_its_word(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let number = "15550000001";
    world.waiting(&owner, &server, "shop").await;
    let waha_name = world.waha_name("shop").await;
    let sim = &server.sim;

    let expect = async |waha_status: &str, status: &str, health: &str, is_working: bool| {
        world.later();
        let session = owner.status("shop").await;
        let seen = json!([
            session["waha_status"],
            session["status"],
            session["health_status"],
            session["is_connected"],
            session["is_authenticated"],
            session["is_ready"]
        ]);
        let expected = json!([waha_status, status, health, is_working, is_working, is_working]);
        assert_eq!(seen, expected);
        let connected = owner.get("/shop/connected").await.ok();
        assert_eq!(
            connected.data(),
            &json!({"connected": is_working, "status": status})
        );
        let report = owner.get("/shop/health").await.ok();
        assert_eq!(report.data()["health_status"], health);
        assert!(!report.data()["reason"].as_str().unwrap().is_empty());
    };
    expect("SCAN_QR_CODE", "scan_qr", "unknown", false).await;
    sim.pair_with(&waha_name, number).unwrap();
    sim.wait_for_status(&waha_name, Status::Working).await;
    expect("WORKING", "working", "healthy", true).await;
    sim.fail_session(&waha_name).unwrap();
    expect("FAILED", "error", "critical", false).await;
    sim.stop_session(&waha_name).unwrap();
    expect("STOPPED", "disconnected", "unknown", false).await;
    sim.set_whatsapp_reachable(false);
    owner.post("/shop/start").await.ok();
    expect("STARTING", "connecting", "unknown", false).await;
    assert_eq!(
        owner.status("shop").await["phone_number"],
        format!("+{number}"),
        "it was not unpaired"
    );
}

async fn a_passkey_is_a_step_for_a_person(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    server
        .sim
        .require_passkey(&world.waha_name("shop").await)
        .unwrap();
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(session["waha_status"], "PASSKEY_REQUIRED");
    assert_eq!(session["status"], "action_required");
    assert!(
        session["last_error"].as_str().unwrap().contains("passkey"),
        "{session}"
    );
    let report = owner.get("/shop/health").await.ok();
    assert!(report.data()["reason"].as_str().unwrap().contains("passkey"));
    let refused = owner.get("/shop/qr").await.refused(409, "SESSION_NOT_READY");
    assert!(
        refused.message().contains("action_required"),
        "{}",
        refused.message()
    );
}

async fn a_failure_is_counted_and_explained(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    let waha_name = world.waha_name("shop").await;
    for count in 1..=2 {
        server.sim.fail_session(&waha_name).unwrap();
        for _ in 0..2 {
            world.later();
            let session = owner.status("shop").await;
            assert_eq!(session["error_count"], count, "once for each failure");
            assert!(session["last_error"].is_string());
        }
        owner.post("/shop/restart").await.ok();
        server.sim.wait_for_status(&waha_name, Status::Working).await;
        world.later();
        let session = owner.status("shop").await;
        assert_eq!(session["status"], "working");
        assert!(session["last_error"].is_null(), "it is over");
    }
}

async fn what_is_deleted_behind_our_back_is_gone(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    server.sim.delete_session(&world.waha_name("shop").await).unwrap();
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(session["status"], "disconnected");
    assert!(session["waha_status"].is_null());
    assert_eq!(session["health_status"], "critical");
    assert!(
        session["last_error"].as_str().unwrap().contains("gone"),
        "{session}"
    );
    assert_eq!(session["desired_status"], "running", "nobody here wanted that");
    let report = owner.get("/shop/health").await.ok();
    assert_eq!(report.data()["checks"][1]["passed"], false);
}

async fn an_unknown_word_is_kept(database: &TestDatabase) {
    let world = World::new(database).await;
    let waha = ScriptedWaha::start().await;
    world.insert_server("scripted", &waha.base_url(), None).await;
    waha.set("POST /api/sessions", 201, "");
    let owner = world.owner("a").await;
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(201);
    let listed = json!([{"name": world.waha_name("shop").await, "status": "HIBERNATING"}]);
    waha.set("GET /api/sessions", 200, &listed);
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(session["status"], "connecting");
    assert_eq!(session["waha_status"], "HIBERNATING");
}
