//! Whoever calls WAHA can tell that its task holds no transaction open.

use wahana_store::is_transaction_open_in_this_task as is_open;
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

async fn a_task_knows_whether_it_holds_a_transaction_open(db: &TestDatabase) {
    let world = World::new(db).await;
    let (store, tenant) = (world.store.clone(), world.a.tenant);
    let task = tokio::spawn(async move {
        assert!(!is_open());
        let tx = store.write(tenant).await.unwrap();
        assert!(is_open());
        tx.commit().await.unwrap();
        assert!(!is_open());

        let tx = store.platform_write().await.unwrap();
        assert!(is_open());
        drop(tx);
        assert!(!is_open());

        let (one, other) = (
            store.read(tenant).await.unwrap(),
            store.platform_read().await.unwrap(),
        );
        drop(one);
        assert!(is_open());
        drop(other);
        assert!(!is_open());
    });
    task.await.unwrap();
}

async fn the_transactions_of_other_tasks_are_not_ones_own(db: &TestDatabase) {
    let world = World::new(db).await;
    let (store, tenant) = (world.store.clone(), world.a.tenant);
    let opened = tokio::spawn(async move {
        let tx = store.read(tenant).await.unwrap();
        assert!(is_open());
        tx
    });
    let tx = opened.await.unwrap();
    let (sees, tx) = tokio::spawn(async move { (is_open(), tx) }).await.unwrap();
    assert!(!sees);
    drop(tx);
}

async fn a_transaction_that_could_not_begin_is_not_open(db: &TestDatabase) {
    let world = World::new(db).await;
    world.store.close().await.unwrap();
    let (store, tenant) = (world.store.clone(), world.a.tenant);
    let task = tokio::spawn(async move {
        assert!(store.write(tenant).await.is_err());
        assert!(!is_open());
    });
    task.await.unwrap();
}

on_both_databases!(
    a_task_knows_whether_it_holds_a_transaction_open,
    the_transactions_of_other_tasks_are_not_ones_own,
    a_transaction_that_could_not_begin_is_not_open,
);
