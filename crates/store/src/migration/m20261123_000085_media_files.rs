//! Files of messages: which there are, and where their bytes are.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, string, string_null, text_null, uuid, uuid_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SeaQuery cannot write partial indexes for both databases; the statement is the same on both.
const INDEXES: [&str; 5] = [
    // A message has one file. Uploads have no message yet.
    "CREATE UNIQUE INDEX media_files_message ON media_files (message_id) WHERE message_id IS NOT NULL",
    "CREATE UNIQUE INDEX media_files_storage_key ON media_files (storage_key) WHERE storage_key IS NOT NULL",
    // What an organization has, the oldest first, with how much that is.
    "CREATE INDEX media_files_stored ON media_files (organization_id, created_at, size) WHERE state = 'stored'",
    "CREATE INDEX media_files_without_message ON media_files (expires_at) WHERE message_id IS NULL",
    "CREATE INDEX media_files_unsettled ON media_files (state, created_at) WHERE state <> 'stored'",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("media_files")
            .col(uuid("id").primary_key())
            .col(uuid("organization_id"))
            // No foreign key: the bytes outlive the message until they are deleted, and the row with them.
            .col(uuid_null("message_id"))
            .col(string("state"))
            .col(string_null("storage_key"))
            .col(big_integer_null("size"))
            .col(string_null("sha256"))
            .col(text_null("source"))
            .col(string("mimetype"))
            .col(text_null("filename"))
            .col(big_integer("created_at"))
            .col(big_integer_null("expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("media_files", "organization_id")
                    .to("organizations", "id"),
            )
            .take();
        manager.create_table(table).await?;
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
