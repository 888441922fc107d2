//! How many messages an organization sent in each month.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, uuid},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("message_usage")
            .col(uuid("organization_id"))
            .col(big_integer("month"))
            .col(big_integer("messages"))
            .primary_key(Index::create().col("organization_id").col("month"))
            .foreign_key(
                ForeignKey::create()
                    .from("message_usage", "organization_id")
                    .to("organizations", "id"),
            )
            .take();
        manager.create_table(table).await?;
        // What is past its retention is looked for in all organizations at once.
        let index = Index::create()
            .name("message_usage_month")
            .table("message_usage")
            .col("month")
            .take();
        manager.create_index(index).await
    }
}
