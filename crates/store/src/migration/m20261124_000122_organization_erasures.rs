//! Erasures of whole organizations, and how far they came.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, uuid},
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
            .table("organization_erasures")
            .col(uuid("organization_id").primary_key())
            .col(big_integer("rows"))
            .col(big_integer("created_at"))
            .col(big_integer_null("finished_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("organization_erasures", "organization_id")
                    .to("organizations", "id"),
            )
            .take();
        manager.create_table(table).await
    }
}
