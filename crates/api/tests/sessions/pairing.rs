//! QR codes and pairing codes.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use waha_sim::Status;
use wahana_domain::{AuditOutcome, OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    client::Client,
    world::{Server, World, eventually},
};

const QR: &str = "GET /api/{session}/auth/qr";
const PAIRING_CODE: &str = "POST /api/{session}/auth/request-code";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

on_both_databases!(
    a_waiting_session_has_a_code,
    every_code_handed_out_is_in_the_log,
    without_a_code_waha_is_not_asked_for_one,
    a_starting_session_is_waited_for,
    a_fresh_code_follows_what_a_refusal_names,
    a_pairing_code_is_given,
    a_pairing_code_is_not_given_for_a_number_that_is_held,
    a_code_needs_a_waha,
);

/// A session that starts and does not come to its QR code until WhatsApp can be reached.
async fn starting(world: &World<'_>, owner: &Client, server: &Server, name: &str) {
    server.sim.set_whatsapp_reachable(false);
    owner
        .post_json("", &json!({"session_name": name}))
        .await
        .expect(201);
    assert_eq!(
        server.sim.session_status(&world.waha_name(name).await),
        Some(Status::Starting)
    );
}

async fn a_waiting_session_has_a_code(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    let answer = owner.get("/shop/qr").await.ok();
    let code = answer.data();
    assert_eq!(
        (&code["connected"], &code["status"]),
        (&json!(false), &json!("scan_qr"))
    );
    assert_eq!(code["mimetype"], "image/png");
    assert!(code["value"].as_str().unwrap().starts_with("2@"));
    assert_eq!(code["value"], code["qr_code"]);
    assert!(code["expires_at"].is_string());
    // The bytes before base64's first 8 characters end are PNG's magic number.
    assert!(code["data"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    assert_eq!(answer.headers["cache-control"], "no-store");

    let picture = owner
        .request(Method::GET, "/shop/qr")
        .header("accept", "image/png");
    let picture = owner.send(picture).await.ok();
    assert_eq!(picture.headers["content-type"], "image/png");
    assert!(picture.body.starts_with(PNG));
    assert_eq!(picture.headers["cache-control"], "no-store");
    for wait in ["21", "-1", "x", "1.5", ""] {
        owner
            .get(&format!("/shop/qr?wait={wait}"))
            .await
            .refused(422, "VALIDATION_ERROR");
    }
}

async fn every_code_handed_out_is_in_the_log(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let session = world.waiting(&owner, &server, "shop").await;
    world.later();
    for _ in 0..3 {
        owner.get("/shop/qr").await.ok();
    }
    let number = json!({"phone_number": "+15550000001"});
    owner.post_json("/shop/pairing-code", &number).await.ok();
    let log = world.audit(home).await;
    let of = |operation: &str| -> Vec<AuditOutcome> {
        let entries = log.iter().filter(|entry| entry.operation == operation);
        let entries = entries.inspect(|entry| {
            assert_eq!(
                entry.session_id.unwrap().to_string(),
                session["id"].as_str().unwrap()
            );
        });
        entries.map(|entry| entry.outcome.clone()).collect()
    };
    assert_eq!(of("sessions.qr"), vec![AuditOutcome::Success; 3]);
    assert_eq!(
        of("sessions.pairing_code"),
        [AuditOutcome::Intent, AuditOutcome::Success]
    );
}

async fn without_a_code_waha_is_not_asked_for_one(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "working", "15550000001").await;
    world.waiting(&owner, &server, "failed").await;
    server.sim.fail_session(&world.waha_name("failed").await).unwrap();
    owner
        .post_json("", &json!({"session_name": "stopped", "start": false}))
        .await
        .expect(201);
    world.waiting(&owner, &server, "gone").await;
    server.sim.delete_session(&world.waha_name("gone").await).unwrap();
    starting(&world, &owner, &server, "starting").await;
    world.later();
    server.sim.reset_records();

    let connected = owner.get("/working/qr").await.ok();
    assert_eq!(connected.data()["connected"], true);
    assert!(connected.data()["value"].is_null());
    let waiting = owner.get("/starting/qr").await.ok();
    assert_eq!(waiting.data()["connected"], false);
    assert_eq!(waiting.data()["status"], "connecting");
    assert!(waiting.data()["qr_code"].is_null());
    assert!(waiting.data()["retry_after"].as_u64().unwrap() > 0);
    for (name, call) in [("stopped", "start"), ("gone", "start"), ("failed", "restart")] {
        let refused = owner
            .get(&format!("/{name}/qr"))
            .await
            .refused(409, "SESSION_NOT_READY");
        assert!(
            refused.message().contains(&format!("/{call}")),
            "{}",
            refused.message()
        );
    }
    let number = json!({"phone_number": "+15550000002"});
    for name in ["working", "starting", "stopped", "gone", "failed"] {
        let refused = owner.post_json(&format!("/{name}/pairing-code"), &number).await;
        refused.refused(409, "SESSION_NOT_READY");
    }
    assert_eq!(server.sim.counts().total, 1, "the list, once");
}

async fn a_starting_session_is_waited_for(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    starting(&world, &owner, &server, "shop").await;
    world.later();
    let (waiting, polls) = (owner.clone(), || server.sim.counts().route("GET /api/sessions"));
    let before = polls();
    let code = tokio::spawn(async move { waiting.get("/shop/qr?wait=20").await.ok() });
    eventually(async || polls() > before + 1).await;
    assert!(!code.is_finished(), "there is no code yet");
    server.sim.set_whatsapp_reachable(true);
    let code = code.await.unwrap();
    assert_eq!(code.data()["status"], "scan_qr");
    assert!(code.data()["value"].is_string());
    assert_eq!(server.sim.counts().route(QR), 1);
}

async fn a_fresh_code_follows_what_a_refusal_names(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    let first = owner.get("/shop/qr").await.ok().data()["value"].clone();
    let waha_name = world.waha_name("shop").await;
    for (break_it, call) in [("stop", "start"), ("fail", "restart")] {
        if break_it == "stop" {
            server.sim.stop_session(&waha_name).unwrap();
        } else {
            server.sim.fail_session(&waha_name).unwrap();
        }
        world.later();
        let refused = owner.get("/shop/qr").await.refused(409, "SESSION_NOT_READY");
        assert!(
            refused.message().contains(&format!("/{call}")),
            "{}",
            refused.message()
        );
        owner.post(&format!("/shop/{call}")).await.ok();
        let code = owner.get("/shop/qr?wait=20").await.ok();
        assert!(code.data()["value"].is_string(), "{break_it}: {}", code.json);
        assert_ne!(code.data()["value"], first);
    }
}

async fn a_pairing_code_is_given(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    for number in [
        "",
        "081234567890",
        "abc",
        "+1",
        "0044 20 7946 0018",
        "+1555000000112345",
    ] {
        let answer = owner
            .post_json("/shop/pairing-code", &json!({"phone_number": number}))
            .await;
        let answer = answer.refused(422, "VALIDATION_ERROR");
        assert!(answer.json["errors"]["phone_number"].is_array(), "{number}");
    }
    owner
        .post_json("/shop/pairing-code", &json!({}))
        .await
        .refused(422, "VALIDATION_ERROR");
    assert_eq!(server.sim.counts().route(PAIRING_CODE), 0);
    let number = json!({"phone_number": "+1 (555) 000-0001"});
    let answer = owner.post_json("/shop/pairing-code", &number).await.ok();
    assert_eq!(answer.data()["code"].as_str().unwrap().len(), 9);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let waha_name = world.waha_name("shop").await;
    server.sim.pair(&waha_name).unwrap();
    server.sim.wait_for_status(&waha_name, Status::Working).await;
    world.later();
    assert_eq!(owner.status("shop").await["phone_number"], "+15550000001");
}

async fn a_pairing_code_is_not_given_for_a_number_that_is_held(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    world.working(&a, &server, "holder", "15550000001").await;
    world.working(&b, &server, "holder", "15550000002").await;
    world.waiting(&a, &server, "shop").await;
    world.later();
    let ask = async |number: &str| {
        a.post_json("/shop/pairing-code", &json!({"phone_number": number}))
            .await
    };
    ask("+15550000001").await.refused(409, "PHONE_NUMBER_TAKEN");
    assert_eq!(server.sim.counts().route(PAIRING_CODE), 0);
    let held_by_another = ask("+15550000002").await.ok();
    let free = ask("+15550000003").await.ok();
    assert_eq!(held_by_another.message(), free.message());
    assert_eq!(
        held_by_another.data().as_object().unwrap().len(),
        free.data().as_object().unwrap().len()
    );
}

async fn a_code_needs_a_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    world.waiting(&owner, &server, "shop").await;
    world.later();
    assert_eq!(owner.status("shop").await["status"], "scan_qr");
    server.sim.go_away().await;
    owner.get("/shop/qr").await.refused(503, "WAHA_UNAVAILABLE");
    let number = json!({"phone_number": "+15550000001"});
    owner
        .post_json("/shop/pairing-code", &number)
        .await
        .refused(503, "WAHA_UNAVAILABLE");
    let codes = world
        .audit(home)
        .await
        .into_iter()
        .filter(|entry| entry.outcome == AuditOutcome::Success && entry.operation != "sessions.create");
    assert_eq!(codes.count(), 0);

    // Who hangs up leaves an outcome in the log all the same.
    server.sim.come_back().await;
    let slow = waha_sim::Fault::slow(Duration::from_millis(600)).method("POST");
    server.sim.set_fault(slow);
    let request = owner.request(Method::POST, "/shop/pairing-code").json(&number);
    let sent = tokio::spawn(request.send());
    eventually(async || server.sim.counts().route(PAIRING_CODE) == 1).await;
    sent.abort();
    eventually(async || {
        let last = world.audit(home).await.pop().unwrap();
        (last.operation.as_str(), last.outcome) == ("sessions.pairing_code", AuditOutcome::Success)
    })
    .await;
}
