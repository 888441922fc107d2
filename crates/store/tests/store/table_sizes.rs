//! How large the tables are.

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
    assert!(sizes.len() > 20);
}

on_both_databases!(every_table_has_a_size);
