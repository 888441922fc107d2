//! Moving sessions to other WAHA servers.

use std::time::Duration;

use serde_json::{Value, json};
use waha_client::{TimeLimit, Timeouts};
use waha_sim::{Fault, FaultKind, Status};
use wahana_domain::{
    AuditOutcome, ErrorCode, OrganizationId, OrganizationLimits, Role, ServerId, SessionId, SessionName,
};
use wahana_service::{
    Operator, ServiceError,
    adoption::{self, Assignment},
    platform::moving::{self, Move, Moved},
};
use wahana_store::{
    ServerChange,
    upkeep::{self, Restriction},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Home, Server, UPSTREAM_KEY, Wishes, World, eventually};

on_both_databases!(
    a_moved_session_stays_what_it_was_and_is_paired_again,
    what_others_configured_comes_along,
    what_is_left_on_a_server_that_is_away_is_deleted_when_it_is_back,
    a_stopped_session_is_moved_and_not_started,
    to_a_server_that_takes_no_session_none_is_moved,
    a_session_that_there_is_not_is_not_moved,
    a_session_whose_account_is_restricted_is_moved_by_force_alone,
    a_session_that_cannot_be_made_there_stays,
    what_may_have_been_made_in_vain_is_deleted_later,
    parallel_moves_do_not_exceed_the_capacity,
);

const LATER: Duration = Duration::from_mins(11);

fn to(server: &Server, session: &Value) -> Move {
    Move {
        session: id(session),
        to: server.id,
        is_forced: false,
    }
}

fn id(session: &Value) -> SessionId {
    session["id"].as_str().unwrap().parse().unwrap()
}

async fn carry_out(world: &World<'_>, wanted: Move) -> Result<Moved, ServiceError> {
    moving::carry_out(&world.services, &Operator::CommandLine, wanted).await
}

/// The names of what is to be deleted on WAHA servers.
async fn leftovers(world: &World<'_>) -> Vec<String> {
    let names = "SELECT waha_name FROM session_leftovers ORDER BY waha_name";
    world.database.texts_unguarded(names).await
}

async fn a_moved_session_stays_what_it_was_and_is_paired_again(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let configuration = json!({"debug": true, "client": {"device_name": "Shop", "browser_name": "Firefox"}});
    let body = json!({"session_name": "shop", "display_name": "Shop", "configuration": configuration});
    owner.post_json("", &body).await.expect(201);
    let old_name = world.waha_name("shop").await;
    old.sim.wait_for_status(&old_name, Status::ScanQrCode).await;
    old.sim.pair_with(&old_name, "15550100001").unwrap();
    old.sim.wait_for_status(&old_name, Status::Working).await;
    owner.post("/shop/sync").await.ok();
    let text = json!({"to": "15550100009@c.us", "text": "Hello"});
    owner.post_json("/shop/send-text", &text).await.ok();
    let before = owner.status("shop").await;
    assert_eq!(
        (&before["status"], &before["phone_number"]),
        (&json!("working"), &json!("+15550100001"))
    );

    let new = world.server("new").await;
    let moved = carry_out(&world, to(&new, &before)).await.unwrap();
    assert!(moved.is_deleted_there && moved.has_whole_configuration);
    assert_eq!(
        (moved.session.id, moved.session.waha.server),
        (id(&before), new.id)
    );
    assert_eq!(old.sim.session_status(&old_name), None);
    assert_eq!(leftovers(&world).await, Vec::<String>::new());
    let new_name = world.waha_name("shop").await;
    assert_ne!(new_name, old_name);
    new.sim.wait_for_status(&new_name, Status::ScanQrCode).await;
    assert_eq!(new.configuration(&new_name).await["debug"], true);
    assert_eq!(new.configuration(&new_name).await["client"]["deviceName"], "Shop");

    let after = owner.post("/shop/sync").await.ok().data().clone();
    assert_eq!(after["status"], "scan_qr");
    assert!(after["phone_number"].is_null());
    assert!(
        after["last_error"].as_str().unwrap().contains("pair it again"),
        "{after}"
    );
    for field in [
        "id",
        "display_name",
        "desired_status",
        "total_messages_sent",
        "last_message_at",
        "created_at",
    ] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["total_messages_sent"], 1);
    owner.get("/shop/qr").await.ok();
    // The same phone, which the old place does not hold any more.
    new.sim.pair_with(&new_name, "15550100001").unwrap();
    new.sim.wait_for_status(&new_name, Status::Working).await;
    let paired = owner.post("/shop/sync").await.ok().data().clone();
    assert_eq!(
        (&paired["status"], &paired["last_error"]),
        (&json!("working"), &Value::Null)
    );
    owner.post_json("/shop/send-text", &text).await.ok();
    assert_eq!(owner.status("shop").await["total_messages_sent"], 2);

    let log = world.audit(home).await;
    let of_move: Vec<_> = log
        .iter()
        .filter(|entry| entry.operation == "platform.sessions.move")
        .collect();
    let outcomes: Vec<_> = of_move.iter().map(|entry| &entry.outcome).collect();
    assert_eq!(outcomes, [&AuditOutcome::Intent, &AuditOutcome::Success]);
    assert!(of_move.iter().all(|entry| entry.session_id == Some(id(&before))));
}

