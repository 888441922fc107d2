//! Sessions as a WAHA server's snapshot meets them.

use std::time::Duration;

use wahana_domain::{DesiredStatus, ServerId};
use wahana_store::sessions;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{World, add_server};

async fn a_server_knows_the_living_sessions_of_everybody_and_whose_they_are(db: &TestDatabase) {
    let world = World::new(db).await;
    let of_a = world.session(&world.a, "sales").await;
    let of_b = world.session(&world.b, "sales").await;
    let deleted = world.session(&world.a, "deleted").await;
    let mut elsewhere = world.new_session(&world.a, "elsewhere");
    elsewhere.waha.server = add_server(&world.store, "second").await;
    world.add(&world.a, &elsewhere).await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, deleted.id).await.unwrap());
    tx.commit().await.unwrap();

    let tx = world.platform_read().await;
    let mut found = tx.sessions_on_server(world.server).await.unwrap();
    found.sort_by_key(|found| found.session.id);
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0].session, found[0].tenant), (&of_a, world.a.tenant));
    assert_eq!((&found[1].session, found[1].tenant), (&of_b, world.b.tenant));

    let mut names = tx.waha_names_on_server(world.server).await.unwrap();
    let mut expected = [of_a.waha.name.as_str(), of_b.waha.name.as_str()];
    names.sort();
    expected.sort_unstable();
    assert_eq!(names, expected);

    let unknown = ServerId::new();
    assert!(tx.sessions_on_server(unknown).await.unwrap().is_empty());
    assert!(tx.waha_names_on_server(unknown).await.unwrap().is_empty());
}

async fn every_change_of_a_living_session_is_seen_and_no_other(db: &TestDatabase) {
    let world = World::new(db).await;
    let changes = async || {
        let tx = world.platform_read().await;
        tx.session_changes(world.server).await.unwrap()
    };
    let nobody_is_there = changes().await;
    let first = world.session(&world.a, "first").await;
    let one_is_there = changes().await;
    assert_ne!(one_is_there, nobody_is_there);
    assert_eq!(changes().await, one_is_there);
    world.session(&world.b, "second").await;
    let two_are_there = changes().await;
    assert_ne!(two_are_there, one_is_there);

    world.clock.advance(Duration::from_millis(1));
    let tx = world.write(&world.a).await;
    sessions::set_desired_status(&tx, first.id, DesiredStatus::Stopped)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let one_is_changed = changes().await;
    assert_ne!(one_is_changed, two_are_there);

    let mut elsewhere = world.new_session(&world.a, "elsewhere");
    elsewhere.waha.server = add_server(&world.store, "another").await;
    world.add(&world.a, &elsewhere).await;
    assert_eq!(changes().await, one_is_changed, "on another server");

    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, first.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_ne!(changes().await, one_is_changed);
}

on_both_databases!(
    every_change_of_a_living_session_is_seen_and_no_other,
    a_server_knows_the_living_sessions_of_everybody_and_whose_they_are,
);
