//! A PostgreSQL that does not answer, and a process that does not go on.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use wahana_domain::{ManualClock, ProcessId};
use wahana_store::{DatabaseSettings, Store};
use wahana_testkit::{cutting_proxy::CuttingProxy, database::TestDatabase, on_postgres};

use crate::world::START;

on_postgres!(
    nobody_waits_for_a_frozen_connection_without_end,
    who_freezes_in_a_transaction_does_not_hold_up_others_without_end,
);

const TERM: Duration = Duration::from_secs(10);

async fn nobody_waits_for_a_frozen_connection_without_end(db: &TestDatabase) {
    let url = db.settings().url.expose_secret().parse().unwrap();
    let (proxy, url) = CuttingProxy::in_front_of_url(&url).unwrap();
    let settings = DatabaseSettings {
        max_connections: 2,
        ..DatabaseSettings::new(url.to_string())
    };
    let clock = Arc::new(ManualClock::at(START));
    let store = Store::open(&settings, db.keys(), clock).await.unwrap();
    let (begun, written) = (
        store.platform_write().await.unwrap(),
        store.platform_write().await.unwrap(),
    );
    let (owner, until) = (ProcessId::new(), written.now().plus(TERM));
    written.take_lease("kept", owner, until).await.unwrap().unwrap();

    proxy.freeze();
    let (statement, commit) = tokio::join!(begun.take_lease("other", owner, until), written.commit());
    assert!(statement.unwrap_err().is_unavailable());
    assert!(commit.unwrap_err().is_unavailable());
    drop(begun);
    let refused = store.platform_read().await.err().unwrap();
    assert!(refused.is_unavailable());

    proxy.resume().unwrap();
    let tx = loop {
        // Its connections come back one after the other.
        match store.platform_write().await {
            Ok(tx) => break tx,
            Err(error) => assert!(error.is_unavailable()),
        }
    };
    assert!(tx.take_lease("other", owner, until).await.unwrap().is_some());
    tx.commit().await.unwrap();
}

async fn who_freezes_in_a_transaction_does_not_hold_up_others_without_end(db: &TestDatabase) {
    let clock = Arc::new(ManualClock::at(START));
    let (frozen, other) = (db.store(clock.clone()).await, db.store(clock).await);
    let held = frozen.platform_write().await.unwrap();
    let until = held.now().plus(TERM);
    held.take_lease("server 1", ProcessId::new(), until)
        .await
        .unwrap()
        .unwrap();

    let taken = async || {
        let tx = other.platform_write().await?;
        let lease = tx.take_lease("server 1", ProcessId::new(), until).await?;
        tx.commit().await.map(|()| lease)
    };
    let lease = loop {
        match taken().await {
            Ok(lease) => break lease,
            Err(error) => assert!(error.is_unavailable(), "{error}"),
        }
    };
    assert!(lease.is_some(), "nothing of the frozen transaction was kept");
    let error = held.commit().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}