async fn what_others_configured_comes_along(database: &TestDatabase) {
    let world = World::new(database).await;
    let (old, new) = (world.server("old").await, world.server("new").await);
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let webhooks = json!([{"url": "http://127.0.0.1:9/theirs", "events": ["message"]}]);
    for name in ["first", "second"] {
        let body = json!({"name": name, "start": false, "config": {"webhooks": webhooks}});
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .post(format!("{}/api/sessions", old.sim.base_url()))
            .json(&body);
        let made = request.header("x-api-key", UPSTREAM_KEY).send().await.unwrap();
        assert!(made.status().is_success());
        let assignment = Assignment {
            server: "old".to_owned(),
            waha_name: name.to_owned(),
            organization: home.id,
            name: SessionName::parse(name).unwrap(),
        };
        let outcomes =
            adoption::assign(&world.services, &Operator::CommandLine, vec![assignment], false).await;
        assert!(outcomes.unwrap()[0].outcome.is_ok());
    }
    let moved = carry_out(&world, to(&new, &owner.status("first").await))
        .await
        .unwrap();
    assert!(moved.has_whole_configuration);
    let configuration = new.configuration(&world.waha_name("first").await).await;
    assert_eq!(configuration["webhooks"][0]["url"], webhooks[0]["url"]);

    let second = owner.status("second").await;
    old.sim.go_away().await;
    let moved = carry_out(&world, to(&new, &second)).await.unwrap();
    assert!(!moved.has_whole_configuration && !moved.is_deleted_there);
}

async fn what_is_left_on_a_server_that_is_away_is_deleted_when_it_is_back(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let session = world.working(&owner, &old, "shop", "15550100001").await;
    let old_name = world.waha_name("shop").await;
    let new = world.server("new").await;
    old.sim.go_away().await;
    let moved = carry_out(&world, to(&new, &session)).await.unwrap();
    assert!(!moved.is_deleted_there);
    assert_eq!(leftovers(&world).await, std::slice::from_ref(&old_name));
    let new_name = world.waha_name("shop").await;
    new.sim.wait_for_status(&new_name, Status::ScanQrCode).await;
    assert_eq!(owner.post("/shop/sync").await.ok().data()["status"], "scan_qr");
    // A round while it is away changes nothing.
    world.clock.advance(LATER);
    assert_eq!(moving::delete_leftovers(&world.services).await.unwrap(), 0);

    old.sim.come_back().await;
    assert_eq!(old.sim.session_status(&old_name), Some(Status::Working));
    // It is still this organization's, so it is not offered to others.
    eventually(async || {
        let found = adoption::unassigned(&world.services, &Operator::CommandLine, Some("old")).await;
        found.is_ok_and(|found| found.is_empty())
    })
    .await;
    eventually(async || {
        world.clock.advance(LATER);
        moving::delete_leftovers(&world.services).await.unwrap() == 1
    })
    .await;
    assert_eq!(old.sim.session_status(&old_name), None);
    assert_eq!(leftovers(&world).await, Vec::<String>::new());
    assert_eq!(new.sim.session_status(&new_name), Some(Status::ScanQrCode));
    let last = world.audit(home).await.pop().unwrap();
    assert_eq!(
        (last.operation.as_str(), last.outcome),
        ("sessions.delete_leftover", AuditOutcome::Success)
    );
}

