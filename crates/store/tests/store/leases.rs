//! Leases of what only one process may do, and the processes themselves.

use std::time::Duration;

use wahana_domain::{Process, ProcessId, ProcessRole};
use wahana_store::{Lease, PlatformTx};
use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

const TERM: Duration = Duration::from_secs(10);

async fn take(world: &World, owner: ProcessId) -> Option<Lease> {
    let tx = world.platform_write().await;
    let lease = tx
        .take_lease("server 1", owner, tx.now().plus(TERM))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    lease
}

async fn holds(tx: &PlatformTx, lease: &Lease) -> bool {
    tx.holds_lease(lease).await.unwrap()
}

async fn one_process_has_a_lease_until_it_ends(db: &TestDatabase) {
    let world = World::new(db).await;
    let (first, second) = (ProcessId::new(), ProcessId::new());
    let lease = take(&world, first).await.unwrap();
    assert_eq!(lease.epoch, 1);
    assert_eq!(take(&world, second).await, None);
    world.clock.advance(TERM / 2);
    // Who has it keeps it.
    assert_eq!(take(&world, first).await, Some(lease.clone()));
    world.clock.advance(TERM / 2);
    assert_eq!(take(&world, second).await, None);
    world.clock.advance(TERM / 2);
    let taken_over = take(&world, second).await.unwrap();
    assert_eq!(taken_over.epoch, 2);
    // The first one froze meanwhile and does not know.
    let tx = world.platform_write().await;
    assert!(!holds(&tx, &lease).await);
    assert!(!tx.renew_lease(&lease, tx.now().plus(TERM)).await.unwrap());
    assert!(!tx.release_lease(&lease).await.unwrap());
    assert!(holds(&tx, &taken_over).await);
}

async fn a_lease_that_ended_is_not_renewed_even_if_nobody_took_it(db: &TestDatabase) {
    let world = World::new(db).await;
    let owner = ProcessId::new();
    let lease = take(&world, owner).await.unwrap();
    world.clock.advance(TERM);
    let tx = world.platform_write().await;
    assert!(!holds(&tx, &lease).await);
    assert!(!tx.renew_lease(&lease, tx.now().plus(TERM)).await.unwrap());
    drop(tx);
    assert_eq!(take(&world, owner).await.unwrap().epoch, 2);
}

async fn a_lease_that_was_given_back_is_free_and_its_epoch_is_not_used_again(db: &TestDatabase) {
    let world = World::new(db).await;
    let lease = take(&world, ProcessId::new()).await.unwrap();
    let tx = world.platform_write().await;
    assert!(tx.renew_lease(&lease, tx.now().plus(TERM * 2)).await.unwrap());
    assert!(tx.release_lease(&lease).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(take(&world, ProcessId::new()).await.unwrap().epoch, 2);
}

async fn of_many_who_want_a_lease_one_gets_it(db: &TestDatabase) {
    let world = World::new(db).await;
    for round in 1..=3 {
        let takers: Vec<_> = (0..6)
            .map(|_| {
                let store = world.store.clone();
                tokio::spawn(async move {
                    let tx = store.platform_write().await.unwrap();
                    let until = tx.now().plus(TERM);
                    let lease = tx.take_lease("server 1", ProcessId::new(), until).await.unwrap();
                    tx.commit().await.unwrap();
                    lease
                })
            })
            .collect();
        let mut epochs = Vec::new();
        for taker in takers {
            epochs.extend(taker.await.unwrap().map(|lease| lease.epoch));
        }
        assert_eq!(epochs, [round]);
        world.clock.advance(TERM);
    }
}

async fn processes_live_as_long_as_they_say_so(db: &TestDatabase) {
    let world = World::new(db).await;
    let process = |role| Process {
        id: ProcessId::new(),
        name: "host/1".to_owned(),
        role,
        started_at: world.store.clock().now(),
        seen_at: world.store.clock().now(),
    };
    let mut worker = process(ProcessRole::Worker);
    let silent = process(ProcessRole::Api);
    let tx = world.platform_write().await;
    for process in [&worker, &silent] {
        tx.see_process(process).await.unwrap();
    }
    world.clock.advance(TERM);
    worker.seen_at = tx.now();
    tx.see_process(&worker).await.unwrap();
    assert_eq!(tx.processes(tx.now().minus(TERM)).await.unwrap().len(), 2);
    assert_eq!(tx.processes(tx.now()).await.unwrap(), [worker.clone()]);
    tx.remove_process(worker.id).await.unwrap();
    assert!(tx.processes(tx.now()).await.unwrap().is_empty());
}

on_both_databases!(
    one_process_has_a_lease_until_it_ends,
    a_lease_that_ended_is_not_renewed_even_if_nobody_took_it,
    a_lease_that_was_given_back_is_free_and_its_epoch_is_not_used_again,
    of_many_who_want_a_lease_one_gets_it,
    processes_live_as_long_as_they_say_so,
);
