//! What no answer may say: where a session is, what it is called there, and how to get there.

use serde_json::json;
use waha_sim::{Fault, FaultKind};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{UPSTREAM_KEY, World};

on_both_databases!(no_answer_names_waha);

async fn no_answer_names_waha(database: &TestDatabase) {
    let world = World::new(database).await;
    let server = world.server("server-in-the-cellar").await;
    let owner = world.owner("a").await;
    world.working(&owner, &server, "shop", "15550000001").await;
    let troubles = [
        None,
        Some(FaultKind::Status(422)),
        Some(FaultKind::Status(500)),
        Some(FaultKind::Status(401)),
        Some(FaultKind::Html(502)),
        Some(FaultKind::Garbage),
        Some(FaultKind::CloseAfter),
    ];
    let number = json!({"phone_number": "+15550000009"});
    let mut waha_names = Vec::new();
    for (round, trouble) in troubles.into_iter().chain([None]).enumerate() {
        match trouble {
            Some(kind) => server.sim.set_fault(Fault::new(kind)),
            None if round > 0 => server.sim.go_away().await,
            None => {}
        }
        world.later();
        for path in [
            "",
            "/shop/status",
            "/shop/info",
            "/shop/connected",
            "/shop/health",
            "/shop/qr",
        ] {
            owner.get(path).await;
        }
        for path in [
            "/shop/sync",
            "/shop/stop",
            "/shop/start",
            "/shop/restart",
            "/shop/logout",
        ] {
            owner.post(path).await;
        }
        owner.post_json("/shop/pairing-code", &number).await;
        owner
            .patch("/shop", &json!({"configuration": {"debug": round % 2 == 0}}))
            .await;
        let name = format!("s{round}");
        owner.post_json("", &json!({"session_name": name})).await;
        owner.get(&format!("/{name}/qr")).await;
        owner.delete(&format!("/{name}")).await;
        waha_names.extend(world.waha_names(&name).await);
        world.get_elsewhere(&owner, "/api/waha/organization").await;
        server.sim.clear_faults();
    }
    waha_names.push(world.waha_name("shop").await);
    assert_eq!(waha_names.len(), 9);

    let address = server.sim.address().to_string();
    let server_id = server.id.to_string();
    let hidden = [
        "server-in-the-cellar",
        UPSTREAM_KEY,
        &address,
        &server_id,
        "at new ",
        "stack",
        "node_modules",
    ];
    let transcript = world.transcript.lock().unwrap();
    assert!(transcript.len() > 100);
    for answer in transcript.iter() {
        for hidden in hidden
            .iter()
            .copied()
            .chain(waha_names.iter().map(String::as_str))
        {
            assert!(!answer.contains(hidden), "{hidden} in {answer}");
        }
    }
}
