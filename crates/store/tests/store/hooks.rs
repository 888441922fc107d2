//! The hooks at which events come in.

use std::time::Duration;

use wahana_domain::{ServerId, Timestamp};
use wahana_store::{
    HookedSession, Tenant,
    events::{self, EventState, NewEvent},
    hooks, sessions, upkeep,
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World, add_server};

on_both_databases!(
    sessions_are_found_by_their_names_on_their_own_server_alone,
    an_event_is_stored_once_for_its_server,
    versions_rise_where_waha_has_the_newest,
    what_is_known_of_a_hook_is_kept_beside_the_rest,
    a_gap_begins_once_and_ends_with_an_event,
);

async fn found(world: &World, named: &[(ServerId, &str)]) -> Vec<HookedSession> {
    let tx = world.platform_read().await;
    tx.hooked_sessions(named).await.unwrap()
}

async fn sessions_are_found_by_their_names_on_their_own_server_alone(db: &TestDatabase) {
    let world = World::new(db).await;
    let other = add_server(&world.store, "second").await;
    let of_a = world.session(&world.a, "one").await;
    let of_b = world.session(&world.b, "one").await;
    let gone = world.session(&world.a, "gone").await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, gone.id).await.unwrap());
    tx.commit().await.unwrap();

    let (a, b) = (of_a.waha.name.as_str(), of_b.waha.name.as_str());
    let named = [
        (world.server, a),
        (world.server, a),
        (world.server, b),
        (world.server, "nobodys"),
        (world.server, gone.waha.name.as_str()),
        (other, a),
    ];
    let mut both = found(&world, &named).await;
    both.sort_by_key(|session| session.id);
    let owners: Vec<(Tenant, _, i64)> = both
        .iter()
        .map(|session| (session.tenant, session.id, session.hook_version))
        .collect();
    assert_eq!(
        owners,
        [(world.a.tenant, of_a.id, 1), (world.b.tenant, of_b.id, 1)]
    );
    assert_eq!(found(&world, &[(other, a)]).await, []);
    assert_eq!(found(&world, &[]).await, []);
}

async fn an_event_is_stored_once_for_its_server(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "one").await;
    let event = |id: &str, second: i64| NewEvent {
        tenant: world.a.tenant,
        session: session.id,
        server: world.server,
        event_id: id.to_owned(),
        kind: "message".to_owned(),
        happened_at: Timestamp::from_seconds(second),
        payload: format!("{{\"id\":\"{id}\"}}"),
    };
    let tx = world.platform_write().await;
    let batch = [event("evt_2", 2), event("evt_1", 1), event("evt_2", 2)];
    assert_eq!(tx.store_events(&batch).await.unwrap(), 2);
    assert_eq!(tx.store_events(&[event("evt_1", 9)]).await.unwrap(), 0);
    assert_eq!(tx.store_events(&[]).await.unwrap(), 0);
    tx.commit().await.unwrap();

    let waiting = world.platform_read().await.sessions_with_waiting_events(10).await;
    assert_eq!(waiting.unwrap(), [(world.a.tenant, session.id)]);
    let tx = world.write(&world.a).await;
    let stored = events::waiting(&tx, session.id, 10).await.unwrap();
    let ids: Vec<&str> = stored.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids, ["evt_1", "evt_2"], "in the order in which they happened");
    assert_eq!(stored[0].payload, "{\"id\":\"evt_1\"}");
    assert!(!format!("{:?}", stored[0]).contains("payload"));
    events::finish(&tx, &[stored[0].id], EventState::Applied)
        .await
        .unwrap();
    assert_eq!(events::waiting(&tx, session.id, 10).await.unwrap(), stored[1..]);
    tx.commit().await.unwrap();
    let tx = world.read(&world.b).await;
    assert_eq!(events::waiting(&tx, session.id, 10).await.unwrap(), []);
}

async fn versions_rise_where_waha_has_the_newest(db: &TestDatabase) {
    let world = World::new(db).await;
    let other = add_server(&world.store, "second").await;
    let (has, lacks) = (
        world.session(&world.a, "has").await,
        world.session(&world.b, "lacks").await,
    );
    let tx = world.write(&world.a).await;
    hooks::set_applied(&tx, has.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    for expected in [2, 3] {
        let tx = world.platform_write().await;
        assert!(tx.raise_hook_versions(world.server).await.unwrap());
        assert!(!tx.raise_hook_versions(ServerId::new()).await.unwrap());
        tx.commit().await.unwrap();
        let tx = world.platform_read().await;
        let server = tx.server(world.server).await.unwrap().unwrap();
        assert_eq!(server.hook_version, expected);
        assert_eq!(tx.server(other).await.unwrap().unwrap().hook_version, 1);
    }
    // WAHA has the first key of one still, and never got one of the other.
    let version = async |session: &wahana_domain::Session| {
        let named = [(world.server, session.waha.name.as_str())];
        found(&world, &named).await[0].hook_version
    };
    assert_eq!((version(&has).await, version(&lacks).await), (2, 1));
}

async fn what_is_known_of_a_hook_is_kept_beside_the_rest(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "one").await;
    let tx = world.write(&world.a).await;
    let unknown = upkeep::get(&tx, session.id).await.unwrap().hook;
    assert_eq!((unknown.version, unknown.applied_version), (1, None));
    hooks::set_applied(&tx, session.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    db.execute_unguarded("UPDATE session_upkeep SET restriction = '463', attempts = 4, hook_version = 2")
        .await;
    let tx = world.write(&world.a).await;
    hooks::set_applied(&tx, session.id, 2).await.unwrap();
    let known = upkeep::get(&tx, session.id).await.unwrap();
    assert_eq!((known.hook.version, known.hook.applied_version), (2, Some(2)));
    assert_eq!(known.attempts.count, 4);
    assert!(known.is_restricted(START), "without an end it lasts");
    tx.commit().await.unwrap();
}

async fn a_gap_begins_once_and_ends_with_an_event(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_write().await;
    assert!(tx.begin_event_gap(world.server, START).await.unwrap());
    let later = START.plus(Duration::from_secs(9));
    assert!(!tx.begin_event_gap(world.server, later).await.unwrap());
    let servers = [world.server, ServerId::new()];
    let found = tx.hooked_servers(&servers).await.unwrap();
    let times: Vec<_> = found
        .iter()
        .map(|server| (server.id, server.event_gap_since, server.last_event_at))
        .collect();
    assert_eq!(times, [(world.server, Some(START), None)]);
    world.clock.advance(Duration::from_secs(1));
    tx.note_server_event(world.server).await.unwrap();
    let server = tx.server(world.server).await.unwrap().unwrap();
    let heard = Some(START.plus(Duration::from_secs(1)));
    assert_eq!((server.event_gap_since, server.last_event_at), (None, heard));
    tx.commit().await.unwrap();
}
