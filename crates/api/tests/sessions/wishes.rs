//! What the organization wants, kept apart from what WAHA does.

use serde_json::json;
use waha_sim::{Fault, FaultKind};
use wahana_domain::{ActorKind, AuditOutcome, OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

on_both_databases!(
    a_wish_is_recorded_when_waha_acted_or_may_have,
    what_waha_did_not_do_leaves_the_wish,
    what_happens_behind_our_back_is_no_wish,
    a_deletion_of_unknown_outcome_ends_when_the_session_is_gone,
    a_deletion_of_unknown_outcome_can_be_repeated_and_taken_back,
);

/// Actions with the wish that they express.
const ACTIONS: [(&str, &str); 3] = [("stop", "stopped"), ("start", "running"), ("restart", "running")];

/// Another wish than this.
fn another(wish: &str) -> &'static str {
    if wish == "running" { "stop" } else { "start" }
}

async fn a_wish_is_recorded_when_waha_acted_or_may_have(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    for (action, wish) in ACTIONS {
        owner.post(&format!("/shop/{}", another(wish))).await.ok();
        let answer = owner.post(&format!("/shop/{action}")).await.ok();
        assert_eq!(answer.data()["desired_status"], wish, "{action}");
    }
    for kind in [
        FaultKind::CloseAfter,
        FaultKind::CloseBefore,
        FaultKind::CloseInBody,
    ] {
        for (action, wish) in ACTIONS {
            owner.post(&format!("/shop/{}", another(wish))).await.ok();
            let fault = Fault::new(kind.clone()).method("POST").times(1);
            server.sim.set_fault(fault);
            let answer = owner.post(&format!("/shop/{action}")).await;
            answer.refused(504, "WAHA_TIMEOUT");
            assert_eq!(
                owner.status("shop").await["desired_status"],
                wish,
                "{kind:?} {action}"
            );
        }
    }
    // Logging out says nothing about running.
    for wish in ["stop", "start"] {
        let before = owner.post(&format!("/shop/{wish}")).await.ok();
        let after = owner.post("/shop/logout").await.ok();
        assert_eq!(before.data()["desired_status"], after.data()["desired_status"]);
    }
}

async fn what_waha_did_not_do_leaves_the_wish(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    for (action, wish) in ACTIONS {
        let other = owner.post(&format!("/shop/{}", another(wish))).await.ok();
        let other = &other.data()["desired_status"];
        for status in [400, 401, 422] {
            server
                .sim
                .set_fault(Fault::new(FaultKind::Status(status)).method("POST").times(1));
            owner
                .post(&format!("/shop/{action}"))
                .await
                .refused(502, "WAHA_ERROR");
            assert_eq!(
                &owner.status("shop").await["desired_status"],
                other,
                "{status} {action}"
            );
        }
        server.sim.go_away().await;
        let refused = owner
            .post(&format!("/shop/{action}"))
            .await
            .refused(503, "WAHA_UNAVAILABLE");
        assert!(refused.headers.contains_key("retry-after"));
        assert_eq!(&owner.status("shop").await["desired_status"], other, "{action}");
        server.sim.come_back().await;
    }
    server.sim.go_away().await;
    owner.delete("/shop").await.refused(503, "WAHA_UNAVAILABLE");
    owner.post("/shop/logout").await.refused(503, "WAHA_UNAVAILABLE");
    let session = owner.status("shop").await;
    assert_ne!(session["desired_status"], "deleted");
    assert_eq!(session["phone_number"], "+15550000001");
}

async fn what_happens_behind_our_back_is_no_wish(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    let waha_name = world.waha_name("shop").await;
    server.sim.stop_session(&waha_name).unwrap();
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(
        (&session["status"], &session["desired_status"]),
        (&json!("disconnected"), &json!("running"))
    );
    server.sim.delete_session(&waha_name).unwrap();
    world.later();
    let session = owner.status("shop").await;
    assert_eq!(
        (&session["status"], &session["desired_status"]),
        (&json!("disconnected"), &json!("running"))
    );
}

async fn a_deletion_of_unknown_outcome_ends_when_the_session_is_gone(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    world.working(&owner, &server, "shop", "15550000001").await;
    server
        .sim
        .set_fault(Fault::new(FaultKind::CloseAfter).method("DELETE"));
    owner.delete("/shop").await.refused(504, "WAHA_TIMEOUT");
    world.later();
    assert_eq!(
        owner.names("").await,
        Vec::<String>::new(),
        "it is seen to be gone"
    );
    let last = world.audit(home).await.pop().unwrap();
    assert_eq!(last.operation, "sessions.delete");
    assert_eq!(
        (last.actor, last.outcome),
        (ActorKind::System, AuditOutcome::Success)
    );
    owner.get("/shop/status").await.refused(404, "SESSION_NOT_FOUND");
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(201);
}

async fn a_deletion_of_unknown_outcome_can_be_repeated_and_taken_back(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for name in ["repeated", "kept"] {
        world.waiting(&owner, &server, name).await;
        let fault = Fault::new(FaultKind::CloseBefore).method("DELETE").times(1);
        server.sim.set_fault(fault);
        owner
            .delete(&format!("/{name}"))
            .await
            .refused(504, "WAHA_TIMEOUT");
        world.later();
        let session = owner.status(name).await;
        assert_eq!(session["status"], "scan_qr", "WAHA did not do it");
        assert_eq!(session["desired_status"], "deleted");
    }
    owner.delete("/repeated").await.ok();
    assert_eq!(
        owner.post("/kept/start").await.ok().data()["desired_status"],
        "running"
    );
    server.sim.delete_session(&world.waha_name("kept").await).unwrap();
    world.later();
    assert_eq!(owner.names("").await, ["kept"], "lost on WAHA, and wanted");
}
