//! Making sessions.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use waha_client::{TimeLimit, Timeouts};
use waha_sim::{Fault, FaultKind};
use wahana_domain::{AuditOutcome, OrganizationLimits, Role};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Wishes, World, eventually};

const CREATE: &str = "POST /api/sessions";

on_both_databases!(
    a_session_is_made_under_a_random_name,
    a_name_is_unique_within_the_organization_only,
    tricks_are_no_names,
    the_quota_counts_living_sessions,
    without_room_there_is_no_session,
    what_waha_did_not_see_leaves_nothing_behind,
    what_waha_refuses_leaves_nothing_behind,
    what_waha_may_have_made_stays_known,
    only_what_may_be_set_is_set,
    who_hangs_up_gets_the_session_all_the_same,
    a_burst_makes_one_session_of_a_name_and_keeps_to_the_quota,
);

fn is_random_name(name: &str) -> bool {
    let Some(bits) = name.strip_prefix("w_") else {
        return false;
    };
    bits.len() == 32 && bits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

async fn a_session_is_made_under_a_random_name(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let body = json!({
        "session_name": "front-desk_1", "display_name": "Front desk", "business_name": "Toko Bunga",
        "business_description": "Flowers", "business_category": "Shop",
        "business_website": "https://example.com", "business_email": "shop@example.com",
    });
    let created = owner.post_json("", &body).await.expect(201);
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&created.data()[field], value, "{field}");
    }
    assert_eq!(created.data()["status"], "connecting");
    assert_eq!(created.data()["desired_status"], "running");
    let waha_name = world.waha_name("front-desk_1").await;
    assert!(is_random_name(&waha_name), "{waha_name}");
    assert!(server.sim.session_status(&waha_name).is_some());
    assert!(server.sim.session_status("front-desk_1").is_none());

    let unnamed = owner.post_json("", &json!({"start": false})).await.expect(201);
    let name = unnamed.data()["session_name"].as_str().unwrap();
    assert_eq!(unnamed.data()["status"], "disconnected");
    assert_eq!(unnamed.data()["desired_status"], "stopped");
    let other = world.waha_name(name).await;
    assert!(is_random_name(&other) && other != waha_name);
    assert_eq!(server.sim.session_status(&other), Some(waha_sim::Status::Stopped));
    assert_eq!(owner.status(name).await["id"], unnamed.data()["id"]);
    let id = unnamed.data()["id"].as_str().unwrap();
    assert_eq!(
        owner.status(id).await["session_name"],
        name,
        "the id names it too"
    );
}

async fn a_name_is_unique_within_the_organization_only(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let (a, b) = (world.owner("a").await, world.owner("b").await);
    let body = json!({"session_name": "shop"});
    let of_a = a.post_json("", &body).await.expect(201);
    server.sim.reset_records();
    a.post_json("", &body)
        .await
        .refused(409, "SESSION_ALREADY_EXISTS");
    assert_eq!(server.sim.counts().total, 0);
    let of_b = b.post_json("", &body).await.expect(201);
    assert_ne!(of_a.data()["id"], of_b.data()["id"]);
    let names = world.waha_names("shop").await;
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
    let other_case = a
        .post_json("", &json!({"session_name": "Shop", "start": false}))
        .await;
    other_case.expect(201);
}

