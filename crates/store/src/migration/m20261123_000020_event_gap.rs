//! Noticing that a WAHA server's events do not arrive.

use sea_orm_migration::{prelude::*, schema::big_integer_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = Table::alter()
            .table("waha_servers")
            .add_column(big_integer_null("event_gap_since"))
            .take();
        manager.alter_table(add).await
    }
}
