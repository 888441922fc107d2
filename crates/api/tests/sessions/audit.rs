//! What the log says of who did what to sessions.

use reqwest::Method;
use serde_json::json;
use waha_sim::{Fault, FaultKind};
use wahana_domain::{ActorKind, AuditEntry, AuditOutcome, OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    every_action_leaves_intent_and_outcome,
    refusals_are_logged,
    failures_are_logged
);

fn outcomes(entries: &[AuditEntry]) -> Vec<(String, String)> {
    let name = |outcome: &AuditOutcome| match outcome {
        AuditOutcome::Intent => "intent".to_owned(),
        AuditOutcome::Success => "success".to_owned(),
        AuditOutcome::Failure { error_code } => error_code.clone(),
    };
    entries
        .iter()
        .map(|entry| (entry.operation.clone(), name(&entry.outcome)))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(operation, outcome)| ((*operation).to_owned(), (*outcome).to_owned()))
        .collect()
}

async fn every_action_leaves_intent_and_outcome(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    world.waiting(&owner, &server, "shop").await;
    let mut seen = world.audit(home).await.len();
    for (method, path, operation, body) in [
        (Method::POST, "/shop/stop", "sessions.stop", None),
        (Method::POST, "/shop/start", "sessions.start", None),
        (Method::POST, "/shop/restart", "sessions.restart", None),
        (Method::POST, "/shop/logout", "sessions.logout", None),
        (
            Method::PATCH,
            "/shop",
            "sessions.update",
            Some(json!({"configuration": {"debug": true}})),
        ),
        (Method::DELETE, "/shop", "sessions.delete", None),
        (
            Method::POST,
            "",
            "sessions.create",
            Some(json!({"session_name": "other"})),
        ),
        (Method::POST, "/third/start", "sessions.start", None),
    ] {
        let mut request = owner.request(method, path).header("x-request-id", "the-request");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = owner.send(request).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.json);
        let log = world.audit(home).await;
        let new = &log[seen..];
        seen = log.len();
        assert_eq!(
            outcomes(new),
            pairs(&[(operation, "intent"), (operation, "success")])
        );
        for entry in new {
            assert_eq!(entry.request_id.as_deref(), Some("the-request"));
            assert_eq!(entry.source_address.unwrap().to_string(), "127.0.0.1");
            assert_eq!(entry.actor, ActorKind::Token);
            assert!(entry.user_id.is_some() && entry.token_id.is_some());
            assert!(entry.session_id.is_some(), "{path}");
            assert_eq!(entry.organization_id, Some(home.id));
        }
    }
    // Own fields do not call WAHA, so there is nothing to announce.
    owner
        .patch("/other", &json!({"display_name": "Other"}))
        .await
        .ok();
    let log = world.audit(home).await;
    assert_eq!(outcomes(&log[seen..]), pairs(&[("sessions.update", "success")]));
    let seen = log.len();
    for path in [
        "",
        "/other/status",
        "/other/info",
        "/other/health",
        "/other/connected",
    ] {
        owner.get(path).await.ok();
    }
    assert_eq!(world.audit(home).await.len(), seen, "reads leave no row");
}

async fn refusals_are_logged(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world
        .organization(
            "a",
            OrganizationLimits {
                sessions: Some(1),
                ..OrganizationLimits::default()
            },
        )
        .await;
    let owner = world.member(home, Role::Owner).await;
    let viewer = world.member(home, Role::Viewer).await;
    let session = world.working(&owner, &server, "shop", "15550000001").await;
    let before = world.audit(home).await.len();
    viewer.post("/shop/stop").await.expect(403);
    viewer.get("/shop/qr").await.expect(403);
    viewer.delete("/nothing").await.expect(404);
    owner
        .post_json("", &json!({"session_name": "a b"}))
        .await
        .expect(422);
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(409);
    owner
        .post_json("", &json!({"session_name": "second"}))
        .await
        .expect(429);
    let number = json!({"phone_number": "+15550000002"});
    owner.post_json("/shop/pairing-code", &number).await.expect(409);
    let log = world.audit(home).await;
    let new = &log[before..];
    let expected = [
        ("sessions.stop", "FORBIDDEN"),
        ("sessions.qr", "FORBIDDEN"),
        ("sessions.delete", "SESSION_NOT_FOUND"),
        ("sessions.create", "VALIDATION_ERROR"),
        ("sessions.create", "SESSION_ALREADY_EXISTS"),
        ("sessions.create", "QUOTA_EXCEEDED"),
        ("sessions.pairing_code", "SESSION_NOT_READY"),
    ];
    assert_eq!(outcomes(new), pairs(&expected));
    let sessions: Vec<_> = new
        .iter()
        .map(|entry| entry.session_id.map(|id| id.to_string()))
        .collect();
    let shop = Some(session["id"].as_str().unwrap().to_owned());
    assert_eq!(
        sessions,
        [shop.clone(), shop.clone(), None, None, None, None, shop]
    );
}

async fn failures_are_logged(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    world.waiting(&owner, &server, "shop").await;
    let mut seen = world.audit(home).await.len();
    for (kind, code) in [
        (FaultKind::CloseAfter, "WAHA_TIMEOUT"),
        (FaultKind::Status(500), "WAHA_ERROR"),
        (FaultKind::Status(422), "WAHA_ERROR"),
    ] {
        for (path, operation) in [("/shop/restart", "sessions.restart"), ("", "sessions.create")] {
            server
                .sim
                .set_fault(Fault::new(kind.clone()).method("POST").times(1));
            let answer = owner.post_json(path, &json!({})).await;
            assert_eq!(answer.json["error_code"], code);
            let log = world.audit(home).await;
            assert_eq!(
                outcomes(&log[seen..]),
                pairs(&[(operation, "intent"), (operation, code)])
            );
            assert!(log[seen..].iter().all(|entry| entry.session_id.is_some()));
            seen = log.len();
        }
    }
}
