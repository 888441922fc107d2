//! Sessions as a WAHA server's snapshot meets them.

use wahana_domain::ServerId;
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
    assert_eq!(tx.session_count().await.unwrap(), 3);

    let unknown = ServerId::new();
    assert!(tx.sessions_on_server(unknown).await.unwrap().is_empty());
    assert!(tx.waha_names_on_server(unknown).await.unwrap().is_empty());
}

on_both_databases!(a_server_knows_the_living_sessions_of_everybody_and_whose_they_are);
