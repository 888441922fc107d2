//! Exports of what is kept of organizations.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, uuid, uuid_null},
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
            .table("exports")
            .col(uuid("id").primary_key())
            .col(uuid("organization_id"))
            .col(big_integer("rows"))
            // No foreign key: the file goes before the export.
            .col(uuid_null("media_file_id"))
            .col(big_integer("created_at"))
            .col(big_integer_null("finished_at"))
            .col(big_integer_null("expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("exports", "organization_id")
                    .to("organizations", "id"),
            )
            .take();
        manager.create_table(table).await?;
        for (name, column) in [
            // What is past its retention is looked for in all organizations at once.
            ("exports_created", "created_at"),
            ("exports_organization", "organization_id"),
        ] {
            let index = Index::create().name(name).table("exports").col(column).take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
