//! WAHA servers and the secrecy of their keys.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use wahana_domain::ServerId;
use wahana_store::{KeyRing, KeyRingError, ServerChange, Store, StoreError, Uniqueness, sessions};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{START, World, add_server, new_server};

async fn a_server_is_read_with_its_key(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.platform_read().await;
    let server = tx.server(world.server).await.unwrap().unwrap();
    assert_eq!((server.name.as_str(), server.capacity), ("first", Some(10)));
    assert_eq!(server.base_url, "http://first.example:3000/");
    assert_eq!(server.api_key.expose_secret(), "key of first");
    assert_eq!((server.created_at, server.last_snapshot_at), (START, None));
    assert!(!format!("{server:?}").contains("key of"));
    assert!(tx.server(ServerId::new()).await.unwrap().is_none());
}

async fn what_is_changed_of_a_server_changes_and_the_rest_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    let other = add_server(&world.store, "second").await;
    world.clock.advance(Duration::from_secs(1));
    let tx = world.platform_write().await;
    let change = ServerChange {
        name: Some("renamed".to_owned()),
        capacity: Some(None),
        ..Default::default()
    };
    assert!(tx.update_server(world.server, &change).await.unwrap());
    let server = tx.server(world.server).await.unwrap().unwrap();
    assert_eq!((server.name.as_str(), server.capacity), ("renamed", None));
    assert_eq!(server.base_url, "http://first.example:3000/");
    assert_eq!(server.api_key.expose_secret(), "key of first");
    assert_eq!(server.updated_at, START.plus(Duration::from_secs(1)));
    let change = ServerChange {
        base_url: Some("https://moved.example/".to_owned()),
        api_key: Some("another key".into()),
        ..Default::default()
    };
    assert!(tx.update_server(world.server, &change).await.unwrap());
    let server = tx.server(world.server).await.unwrap().unwrap();
    assert_eq!(
        (server.name.as_str(), server.base_url.as_str()),
        ("renamed", "https://moved.example/")
    );
    assert_eq!(server.api_key.expose_secret(), "another key");
    let other = tx.server(other).await.unwrap().unwrap();
    assert_eq!((other.name.as_str(), other.updated_at), ("second", START));
    assert!(!tx.update_server(ServerId::new(), &change).await.unwrap());
}

async fn the_load_is_the_living_sessions_of_everybody(db: &TestDatabase) {
    let world = World::new(db).await;
    add_server(&world.store, "another").await;
    world.session(&world.a, "one").await;
    world.session(&world.b, "two").await;
    let deleted = world.session(&world.a, "three").await;
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, deleted.id).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_read().await;
    let servers = tx.servers().await.unwrap();
    let loads: Vec<_> = servers
        .iter()
        .map(|load| (load.server.name.as_str(), load.sessions))
        .collect();
    assert_eq!(loads, [("another", 0), ("first", 2)]);
}

async fn a_server_with_living_sessions_stays(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let tx = world.platform_write().await;
    assert!(!tx.remove_server(world.server).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.write(&world.a).await;
    assert!(sessions::delete(&tx, session.id).await.unwrap());
    tx.commit().await.unwrap();
    let tx = world.platform_write().await;
    assert!(tx.remove_server(world.server).await.unwrap());
    assert!(!tx.remove_server(world.server).await.unwrap());
    assert!(tx.server(world.server).await.unwrap().is_none());
    assert!(tx.servers().await.unwrap().is_empty());
    assert!(
        !tx.update_server(world.server, &ServerChange::default())
            .await
            .unwrap()
    );
}

async fn name_and_address_are_free_again_once_a_server_is_removed(db: &TestDatabase) {
    let world = World::new(db).await;
    let same_name = wahana_store::NewServer {
        base_url: "http://elsewhere.example/".to_owned(),
        ..new_server("first")
    };
    let same_address = wahana_store::NewServer {
        name: "other".to_owned(),
        ..new_server("first")
    };
    for (new, rule) in [
        (&same_name, Uniqueness::ServerName),
        (&same_address, Uniqueness::ServerAddress),
    ] {
        let tx = world.platform_write().await;
        let refused = tx.insert_server(new).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(broken)) if broken == rule),
            "{refused:?}"
        );
    }
    let tx = world.platform_write().await;
    assert!(tx.remove_server(world.server).await.unwrap());
    tx.insert_server(&new_server("first")).await.unwrap();
    tx.commit().await.unwrap();
}

async fn the_time_of_the_last_snapshot_is_kept(db: &TestDatabase) {
    let world = World::new(db).await;
    let at = START.plus(Duration::from_secs(30));
    let tx = world.platform_write().await;
    tx.set_last_snapshot(world.server, at).await.unwrap();
    let server = tx.server(world.server).await.unwrap().unwrap();
    assert_eq!(server.last_snapshot_at, Some(at));
}

async fn a_key_is_nowhere_in_clear(db: &TestDatabase) {
    let world = World::new(db).await;
    let hex = if db.is_postgres() {
        "encode(encrypted_api_key, 'hex')"
    } else {
        "hex(encrypted_api_key)"
    };
    let stored = db
        .texts_unguarded(&format!("SELECT lower({hex}) FROM waha_servers"))
        .await;
    let clear = data_encoding::HEXLOWER.encode(b"key of first");
    assert_eq!(stored.len(), 1);
    assert!(stored[0].len() > clear.len() && !stored[0].contains(&clear));
    drop(world);
}

async fn a_key_that_was_moved_to_another_server_does_not_open(db: &TestDatabase) {
    let world = World::new(db).await;
    let second = add_server(&world.store, "second").await;
    db.execute_unguarded(
        "UPDATE waha_servers SET encrypted_api_key =
            (SELECT encrypted_api_key FROM waha_servers WHERE name = 'first') WHERE name = 'second'",
    )
    .await;
    let tx = world.platform_read().await;
    assert!(tx.server(world.server).await.is_ok());
    assert!(matches!(
        tx.server(second).await,
        Err(StoreError::Keys(KeyRingError::Refused(1)))
    ));
}

async fn another_key_ring_opens_nothing_and_says_so(db: &TestDatabase) {
    let world = World::new(db).await;
    let clock = Arc::new(wahana_domain::SystemClock);
    let other = Store::open(&db.settings(), KeyRing::generate(), clock.clone())
        .await
        .unwrap();
    let tx = other.platform_read().await.unwrap();
    let error = tx.server(world.server).await.unwrap_err();
    assert!(matches!(error, StoreError::Keys(KeyRingError::Refused(1))));
    assert!(!error.to_string().contains("key of first"));
    let text = KeyRing::generate().to_text();
    let renumbered = KeyRing::parse(&text.expose_secret().replacen("1 ", "7 ", 1)).unwrap();
    let other = Store::open(&db.settings(), renumbered, clock).await.unwrap();
    assert!(matches!(
        other.platform_read().await.unwrap().servers().await,
        Err(StoreError::Keys(KeyRingError::UnknownKey(1)))
    ));
}

on_both_databases!(
    a_server_is_read_with_its_key,
    what_is_changed_of_a_server_changes_and_the_rest_stays,
    the_load_is_the_living_sessions_of_everybody,
    a_server_with_living_sessions_stays,
    name_and_address_are_free_again_once_a_server_is_removed,
    the_time_of_the_last_snapshot_is_kept,
    a_key_is_nowhere_in_clear,
    a_key_that_was_moved_to_another_server_does_not_open,
    another_key_ring_opens_nothing_and_says_so,
);
