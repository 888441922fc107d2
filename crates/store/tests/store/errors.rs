//! What the store says when something is wrong.

use std::sync::Arc;

use secrecy::ExposeSecret;
use wahana_domain::SystemClock;
use wahana_store::{DatabaseSettings, KeyRing, Store, StoreError, migrate};
use wahana_testkit::{
    cutting_proxy::CuttingProxy,
    database::{TestDatabase, run},
    on_both_databases, on_postgres,
};

use crate::world::World;

async fn open(settings: &DatabaseSettings) -> Result<Store, StoreError> {
    Store::open(settings, KeyRing::generate(), Arc::new(SystemClock)).await
}

#[test]
fn addresses_that_name_no_database_are_refused_without_being_repeated() {
    run(async {
        for url in [
            "mysql://root:hunter2@localhost/wahana",
            "hunter2",
            "",
            "sqlite::memory:",
            "sqlite://",
            "sqlite:///tmp/wahana.db?mode=memory&password=hunter2",
            "postgres://user:hunter2@localhost:port/wahana",
        ] {
            let error = open(&DatabaseSettings::new(url)).await.unwrap_err();
            assert!(matches!(error, StoreError::Settings(_)), "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
        let settings = DatabaseSettings::new("postgres://user:hunter2@localhost/wahana");
        assert!(!format!("{settings:?}").contains("hunter2"));
    });
}

#[test]
fn a_folder_that_is_not_there_is_named_as_a_file() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("wahana.db");
        let settings = DatabaseSettings::new(format!("sqlite://{}", path.display()));
        assert!(matches!(migrate(&settings).await, Err(StoreError::File(_))));
        assert!(matches!(open(&settings).await, Err(StoreError::NoDatabase)));
    });
}

#[test]
fn a_postgres_that_does_not_listen_is_unavailable() {
    run(async {
        let url = "postgres://user@127.0.0.1:5432/wahana".parse().unwrap();
        let (proxy, refusing) = CuttingProxy::in_front_of_url(&url).unwrap();
        proxy.refuse().await;
        let settings = DatabaseSettings::new(refusing.to_string());
        assert!(matches!(open(&settings).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(
            migrate(&settings).await,
            Err(StoreError::Unavailable(_))
        ));
    });
}

async fn a_postgres_that_goes_away_is_unavailable_until_it_is_back(db: &TestDatabase) {
    let url = db.settings().url.expose_secret().parse().unwrap();
    let (proxy, through) = CuttingProxy::in_front_of_url(&url).unwrap();
    let store = open(&DatabaseSettings::new(through.to_string())).await.unwrap();
    let tx = store.platform_read().await.unwrap();
    assert_eq!(tx.organization_count().await.unwrap(), 0);
    proxy.refuse().await;
    assert!(matches!(
        tx.organization_count().await,
        Err(StoreError::Unavailable(_))
    ));
    drop(tx);
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    proxy.resume().unwrap();
    store.check().await.unwrap();
}

async fn a_row_that_cannot_be_read_is_named(db: &TestDatabase) {
    let world = World::new(db).await;
    world.session(&world.a, "sales").await;
    db.execute_unguarded("UPDATE sessions SET status = 'dancing'")
        .await;
    let tx = world.platform_read().await;
    let error = tx.sessions_on_server(world.server).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::Inconsistent {
            table: "sessions",
            column: "status",
            ..
        }
    ));
}

on_both_databases!(a_row_that_cannot_be_read_is_named);
on_postgres!(a_postgres_that_goes_away_is_unavailable_until_it_is_back);