async fn a_stopped_session_is_moved_and_not_started(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let owner = world.owner("a").await;
    let session = world.working(&owner, &old, "shop", "15550100001").await;
    owner.post("/shop/stop").await.ok();
    let new = world.server("new").await;
    carry_out(&world, to(&new, &session)).await.unwrap();
    let name = world.waha_name("shop").await;
    assert_eq!(new.sim.session_status(&name), Some(Status::Stopped));
    let now = owner.status("shop").await;
    assert_eq!(
        (&now["status"], &now["desired_status"]),
        (&json!("disconnected"), &json!("stopped"))
    );
    owner.post("/shop/start").await.ok();
    new.sim.wait_for_status(&name, Status::ScanQrCode).await;
}

/// What an operator may say of a server, and the contrary.
fn refusals(world: &World<'_>, stranger: OrganizationId) -> [(ServerChange, ServerChange, &'static str); 4] {
    let change = ServerChange::default;
    let since = Some(Some(world.store.clock().now()));
    let paused_at = |paused_at| ServerChange {
        paused_at,
        ..change()
    };
    let draining_at = |draining_at| ServerChange {
        draining_at,
        ..change()
    };
    let organization = |organization| ServerChange {
        organization: Some(organization),
        ..change()
    };
    let capacity = |capacity| ServerChange {
        capacity: Some(capacity),
        ..change()
    };
    [
        (paused_at(since), paused_at(Some(None)), "paused"),
        (draining_at(since), draining_at(Some(None)), "draining"),
        (
            organization(Some(stranger)),
            organization(None),
            "another organization's",
        ),
        (capacity(Some(0)), capacity(None), "no room"),
    ]
}

async fn to_a_server_that_takes_no_session_none_is_moved(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let owner = world.owner("a").await;
    let stranger = world.organization("b", OrganizationLimits::default()).await;
    let body = json!({"session_name": "shop", "start": false});
    let session = owner.post_json("", &body).await.expect(201).data().clone();
    let waha_name = world.waha_name("shop").await;
    let new = world.server("new").await;
    let change = async |change: &ServerChange| {
        let tx = world.store.platform_write().await.unwrap();
        tx.update_server(new.id, change).await.unwrap();
        tx.commit().await.unwrap();
    };
    for (with, without, why) in refusals(&world, stranger.id) {
        change(&with).await;
        let refused = carry_out(&world, to(&new, &session)).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Conflict);
        assert!(refused.to_string().contains(why), "{refused}");
        change(&without).await;
    }
    let refused = carry_out(&world, to(&old, &session)).await.unwrap_err();
    assert!(refused.to_string().contains("already"), "{refused}");
    let nowhere = Move {
        to: ServerId::new(),
        ..to(&new, &session)
    };
    assert_eq!(
        carry_out(&world, nowhere).await.unwrap_err().code(),
        ErrorCode::ValidationError
    );
    assert_eq!(new.sim.counts().total, 0);
    assert_eq!(world.waha_name("shop").await, waha_name);
}

async fn a_session_that_there_is_not_is_not_moved(database: &TestDatabase) {
    let world = World::new(database).await;
    let _old = world.server("old").await;
    let owner = world.owner("a").await;
    let body = json!({"start": false});
    let session = owner.post_json("", &body).await.expect(201).data().clone();
    let new = world.server("new").await;
    owner
        .delete(&format!("/{}", session["id"].as_str().unwrap()))
        .await
        .ok();
    for session in [id(&session), SessionId::new()] {
        let wanted = Move {
            session,
            to: new.id,
            is_forced: true,
        };
        assert_eq!(
            carry_out(&world, wanted).await.unwrap_err().code(),
            ErrorCode::NotFound
        );
    }
    assert_eq!(new.sim.counts().total, 0);
}

async fn a_session_whose_account_is_restricted_is_moved_by_force_alone(database: &TestDatabase) {
    let world = World::new(database).await;
    let _old = world.server("old").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let body = json!({"session_name": "shop", "start": false});
    let session = owner.post_json("", &body).await.expect(201).data().clone();
    let waha_name = world.waha_name("shop").await;
    let new = world.server("new").await;
    restrict(&world, home, id(&session)).await;
    let refused = carry_out(&world, to(&new, &session)).await.unwrap_err();
    assert!(refused.to_string().contains("restricts"), "{refused}");
    assert_eq!(new.sim.counts().total, 0);
    assert_eq!(world.waha_name("shop").await, waha_name);
    let forced = Move {
        is_forced: true,
        ..to(&new, &session)
    };
    carry_out(&world, forced).await.unwrap();
}