async fn tricks_are_no_names(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let too_long = "x".repeat(55);
    for name in [
        "",
        " ",
        "a b",
        "a/b",
        "..",
        "a.b",
        "a%2fb",
        "sаles",
        "a\u{200b}b",
        "a\u{0}b",
        "start",
        "Stop",
        "logout",
        "sessions",
        "server",
        "keys",
        "sendText",
        "0190a3b1-7c44-7def-8a51-0123456789ab",
        "0190a3b17c447def8a510123456789ab",
        &too_long,
    ] {
        let answer = owner.post_json("", &json!({"session_name": name})).await;
        let answer = answer.refused(422, "VALIDATION_ERROR");
        assert!(answer.json["errors"]["session_name"].is_array(), "{name:?}");
    }
    for name in [json!(["shop"]), json!({"a": 1}), json!(1)] {
        let answer = owner.post_json("", &json!({"session_name": name})).await;
        answer.refused(422, "VALIDATION_ERROR");
    }
    let twice = owner
        .request(Method::POST, "")
        .header("content-type", "application/json");
    let twice = twice.body(r#"{"session_name": "one", "session_\u006eame": "two"}"#);
    owner.send(twice).await.refused(422, "VALIDATION_ERROR");
    assert_eq!(server.sim.counts().total, 0);
    assert_eq!(owner.names("").await, Vec::<String>::new());
}

async fn the_quota_counts_living_sessions(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world
        .organization(
            "a",
            OrganizationLimits {
                sessions: Some(2),
                ..OrganizationLimits::default()
            },
        )
        .await;
    let owner = world.member(home, Role::Owner).await;
    for name in ["first", "second"] {
        world.waiting(&owner, &server, name).await;
    }
    server.sim.reset_records();
    let body = json!({"session_name": "third"});
    let refused = owner.post_json("", &body).await.refused(429, "QUOTA_EXCEEDED");
    assert!(refused.message().contains('2'));
    owner.post("/third/start").await.refused(429, "QUOTA_EXCEEDED");
    assert_eq!(server.sim.counts().total, 0);
    owner.delete("/first").await.ok();
    owner.post_json("", &body).await.expect(201);
}

async fn without_room_there_is_no_session(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let body = json!({"session_name": "shop"});
    let refused = owner.post_json("", &body).await.refused(503, "WAHA_UNAVAILABLE");
    assert!(refused.headers.contains_key("retry-after"));
    let server = world.server_for("small", Some(1)).await;
    world.waiting(&owner, &server, "shop").await;
    let other = json!({"session_name": "other"});
    owner.post_json("", &other).await.refused(503, "WAHA_UNAVAILABLE");
    let _roomy = world.server("roomy").await;
    owner.post_json("", &other).await.expect(201);
}

async fn what_waha_did_not_see_leaves_nothing_behind(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    server.sim.go_away().await;
    let body = json!({"session_name": "shop"});
    let refused = owner.post_json("", &body).await.refused(503, "WAHA_UNAVAILABLE");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.message().contains("Nothing was done"));
    assert_eq!(owner.names("").await, Vec::<String>::new());
    owner.get("/shop/status").await.refused(404, "SESSION_NOT_FOUND");
    server.sim.come_back().await;
    owner.post_json("", &body).await.expect(201);
    let names = world.waha_names("shop").await;
    assert_eq!(names.len(), 2, "the name on WAHA is not used again");
}

async fn what_waha_refuses_leaves_nothing_behind(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for status in [400, 401, 403, 422] {
        server
            .sim
            .set_fault(Fault::new(FaultKind::Status(status)).method("POST"));
        let body = json!({"session_name": "shop"});
        owner.post_json("", &body).await.refused(502, "WAHA_ERROR");
        assert_eq!(owner.names("").await, Vec::<String>::new(), "{status}");
        server.sim.clear_faults();
    }
}

async fn what_waha_may_have_made_stays_known(database: &TestDatabase) {
    let half_a_second = TimeLimit {
        idle: Duration::from_millis(500),
        total: Some(Duration::from_millis(500)),
    };
    let wishes = Wishes {
        timeouts: Timeouts {
            change: half_a_second,
            ..Timeouts::default()
        },
        ..Wishes::default()
    };
    let world = World::with(database, wishes).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for (name, kind) in [("hanging", FaultKind::Hang), ("performed", FaultKind::CloseAfter)] {
        server.sim.set_fault(Fault::new(kind).method("POST"));
        let answer = owner.post_json("", &json!({"session_name": name})).await;
        let answer = answer.refused(504, "WAHA_TIMEOUT");
        assert!(answer.message().contains("not known"), "{}", answer.message());
        assert_eq!(
            answer.data()["session_name"],
            name,
            "what can be asked about later: {}",
            answer.json
        );
        assert_eq!(answer.data()["session_id"], owner.status(name).await["id"]);
        server.sim.clear_faults();
        owner
            .post_json("", &json!({"session_name": name}))
            .await
            .refused(409, "SESSION_ALREADY_EXISTS");
    }
    // What WAHA did make is ours: nothing is left behind there unseen.
    let performed = world.waha_name("performed").await;
    server
        .sim
        .wait_for_status(&performed, waha_sim::Status::ScanQrCode)
        .await;
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(owner.status("performed").await["status"], "scan_qr");
    let hanging = owner.status("hanging").await;
    assert_eq!(hanging["status"], "disconnected", "it was never made");
    // And it can still be had.
    assert_eq!(
        owner.post("/hanging/start").await.ok().data()["status"],
        "connecting"
    );
}

