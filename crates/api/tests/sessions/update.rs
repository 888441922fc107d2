//! Changing a session, and looking at what WAHA has of it.

use serde_json::{Value, json};
use waha_sim::{Fault, FaultKind, SessionSeed, Status};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

const PUT: &str = "PUT /api/sessions/{session}";

on_both_databases!(
    own_fields_never_need_waha,
    a_configuration_is_laid_over_what_waha_has,
    a_configuration_that_waha_did_not_take_is_not_kept,
    what_is_not_allowed_is_refused,
    info_shows_no_secret,
    info_does_without_waha,
);

async fn own_fields_never_need_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    server.sim.go_away().await;
    server.sim.reset_records();
    let fields = json!({
        "display_name": "Shop", "business_name": "Toko", "business_description": "Flowers",
        "business_category": "Shop", "business_website": "https://example.com/", "business_email": "a@example.com",
        "pacing": {"min_seconds": 2, "max_seconds": 6, "shows_typing": true},
    });
    let changed = owner.patch("/shop", &fields).await.ok();
    for (field, value) in fields.as_object().unwrap() {
        assert_eq!(&changed.data()[field], value, "{field}");
        let cleared = owner.patch("/shop", &json!({field: null})).await.ok();
        assert!(cleared.data()[field].is_null(), "{field}");
        let back = owner.patch("/shop", &json!({field: value})).await.ok();
        assert_eq!(&back.data()[field], value, "{field}");
    }
    let same = owner.patch("/shop", &json!({})).await.ok();
    for (field, value) in fields.as_object().unwrap() {
        assert_eq!(&same.data()[field], value, "{field} stays");
    }
    assert_eq!(server.sim.counts().total, 0);
}

async fn a_configuration_is_laid_over_what_waha_has(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    let body = json!({"session_name": "shop", "configuration": {"ignore": {"status": true}}});
    owner.post_json("", &body).await.expect(201);
    let waha_name = world.waha_name("shop").await;
    let set_there = json!({
        "webhooks": [{"url": "https://hook.example/", "events": ["message"], "hmac": {"key": "hook-secret"}}],
        "metadata": {"owner": "platform"},
        "ignore": {"status": true},
    });
    server.sim.add_session(
        SessionSeed::new(&waha_name)
            .phone("15550000001")
            .config(set_there.clone()),
    );
    world.later();
    server.sim.reset_records();
    let change = json!({"configuration": {"debug": true, "ignore": {"groups": true}}});
    owner.patch("/shop", &change).await.ok();
    assert_eq!(server.sim.counts().route(PUT), 1);
    let on_waha = server.configuration(&waha_name).await;
    assert_eq!(on_waha["webhooks"][0]["url"], set_there["webhooks"][0]["url"]);
    assert_eq!(on_waha["webhooks"][0]["hmac"], set_there["webhooks"][0]["hmac"]);
    assert_eq!(on_waha["metadata"], set_there["metadata"]);
    assert_eq!(on_waha["debug"], true);
    assert_eq!(on_waha["ignore"]["status"], true);
    assert_eq!(on_waha["ignore"]["groups"], true);
    server.sim.wait_for_status(&waha_name, Status::Working).await;

    owner.patch("/shop", &change).await.ok();
    assert_eq!(
        server.sim.counts().route(PUT),
        1,
        "it makes no difference, so nothing restarts"
    );
    let both = json!({"display_name": "Shop", "configuration": {"debug": false}});
    assert_eq!(
        owner.patch("/shop", &both).await.ok().data()["display_name"],
        "Shop"
    );
    assert_eq!(server.sim.counts().route(PUT), 2);

    // What the organization set goes along when the session must be made again.
    server.sim.delete_session(&waha_name).unwrap();
    owner.post("/shop/start").await.ok();
    let again = server.configuration(&waha_name).await;
    assert_eq!(again["ignore"]["groups"], true);
    assert_eq!(again["debug"], false);
}

