//! What events change is there for whoever reads next.

use serde_json::json;
use wahana_domain::{Clock, OrganizationLimits, Role, SessionId};
use wahana_service::events;
use wahana_store::events::NewEvent;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{Home, Server, World};

on_both_databases!(an_event_is_seen_by_the_next_reader);

/// Stores a status as WAHA tells it, and applies it.
async fn tell(world: &World<'_>, home: Home, server: &Server, session: SessionId, id: &str, status: &str) {
    let happened_at = world.clock.now();
    let body = json!({
        "id": id, "timestamp": happened_at.as_micros() / 1000, "event": "session.status",
        "session": "any", "me": null, "payload": {"status": status},
    });
    let event = NewEvent {
        tenant: home.tenant,
        session,
        server: server.id,
        event_id: id.to_owned(),
        kind: "session.status".to_owned(),
        happened_at,
        payload: body.to_string(),
    };
    let tx = world.store.platform_write().await.unwrap();
    tx.store_events(&[event]).await.unwrap();
    tx.commit().await.unwrap();
    let applied = events::apply_session(&world.services, home.tenant, session).await;
    assert_eq!(applied.unwrap(), 1);
}

async fn an_event_is_seen_by_the_next_reader(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("one").await;
    let home = world.organization("a", OrganizationLimits::default()).await;
    let owner = world.member(home, Role::Owner).await;
    let session = world.working(&owner, &server, "shop", "15550000001").await;
    let id: SessionId = session["id"].as_str().unwrap().parse().unwrap();
    // What was read is remembered, and the last snapshot is new enough to answer from.
    assert_eq!(owner.status("shop").await["status"], "working");
    server.sim.reset_records();
    for (event, told, shown) in [
        ("evt_1", "FAILED", "error"),
        ("evt_2", "STARTING", "connecting"),
        ("evt_3", "SCAN_QR_CODE", "scan_qr"),
    ] {
        tell(&world, home, &server, id, event, told).await;
        assert_eq!(owner.status("shop").await["status"], shown);
    }
    assert_eq!(server.sim.counts().total, 0, "nobody asked WAHA");
}
