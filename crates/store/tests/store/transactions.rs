//! What a transaction promises.

use wahana_domain::SessionName;
use wahana_store::{
    StoreError, Uniqueness,
    activity::{Counts, Tally},
    members,
    organizations::{self, OrganizationChange},
    sessions::{self, SessionReference},
};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

fn renamed(name: &str) -> OrganizationChange {
    OrganizationChange {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}

async fn what_is_not_committed_changes_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.write(&world.a).await;
    organizations::update(&tx, &renamed("Other")).await.unwrap();
    drop(tx);
    let tx = world.platform_write().await;
    tx.insert_server(&crate::world::new_server("second"))
        .await
        .unwrap();
    drop(tx);
    let tx = world.read(&world.a).await;
    assert_eq!(organizations::get(&tx).await.unwrap().unwrap().name, "Alpha");
    assert_eq!(world.platform_read().await.servers().await.unwrap().len(), 1);
}

async fn a_transaction_for_reading_cannot_write(db: &TestDatabase) {
    let world = World::new(db).await;
    let tx = world.read(&world.a).await;
    organizations::update(&tx, &renamed("Other")).await.unwrap_err();
    let tx = world.platform_read().await;
    tx.insert_server(&crate::world::new_server("second"))
        .await
        .unwrap_err();
}

async fn after_a_failed_statement_nothing_can_be_committed(db: &TestDatabase) {
    let world = World::new(db).await;
    world.session(&world.a, "sales").await;
    let tx = world.write(&world.a).await;
    organizations::update(&tx, &renamed("Other")).await.unwrap();
    let again = world.new_session(&world.a, "sales");
    assert!(matches!(
        sessions::insert(&tx, &again).await,
        Err(StoreError::Conflict(Uniqueness::SessionName))
    ));
    assert!(matches!(tx.commit().await, Err(StoreError::TransactionFailed)));
    let tx = world.read(&world.a).await;
    assert_eq!(organizations::get(&tx).await.unwrap().unwrap().name, "Alpha");

    let tx = world.platform_write().await;
    tx.insert_server(&crate::world::new_server("second"))
        .await
        .unwrap();
    tx.insert_server(&crate::world::new_server("first"))
        .await
        .unwrap_err();
    assert!(matches!(tx.commit().await, Err(StoreError::TransactionFailed)));
    assert_eq!(world.platform_read().await.servers().await.unwrap().len(), 1);
}

/// Four stores have their connections apart, as four processes do.
async fn tasks_of_four_stores_that_read_and_then_write_lose_nothing(db: &TestDatabase) {
    let world = World::new(db).await;
    let session = world.session(&world.a, "sales").await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let store = db.store(world.clock.clone()).await;
        for _ in 0..2 {
            let (store, tenant, id) = (store.clone(), world.a.tenant, session.id);
            tasks.push(tokio::spawn(async move {
                for _ in 0..5 {
                    let tx = store.write(tenant).await.unwrap();
                    members::owner_count(&tx).await.unwrap();
                    let mut tally = Tally::new();
                    let sent = Counts {
                        messages_sent: 1,
                        ..Default::default()
                    };
                    tally.add(tx.now(), &sent);
                    tally.write(&tx, id).await.unwrap();
                    tx.commit().await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let tx = world.read(&world.a).await;
    let found = sessions::get(
        &tx,
        &SessionReference::Name(SessionName::parse("sales").unwrap()),
        None,
    )
    .await;
    assert_eq!(found.unwrap().unwrap().counters.messages_sent, 40);
}

async fn readers_are_not_held_up_by_a_writer(db: &TestDatabase) {
    let world = World::new(db).await;
    let writer = world.write(&world.a).await;
    organizations::update(&writer, &renamed("Other")).await.unwrap();
    let reader = world.read(&world.a).await;
    assert_eq!(organizations::get(&reader).await.unwrap().unwrap().name, "Alpha");
    writer.commit().await.unwrap();
}

async fn a_closed_store_answers_that_it_cannot_be_reached(db: &TestDatabase) {
    let world = World::new(db).await;
    world.store.close().await.unwrap();
    assert!(matches!(
        world.store.platform_read().await.err(),
        Some(StoreError::Unavailable(_))
    ));
}

async fn the_size_grows_with_the_rows(db: &TestDatabase) {
    let world = World::new(db).await;
    let before = world.store.size().await.unwrap();
    assert!(before > 0);
    let mut session = world.new_session(&world.a, "large");
    // Numbers, because PostgreSQL would press repeated letters into nothing.
    session.last_error = Some((0..100_000).map(|number: u32| number.to_string()).collect());
    world.add(&world.a, &session).await;
    assert!(world.store.size().await.unwrap() > before);
}

on_both_databases!(
    the_size_grows_with_the_rows,
    what_is_not_committed_changes_nothing,
    a_transaction_for_reading_cannot_write,
    after_a_failed_statement_nothing_can_be_committed,
    tasks_of_four_stores_that_read_and_then_write_lose_nothing,
    readers_are_not_held_up_by_a_writer,
    a_closed_store_answers_that_it_cannot_be_reached,
);
