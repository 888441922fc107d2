//! Changing the keys that encrypt secrets at rest.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::ExposeSecret;
use wahana_domain::SystemClock;
use wahana_store::{KeyRing, Reencrypted, ServerChange, Store};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::{World, add_server};

on_both_databases!(
    every_secret_is_encrypted_anew_and_the_old_key_is_free,
    a_secret_whose_key_is_lost_stays_and_is_counted,
);

/// The same database, opened with a new key before the old ones.
async fn with_new_key(db: &TestDatabase, ring: &KeyRing) -> (Store, KeyRing) {
    let successor = ring.successor().unwrap();
    let text = format!(
        "{}{}",
        successor.to_text().expose_secret(),
        ring.to_text().expose_secret()
    );
    let ring = KeyRing::parse(&text).unwrap();
    (open(db, ring.clone()).await, ring)
}

async fn open(db: &TestDatabase, ring: KeyRing) -> Store {
    Store::open(&db.settings(), ring, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// Encrypts everything anew, one secret at a time.
async fn reencrypt(store: &Store) -> (u64, u64) {
    let (mut next, mut changed, mut unreadable) = (None, 0, 0);
    loop {
        let tx = store.platform_write().await.unwrap();
        let batch = tx.reencrypt_secrets(next, 1).await.unwrap();
        tx.commit().await.unwrap();
        changed += batch.changed;
        unreadable += batch.unreadable;
        next = batch.next;
        if next.is_none() {
            assert_eq!(batch, Reencrypted::default());
            return (changed, unreadable);
        }
    }
}

async fn in_use(store: &Store) -> BTreeMap<u32, u64> {
    store.platform_read().await.unwrap().keys_in_use().await.unwrap()
}

async fn every_secret_is_encrypted_anew_and_the_old_key_is_free(db: &TestDatabase) {
    let world = World::new(db).await;
    let removed = add_server(&world.store, "removed").await;
    let tx = world.platform_write().await;
    assert!(tx.remove_server(removed).await.unwrap());
    tx.commit().await.unwrap();
    let (store, ring) = with_new_key(db, &db.keys()).await;
    assert_eq!(in_use(&store).await, BTreeMap::from([(1, 2)]));
    // What is written from now on uses the new key already.
    add_server(&store, "second").await;
    assert_eq!(in_use(&store).await, BTreeMap::from([(1, 2), (2, 1)]));
    assert_eq!(reencrypt(&store).await, (2, 0));
    assert_eq!(in_use(&store).await, BTreeMap::from([(2, 3)]));
    assert_eq!(reencrypt(&store).await, (0, 0));
    let new_key_alone = open(
        db,
        KeyRing::parse(ring.to_text().expose_secret().lines().next().unwrap()).unwrap(),
    );
    let tx = new_key_alone.await.platform_read().await.unwrap();
    let found: Vec<_> = tx
        .servers()
        .await
        .unwrap()
        .into_iter()
        .map(|load| load.server.api_key.expose_secret().to_owned())
        .collect();
    assert_eq!(found, ["key of first", "key of second"]);
}

async fn a_secret_whose_key_is_lost_stays_and_is_counted(db: &TestDatabase) {
    let world = World::new(db).await;
    let (store, ring) = with_new_key(db, &db.keys()).await;
    add_server(&store, "second").await;
    let third = ring.successor().unwrap();
    let text = format!(
        "{}{}",
        third.to_text().expose_secret(),
        ring.to_text().expose_secret()
    );
    let without_first: String = text
        .lines()
        .filter(|line| !line.starts_with("1 "))
        .flat_map(|line| [line, "\n"])
        .collect();
    let store = open(db, KeyRing::parse(&without_first).unwrap()).await;
    assert_eq!(reencrypt(&store).await, (1, 1));
    assert_eq!(in_use(&store).await, BTreeMap::from([(1, 1), (3, 1)]));
    // Its server can be given its key again.
    let tx = store.platform_write().await.unwrap();
    let api_key = Some("key of first".into());
    let change = ServerChange {
        api_key,
        ..Default::default()
    };
    assert!(tx.update_server(world.server, &change).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(in_use(&store).await, BTreeMap::from([(3, 2)]));
}