/// Says of a session that WhatsApp restricts its account.
async fn restrict(world: &World<'_>, home: Home, session: SessionId) {
    let restriction = Restriction {
        reason: "time lock (463)".to_owned(),
        until: None,
    };
    let tx = world.store.write(home.tenant).await.unwrap();
    upkeep::set_restriction(&tx, session, &restriction).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_session_that_cannot_be_made_there_stays(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let session = world.working(&owner, &old, "shop", "15550100001").await;
    let waha_name = world.waha_name("shop").await;
    let new = world.server("new").await;
    for status in [422, 500] {
        new.sim
            .set_fault(Fault::new(FaultKind::Status(status)).method("POST"));
        carry_out(&world, to(&new, &session)).await.unwrap_err();
        new.sim.clear_faults();
        assert_eq!(world.waha_name("shop").await, waha_name);
        assert_eq!(old.sim.session_status(&waha_name), Some(Status::Working));
        assert_eq!(owner.status("shop").await["status"], "working");
    }
    let log = world.audit(home).await;
    let last = log.last().unwrap();
    assert_eq!(last.operation, "platform.sessions.move");
    assert!(matches!(last.outcome, AuditOutcome::Failure { .. }));
    // And it can still be moved.
    carry_out(&world, to(&new, &session)).await.unwrap();
}

async fn what_may_have_been_made_in_vain_is_deleted_later(database: &TestDatabase) {
    let half_a_second = TimeLimit {
        idle: Duration::from_millis(500),
        total: Some(Duration::from_millis(500)),
    };
    let timeouts = Timeouts {
        change: half_a_second,
        ..Timeouts::default()
    };
    let world = World::with(
        database,
        Wishes {
            timeouts,
            ..Wishes::default()
        },
    )
    .await;
    let old = world.server("old").await;
    let owner = world.owner("a").await;
    let session = world.working(&owner, &old, "shop", "15550100001").await;
    let waha_name = world.waha_name("shop").await;
    let new = world.server("new").await;
    new.sim
        .set_fault(Fault::new(FaultKind::CloseAfter).method("POST"));
    let failed = carry_out(&world, to(&new, &session)).await.unwrap_err();
    assert_eq!(failed.code(), ErrorCode::WahaUnavailable, "{failed}");
    new.sim.clear_faults();
    assert_eq!(world.waha_name("shop").await, waha_name);
    assert_eq!(owner.status("shop").await["status"], "working");
    let vain = leftovers(&world).await;
    assert!(vain.len() == 1 && new.sim.session_status(&vain[0]).is_some());
    // It is not offered to others meanwhile, and not deleted before it can be sure that nobody moves there.
    let found = adoption::unassigned(&world.services, &Operator::CommandLine, Some("new")).await;
    assert_eq!(found.unwrap().len(), 0);
    assert_eq!(moving::delete_leftovers(&world.services).await.unwrap(), 0);
    world.clock.advance(LATER);
    assert_eq!(moving::delete_leftovers(&world.services).await.unwrap(), 1);
    assert_eq!(new.sim.session_status(&vain[0]), None);
    assert_eq!(old.sim.session_status(&waha_name), Some(Status::Working));
}

async fn parallel_moves_do_not_exceed_the_capacity(database: &TestDatabase) {
    let world = World::new(database).await;
    let old = world.server("old").await;
    let owner = world.owner("a").await;
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(
            owner
                .post_json("", &json!({"start": false}))
                .await
                .expect(201)
                .data()
                .clone(),
        );
    }
    let new = world.server_for("new", Some(2)).await;
    let moves = sessions
        .iter()
        .map(|session| carry_out(&world, to(&new, session)));
    let outcomes = futures_util::future::join_all(moves).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    let tx = world.store.platform_read().await.unwrap();
    for (server, count) in [(&old, 4), (&new, 2)] {
        let kept = tx.sessions_on_server(server.id).await.unwrap();
        assert_eq!(kept.len(), count);
        for kept in kept {
            assert!(
                server
                    .sim
                    .session_status(kept.session.waha.name.as_str())
                    .is_some()
            );
        }
    }
    drop(tx);
    // Nothing is left of those that found no room.
    assert_eq!(leftovers(&world).await, Vec::<String>::new());
    let found = adoption::unassigned(&world.services, &Operator::CommandLine, None)
        .await
        .unwrap();
    assert_eq!(found.len(), 0);
}
