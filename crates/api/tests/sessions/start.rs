//! Starting, and making what is started.

use futures_util::future::join_all;
use serde_json::{Value, json};
use waha_sim::Status;
use wahana_domain::{OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{scripted::ScriptedWaha, world::World};

on_both_databases!(
    starting_makes_what_is_not_there,
    starting_again_does_no_harm,
    an_id_that_is_not_ours_is_never_made,
    a_foreign_name_makes_an_own_session,
    who_may_not_make_sessions_learns_nothing,
    legacy_fields_are_named_and_have_no_effect,
    what_waha_lost_is_made_again_with_its_configuration,
    starting_what_failed_brings_it_back,
    an_empty_answer_says_nothing,
    of_many_who_start_at_once_one_makes_the_session,
    of_many_who_delete_at_once_one_did,
);

async fn starting_makes_what_is_not_there(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let body = json!({
        "display_name": "Shop", "business_email": "shop@example.com",
        "configuration": {"noweb": {"store": {"enabled": true}}},
    });
    let started = owner.post_json("/shop/start", &body).await.expect(201);
    assert_eq!(started.data()["session_name"], "shop");
    assert_eq!(started.data()["display_name"], "Shop");
    assert_eq!(started.data()["business_email"], "shop@example.com");
    assert_eq!(started.data()["desired_status"], "running");
    assert_eq!(started.json["meta"]["ignored"], json!([]));
    let waha_name = world.waha_name("shop").await;
    server.sim.wait_for_status(&waha_name, Status::ScanQrCode).await;
    assert_eq!(
        server.configuration(&waha_name).await["noweb"]["store"]["enabled"],
        true
    );
    for (name, rule) in [
        ("start", "reserved"),
        ("send", "reserved"),
        ("a.b", "A-Z"),
        ("a%2fb", "A-Z"),
        ("my%20shop", "A-Z"),
    ] {
        let refused = owner
            .post(&format!("/{name}/start"))
            .await
            .refused(422, "VALIDATION_ERROR");
        let fault = refused.json["errors"]["session_name"][0].as_str().unwrap();
        assert!(fault.contains(rule), "{name}: {fault}");
        owner
            .get(&format!("/{name}/status"))
            .await
            .refused(404, "SESSION_NOT_FOUND");
    }
    let faulty = json!({"business_email": "nobody"});
    owner
        .post_json("/other/start", &faulty)
        .await
        .refused(422, "VALIDATION_ERROR");
    assert_eq!(owner.names("").await, ["shop"]);
}

async fn starting_again_does_no_harm(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let created = world.working(&owner, &server, "shop", "15550000001").await;
    let id = created["id"].as_str().unwrap();
    for named in ["shop", id] {
        let again = owner.post(&format!("/{named}/start")).await.ok();
        assert_eq!(again.data()["status"], "working", "it runs already and goes on");
        assert_eq!(again.data()["id"], created["id"]);
    }
    owner.post("/shop/stop").await.ok();
    let started = owner.post("/shop/start").await.ok();
    assert_eq!(started.data()["status"], "connecting");
    server
        .sim
        .wait_for_status(&world.waha_name("shop").await, Status::Working)
        .await;
}

async fn an_id_that_is_not_ours_is_never_made(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let of_b = world.waiting(&b, &server, "shop").await;
    server.sim.reset_records();
    for id in [
        of_b["id"].as_str().unwrap(),
        "0190a3b1-7c44-7def-8a51-0123456789ab",
    ] {
        a.post(&format!("/{id}/start"))
            .await
            .refused(404, "SESSION_NOT_FOUND");
    }
    assert_eq!(server.sim.counts().total, 0);
    assert_eq!(a.names("").await, Vec::<String>::new());
}

async fn a_foreign_name_makes_an_own_session(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let of_b = world.working(&b, &server, "shop", "15550000001").await;
    let waha_name = world.waha_name("shop").await;
    server.sim.reset_records();
    let of_a = a.post("/shop/start").await.expect(201);
    assert_ne!(of_a.data()["id"], of_b["id"]);
    assert!(of_a.data()["phone_number"].is_null());
    assert_eq!(
        server.sim.counts().session(&waha_name),
        0,
        "the other's is not touched"
    );
    a.post("/shop/stop").await.ok();
    a.delete("/shop").await.ok();
    assert_eq!(server.sim.counts().session(&waha_name), 0);
    world.later();
    assert_eq!(b.status("shop").await["status"], "working");
}

async fn who_may_not_make_sessions_learns_nothing(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let seen = world.waiting(&owner, &server, "seen").await;
    world.waiting(&owner, &server, "unseen").await;
    let only = Some(vec![seen["id"].as_str().unwrap().parse().unwrap()]);
    let limited = world.member_limited_to(home, Role::Admin, only).await;
    server.sim.reset_records();
    for role in [Role::Viewer, Role::Agent] {
        let member = world.member(home, role).await;
        for name in ["seen", "new"] {
            member
                .post(&format!("/{name}/start"))
                .await
                .refused(403, "FORBIDDEN");
        }
    }
    for name in ["unseen", "new"] {
        limited
            .post(&format!("/{name}/start"))
            .await
            .refused(404, "SESSION_NOT_FOUND");
    }
    assert_eq!(server.sim.counts().total, 0);
    limited.post("/seen/start").await.ok();
}

async fn legacy_fields_are_named_and_have_no_effect(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let legacy = json!({
        "webhook": "https://attacker.example/hook", "webhook_by_events": false, "events": ["message"],
        "reject_calls": true, "mark_online_on_chat": true, "session_name": "another", "phone_number": "0812",
    });
    let ignored = json!([
        "webhook",
        "webhook_by_events",
        "events",
        "reject_calls",
        "mark_online_on_chat",
        "session_name",
        "phone_number"
    ]);
    let made = owner.post_json("/shop/start", &legacy).await.expect(201);
    assert_eq!(made.json["meta"]["ignored"], ignored);
    assert_eq!(made.data()["session_name"], "shop");
    assert!(made.data()["phone_number"].is_null());
    let on_waha = server.configuration(&world.waha_name("shop").await).await;
    assert!(
        on_waha["webhooks"].as_array().is_none_or(Vec::is_empty),
        "{on_waha}"
    );
    let named = json!({"display_name": "New", "webhook": "x"});
    let there = owner.post_json("/shop/start", &named).await.ok();
    assert_eq!(there.json["meta"]["ignored"], json!(["webhook", "display_name"]));
    assert!(there.data()["display_name"].is_null());
    owner
        .post_json("/shop/start", &json!({"webhooks": []}))
        .await
        .refused(422, "VALIDATION_ERROR");
}

async fn what_waha_lost_is_made_again_with_its_configuration(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for action in ["start", "restart"] {
        let body = json!({
            "session_name": action.replace("start", "begun"),
            "configuration": {"noweb": {"store": {"enabled": true}}},
        });
        let created = owner.post_json("", &body).await.expect(201);
        let name = created.data()["session_name"].as_str().unwrap();
        let waha_name = world.waha_name(name).await;
        server.sim.delete_session(&waha_name).unwrap();
        let answer = owner.post(&format!("/{name}/{action}")).await.ok();
        assert_eq!(
            answer.data()["id"],
            created.data()["id"],
            "it is the same session"
        );
        assert_eq!(answer.data()["status"], "connecting");
        assert!(
            server.sim.session_status(&waha_name).is_some(),
            "under the same name"
        );
        assert_eq!(
            server.configuration(&waha_name).await["noweb"]["store"]["enabled"],
            true
        );
    }
}

async fn starting_what_failed_brings_it_back(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    let waha_name = world.waha_name("shop").await;
    server.sim.fail_session(&waha_name).unwrap();
    // For WAHA a failed session runs: it refuses to start it.
    let started = owner.post("/shop/start").await.ok();
    assert_eq!(started.data()["status"], "connecting");
    server.sim.wait_for_status(&waha_name, Status::Working).await;
}

async fn an_empty_answer_says_nothing(database: &TestDatabase) {
    let world = World::new(database).await;
    let waha = ScriptedWaha::start().await;
    world.insert_server("scripted", &waha.base_url(), None).await;
    waha.set("POST /api/sessions", 201, "");
    let owner = world.owner("a").await;
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(201);
    let waha_name = world.waha_name("shop").await;
    let listed = json!([{"name": waha_name, "status": "WORKING", "me": {"id": "15550000001@c.us"}}]);
    waha.set("GET /api/sessions", 200, &listed);
    world.later();
    assert_eq!(owner.status("shop").await["status"], "working");
    for action in ["start", "restart"] {
        waha.set(&format!("POST /api/sessions/{waha_name}/{action}"), 201, "");
        let answer = owner.post(&format!("/shop/{action}")).await.ok();
        assert_eq!(
            answer.data()["status"],
            "working",
            "{action}: nothing was said of it"
        );
        assert_eq!(answer.data()["last_error"], Value::Null, "{action}");
    }
}

async fn of_many_who_start_at_once_one_makes_the_session(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let answers = join_all((0..60).map(|_| owner.post("/shop/start"))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let started = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((made, started), (1, 59));
    let id = answers[0].data()["id"].clone();
    assert!(answers.iter().all(|answer| answer.data()["id"] == id));
    assert_eq!(owner.names("").await, ["shop"]);
    let waha_name = world.waha_name("shop").await;
    server.sim.wait_for_status(&waha_name, Status::ScanQrCode).await;
}

async fn of_many_who_delete_at_once_one_did(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    let answers = join_all((0..20).map(|_| owner.delete("/shop"))).await;
    let deleted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(deleted, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.refused(404, "SESSION_NOT_FOUND");
    }
}