async fn only_what_may_be_set_is_set(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    for configuration in [
        json!({"webhooks": []}),
        json!({"proxy": {"server": "proxy.example:1"}}),
        json!({"metadata": {"a": "b"}}),
        json!({"apps": []}),
        json!({"customHeaders": []}),
        json!({"client": {"deviceName": "x"}}),
        json!({"noweb": {"store": {"enabled": true, "path": "/etc"}}}),
    ] {
        let body = json!({"session_name": "shop", "configuration": configuration});
        let answer = owner.post_json("", &body).await.refused(422, "VALIDATION_ERROR");
        let errors = answer.json["errors"].as_object().unwrap();
        assert!(
            errors.keys().all(|field| field.starts_with("configuration.")),
            "{errors:?}"
        );
    }
    for field in [
        "id",
        "organization_id",
        "role",
        "server",
        "waha_name",
        "config",
        "name",
    ] {
        let body = json!({"session_name": "shop", field: "x"});
        let answer = owner.post_json("", &body).await.refused(422, "VALIDATION_ERROR");
        assert!(answer.json["errors"][field].is_array(), "{field}");
    }
    assert_eq!(server.sim.counts().total, 0);

    let configuration = json!({
        "debug": true, "ignore": {"status": true, "groups": false},
        "client": {"device_name": "Shop", "browser_name": "Firefox"},
        "noweb": {"mark_online": false, "store": {"enabled": true, "full_sync": false}},
    });
    let body = json!({"session_name": "shop", "configuration": configuration});
    owner.post_json("", &body).await.expect(201);
    assert_eq!(server.sim.counts().route(CREATE), 1);
    let on_waha = server.configuration(&world.waha_name("shop").await).await;
    assert_eq!(on_waha["debug"], true);
    assert_eq!(on_waha["ignore"]["status"], true);
    assert_eq!(on_waha["ignore"]["groups"], false);
    assert_eq!(
        on_waha["client"],
        json!({"deviceName": "Shop", "browserName": "Firefox"})
    );
    assert_eq!(
        on_waha["noweb"],
        json!({"markOnline": false, "store": {"enabled": true, "fullSync": false}})
    );
}

async fn who_hangs_up_gets_the_session_all_the_same(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    server
        .sim
        .set_fault(Fault::slow(Duration::from_millis(600)).method("POST"));
    let request = owner
        .request(Method::POST, "")
        .json(&json!({"session_name": "shop"}));
    let sent = tokio::spawn(request.send());
    eventually(async || server.sim.counts().route(CREATE) == 1).await;
    sent.abort();
    let outcomes = async || -> Vec<AuditOutcome> {
        world
            .audit(home)
            .await
            .into_iter()
            .map(|entry| entry.outcome)
            .collect()
    };
    assert_eq!(
        outcomes().await,
        [AuditOutcome::Intent],
        "WAHA has not answered yet"
    );
    eventually(async || outcomes().await == [AuditOutcome::Intent, AuditOutcome::Success]).await;
    server.sim.clear_faults();
    assert_eq!(owner.status("shop").await["desired_status"], "running");
}

async fn a_burst_makes_one_session_of_a_name_and_keeps_to_the_quota(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world
        .organization(
            "a",
            OrganizationLimits {
                sessions: Some(3),
                ..OrganizationLimits::default()
            },
        )
        .await;
    let owner = world.member(home, Role::Owner).await;
    let burst = futures_util::future::join_all((0..12).map(|number| {
        let (owner, name) = (owner.clone(), format!("s{}", number % 6));
        async move {
            owner
                .post_json("", &json!({"session_name": name, "start": false}))
                .await
        }
    }));
    let mut made = 0;
    for answer in burst.await {
        match answer.status.as_u16() {
            201 => made += 1,
            409 | 429 => {}
            other => panic!("{other}: {}", answer.json),
        }
    }
    assert_eq!(made, 3);
    assert_eq!(server.sim.counts().route(CREATE), 3);
    assert_eq!(owner.names("").await.len(), 3);
}
