//! The schema's life.

use std::sync::Arc;

use wahana_domain::SystemClock;
use wahana_store::{DatabaseSettings, KeyRing, Store, StoreError, migrate};

#[tokio::test]
async fn a_database_is_made_once_and_opened_only_with_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DatabaseSettings::new(format!("sqlite://{}/wahana.db", folder.path().display()));
    let open = || Store::open(&settings, KeyRing::generate(), Arc::new(SystemClock));

    assert!(matches!(open().await, Err(StoreError::NoDatabase)));
    assert_eq!(migrate(&settings).await.unwrap().len(), 1);
    assert!(migrate(&settings).await.unwrap().is_empty());
    let store = open().await.unwrap();
    assert_eq!(
        store
            .platform_read()
            .await
            .unwrap()
            .organization_count()
            .await
            .unwrap(),
        0
    );
}
