//! Sessions that are moved to another WAHA server send their events from there.

use reqwest::StatusCode;
use serde_json::{Value, json};
use waha_sim::{Status, WahaSim};
use wahana_domain::{ServerId, Session, SessionId};
use wahana_service::{
    Operator,
    platform::moving::{self, Move},
};
use wahana_store::{sessions, upkeep};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::{
    taken_over::{adopt, configured, taken_over},
    world::{Made, Owner, UPSTREAM_KEY, World, eventually, insert_server},
};

on_both_databases!(
    a_moved_session_keeps_its_events_and_sends_more_from_its_new_place,
    what_others_hear_comes_along_and_the_old_hook_does_not,
);

async fn another_server(world: &World<'_>) -> (WahaSim, ServerId) {
    let sim = WahaSim::builder().api_key(UPSTREAM_KEY).time_scale(0.02);
    let sim = sim.start().await.unwrap();
    let id = insert_server(&world.store, "two", &sim.base_url()).await;
    (sim, id)
}

async fn moved(world: &World<'_>, session: SessionId, to: ServerId) -> Session {
    let wanted = Move {
        session,
        to,
        is_forced: false,
    };
    let moved = moving::carry_out(&world.services, &Operator::CommandLine, wanted).await;
    moved.unwrap().session
}

async fn webhooks(world: &World<'_>, sim: &WahaSim, session: &Session) -> Vec<Value> {
    let url = format!("{}/api/sessions/{}", sim.base_url(), session.waha.name.as_str());
    let answer = world.http.get(url).header("x-api-key", UPSTREAM_KEY).send().await;
    let found: Value = answer.unwrap().json().await.unwrap();
    found["config"]["webhooks"].as_array().unwrap().clone()
}

async fn only_session(world: &World<'_>, owner: &Owner) -> Session {
    let tx = world.store.read(owner.tenant).await.unwrap();
    let name = sessions::SessionReference::parse("shop").unwrap();
    sessions::get(&tx, &name, None).await.unwrap().unwrap()
}

async fn a_moved_session_keeps_its_events_and_sends_more_from_its_new_place(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    let before = world.made(&owner, &json!({"session_name": "shop"})).await;
    world
        .sim
        .wait_for_status(&before.waha_name, Status::ScanQrCode)
        .await;
    eventually(async || !world.stored().await.is_empty()).await;
    let events = "SELECT event_id FROM waha_events ORDER BY received_at, event_id";
    let told_before = world.texts(events).await;

    let (sim, server) = another_server(&world).await;
    let after = moved(&world, before.id, server).await;
    let address = format!("{}hooks/waha/{server}/{}/1.1", world.url, before.id);
    let webhooks = webhooks(&world, &sim, &after).await;
    assert_eq!(webhooks.len(), 1, "{webhooks:?}");
    assert_eq!(webhooks[0]["url"], address);
    let tx = world.store.read(owner.tenant).await.unwrap();
    let noted = upkeep::get(&tx, before.id).await.unwrap().hook;
    drop(tx);
    assert_eq!(noted.applied_version, Some(1));

    sim.wait_for_status(after.waha.name.as_str(), Status::ScanQrCode)
        .await;
    sim.pair_with(after.waha.name.as_str(), "15550100001").unwrap();
    let of_new =
        "SELECT 'one' FROM waha_events e JOIN waha_servers s ON s.id = e.waha_server_id WHERE s.name = 'two'";
    eventually(async || !world.texts(of_new).await.is_empty()).await;
    let told = world.texts(events).await;
    assert!(
        told_before.iter().all(|event| told.contains(event)),
        "{told_before:?} {told:?}"
    );

    // What the old place still has to say is nobody's.
    let old = world.delivery(
        world.hook(Some(before.id)),
        world.event("evt_late", &before).to_string(),
    );
    assert_eq!(world.deliver(&old).await, StatusCode::OK);
    let told = world.texts(events).await;
    assert!(!told.contains(&"evt_late".to_owned()), "{told:?}");
    let now = Made {
        waha_name: after.waha.name.as_str().to_owned(),
        ..before
    };
    let elsewhere = world.delivery(world.hook(Some(now.id)), world.event("evt_new", &now).to_string());
    assert_eq!(world.deliver(&elsewhere).await, StatusCode::OK);
    let told = world.texts(events).await;
    assert!(!told.contains(&"evt_new".to_owned()), "{told:?}");
}

async fn what_others_hear_comes_along_and_the_old_hook_does_not(database: &TestDatabase) {
    let world = World::new(database).await;
    let owner = world.owner("a").await;
    adopt(&world, &owner, "shop", Status::Stopped).await;
    taken_over(&world).await;
    let before = only_session(&world, &owner).await;
    assert_eq!(webhooks(&world, &world.sim, &before).await.len(), 2);

    let (sim, server) = another_server(&world).await;
    let after = moved(&world, before.id, server).await;
    let webhooks = webhooks(&world, &sim, &after).await;
    assert_eq!(webhooks.len(), 2, "{webhooks:?}");
    assert_eq!(webhooks[0], configured()["webhooks"][0]);
    let address = webhooks[1]["url"].as_str().unwrap();
    assert!(address.contains(&server.to_string()), "{address}");
}
