//! Until when an endpoint is left alone, because its receiver asked for that.

use sea_orm_migration::{prelude::*, schema::big_integer_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Empty for one that is not, so that the previous release still adds rows.
        let add = Table::alter()
            .table("webhook_endpoints")
            .add_column(big_integer_null("not_before"))
            .take();
        manager.alter_table(add).await
    }
}
