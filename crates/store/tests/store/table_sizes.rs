//! How large the tables are.

use std::collections::BTreeSet;

use wahana_testkit::{database::TestDatabase, on_both_databases};

use crate::world::World;

async fn every_table_has_a_size(db: &TestDatabase) {
    let world = World::new(db).await;
    if db.is_postgres() {
        // Statistics follow the rows in their own time.
        db.execute_unguarded("ANALYZE").await;
    }
    let sizes = world.store.table_sizes().await.unwrap();
    let rows = |table| sizes.iter().find(|size| size.table == table).unwrap().rows;
    assert_eq!((rows("organizations"), rows("sessions")), (2, 0));
    assert!(sizes.iter().all(|size| size.bytes > 0), "{sizes:?}");
    let measured: BTreeSet<String> = sizes.iter().map(|size| size.table.to_string()).collect();
    let query = if db.is_postgres() {
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    };
    let mut tables: BTreeSet<String> = db.texts_unguarded(query).await.into_iter().collect();
    // The database's own list of migrations does not grow.
    tables.remove("seaql_migrations");
    assert_eq!(&tables - &measured, BTreeSet::new());
}

on_both_databases!(every_table_has_a_size);