async fn a_configuration_that_waha_did_not_take_is_not_kept(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(201);
    let waha_name = world.waha_name("shop").await;
    let change = json!({"configuration": {"debug": true}});
    let configuration = async || -> String {
        let query = "SELECT configuration FROM sessions";
        world.database.texts_unguarded(query).await.remove(0)
    };
    let before = configuration().await;

    server.sim.go_away().await;
    owner
        .patch("/shop", &change)
        .await
        .refused(503, "WAHA_UNAVAILABLE");
    server.sim.come_back().await;
    // What it has could not be learned, so nothing was handed over.
    for kind in [FaultKind::CloseAfter, FaultKind::Garbage, FaultKind::Status(500)] {
        server
            .sim
            .set_fault(Fault::new(kind.clone()).method("GET").times(1));
        let answer = owner.patch("/shop", &change).await;
        assert!(
            matches!(answer.status.as_u16(), 502 | 503),
            "{kind:?} {}",
            answer.json
        );
        assert_eq!(configuration().await, before, "{kind:?}");
    }
    server
        .sim
        .set_fault(Fault::new(FaultKind::Status(422)).method("PUT").times(1));
    owner.patch("/shop", &change).await.refused(502, "WAHA_ERROR");
    assert_eq!(configuration().await, before);
    assert_eq!(server.configuration(&waha_name).await["debug"], Value::Null);

    server
        .sim
        .set_fault(Fault::new(FaultKind::CloseAfter).method("PUT").times(1));
    owner.patch("/shop", &change).await.refused(504, "WAHA_TIMEOUT");
    assert_ne!(configuration().await, before, "WAHA may have taken it");
    assert_eq!(server.configuration(&waha_name).await["debug"], true);

    server.sim.delete_session(&waha_name).unwrap();
    let gone = owner
        .patch("/shop", &json!({"configuration": {"debug": false}}))
        .await;
    gone.refused(409, "SESSION_NOT_READY");
}

async fn what_is_not_allowed_is_refused(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.waiting(&owner, &server, "shop").await;
    server.sim.reset_records();
    for (body, field) in [
        (
            json!({"configuration": {"webhooks": []}}),
            "configuration.webhooks",
        ),
        (json!({"configuration": {"proxy": null}}), "configuration.proxy"),
        (
            json!({"configuration": {"metadata": {}}}),
            "configuration.metadata",
        ),
        (json!({"session_name": "other"}), "session_name"),
        (json!({"organization_id": "x"}), "organization_id"),
        (json!({"status": "working"}), "status"),
        (json!({"business_email": "nobody"}), "business_email"),
        (
            json!({"business_website": "javascript:alert(1)"}),
            "business_website",
        ),
        (json!({"display_name": "x".repeat(101)}), "display_name"),
        (
            json!({"pacing": {"min_seconds": 7, "max_seconds": 6}}),
            "pacing.min_seconds",
        ),
        (
            json!({"pacing": {"min_seconds": 0, "max_seconds": 3601}}),
            "pacing.max_seconds",
        ),
        (json!({"pacing": {"max_seconds": 6}}), "pacing.min_seconds"),
        (
            json!({"pacing": {"min_seconds": -1, "max_seconds": 6}}),
            "pacing.min_seconds",
        ),
    ] {
        let answer = owner.patch("/shop", &body).await.refused(422, "VALIDATION_ERROR");
        assert!(
            answer.json["errors"][field].is_array(),
            "{field}: {}",
            answer.json
        );
    }
    assert_eq!(server.sim.counts().total, 0);
}

async fn info_shows_no_secret(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    owner
        .post_json("", &json!({"session_name": "shop"}))
        .await
        .expect(201);
    let config = json!({
        "webhooks": [{"url": "https://hook.example/", "events": ["*"], "hmac": {"key": "hook-secret"},
            "customHeaders": [{"name": "x-key", "value": "header-secret"}]}],
        "proxy": {"server": "proxy.example:3128", "username": "someone", "password": "proxy-secret"},
        "metadata": {"owner": "metadata-secret"},
        "client": {"deviceName": "Shop"},
        "noweb": {"store": {"enabled": true}},
    });
    let waha_name = world.waha_name("shop").await;
    server
        .sim
        .add_session(SessionSeed::new(&waha_name).phone("15550000001").config(config));
    world.later();
    let info = owner.get("/shop/info").await.ok();
    let waha = &info.data()["waha"];
    assert_eq!(waha["engine"], "NOWEB");
    assert!(waha["profile"]["push_name"].is_string());
    assert_eq!(waha["configuration"]["client"]["device_name"], "Shop");
    assert_eq!(waha["configuration"]["noweb"]["store"]["enabled"], true);
    assert_eq!(info.data()["status"], "working");
    let text = String::from_utf8_lossy(&info.body);
    for hidden in [
        "secret",
        "hook.example",
        "proxy",
        "webhooks",
        "metadata",
        "customHeaders",
        &waha_name,
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

async fn info_does_without_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    server.sim.go_away().await;
    let known = owner.get("/shop/info").await.ok();
    assert_eq!(known.data()["status"], "working");
    assert!(known.data()["waha"].is_null());
    world.later();
    let old = owner.get("/shop/info").await.ok();
    assert_eq!(old.data()["status"], "working");
    assert!(old.data()["waha"].is_null());
    server.sim.come_back().await;
    server.sim.delete_session(&world.waha_name("shop").await).unwrap();
    world.later();
    let gone = owner.get("/shop/info").await.ok();
    assert_eq!(gone.data()["status"], "disconnected");
    assert!(gone.data()["waha"].is_null());
}
