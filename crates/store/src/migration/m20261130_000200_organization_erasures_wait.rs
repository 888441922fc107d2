//! What the erasure of an organization waits for, and by what the names of its sessions on WAHA are known after it.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, text_null, uuid},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEX: &str = "CREATE INDEX erased_waha_names_erased ON erased_waha_names (erased_at)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = Table::alter()
            .table("organization_erasures")
            .add_column(text_null("waits_for"))
            .take();
        manager.alter_table(add).await?;
        let table = Table::create()
            .table("erased_waha_names")
            .col(uuid("waha_server_id"))
            .col(blob("name_hash"))
            .col(big_integer("erased_at"))
            .primary_key(Index::create().col("waha_server_id").col("name_hash"))
            .foreign_key(
                ForeignKey::create()
                    .from("erased_waha_names", "waha_server_id")
                    .to("waha_servers", "id"),
            )
            .take();
        manager.create_table(table).await?;
        manager.get_connection().execute_unprepared(INDEX).await?;
        Ok(())
    }
}
